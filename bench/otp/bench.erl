%% The works for Erlang/OTP. Each is one run of the emulator, which prints its figures
%% as one line of JSON.
-module(bench).
-behaviour(supervisor).
-export([main/1, init/1, start/1]).

main([Work | Sizes]) ->
    logger:set_primary_config(level, none),
    process_flag(trap_exit, true), % so that a supervisor that is stopped does not end us
    [Many, Crowd, Group, Spell, Still] = [list_to_integer(S) || S <- Sizes],
    Size = #{many => Many, crowd => Crowd, group => Group, spell => Spell, still => Still},
    try work(Work, Size) of
        Figures -> print(Figures), halt(0)
    catch
        Class:Reason:Stack ->
            io:format(standard_error, "~p: ~p~n~p~n", [Class, Reason, Stack]),
            halt(1)
    end.

work("children", #{many := N}) -> children(N);
work("memory", #{many := N}) -> memory(N);
work("still", #{many := N, still := Ms}) -> still(N, Ms);
work("restart-100", #{crowd := N, spell := Ms}) -> restart(min(100, N), Ms);
work("restart-10k", #{crowd := N, spell := Ms}) -> restart(N, Ms);
work("reentry", #{group := N, spell := Ms}) -> reentry(N, Ms);
work("one-for-all", #{group := N, spell := Ms}) -> one_for_all(N, Ms);
work("shot", #{spell := Ms}) -> shots(1, Ms);
work("shot-64", #{spell := Ms}) -> shots(64, Ms).

%% Supervisors

init({declared, Strategy, Eldest, N, Body}) ->
    %% Made here: a list of bodies that is sent to a process loses what it shares.
    Specs = [spec(eldest, permanent, [B]) || B <- Eldest],
    {ok, {flags(Strategy), Specs ++ [spec(I, permanent, [Body]) || I <- lists:seq(1, N)]}};
init(temporary) ->
    {ok, {flags(simple_one_for_one), [spec(child, temporary, [])]}}.

flags(Strategy) -> #{strategy => Strategy, intensity => 1000000000, period => 1}.

spec(Id, Restart, Args) ->
    #{id => Id, start => {?MODULE, start, Args}, restart => Restart, shutdown => 10000}.

%% What a supervisor calls to start a child.
start(Body) -> {ok, spawn_link(Body)}.

%% Returns when all children have been spawned; they have not been entered yet.
open(Strategy, Eldest, N, Body) ->
    {ok, Sup} = supervisor:start_link(?MODULE, {declared, Strategy, Eldest, N, Body}),
    Sup.

stop(Sup) ->
    Monitor = monitor(process, Sup),
    exit(Sup, shutdown),
    receive {'DOWN', Monitor, process, Sup, _} -> ok end.

%% Bodies of children

idle(Counter, N, Main) ->
    fun() -> entered(Counter, N, Main), wait() end.

%% The last of N that is entered says so.
entered(Counter, N, Main) ->
    case atomics:add_get(Counter, 1, 1) rem N of
        0 -> Main ! {all, now_ns()}, ok;
        _ -> ok
    end.

%% Fails whenever it is entered, as long as the flag is up.
failing(Entries, Flag) ->
    fun() ->
        atomics:add(Entries, 1, 1),
        case atomics:get(Flag, 1) of
            1 -> exit(bench);
            0 -> wait()
        end
    end.

%% Waits, and fails when it is told to.
victim(Entered, Main) ->
    fun() ->
        Entered(now_ns()),
        receive fail -> Main ! {leaving, now_ns()}, exit(bench) end
    end.

wait() -> receive never -> ok end.

%% Works

%% Starts the eldest and N idle children, and returns when the N have been entered.
crowd(N, Eldest) ->
    Sup = open(one_for_one, Eldest, N, idle(atomics:new(1, []), N, self())),
    receive {all, _} -> Sup end.

children(N) ->
    Begin = now_ns(),
    Sup = crowd(N, []),
    Up = now_ns(),
    stop(Sup),
    #{start => (Up - Begin) / N, stop => (now_ns() - Up) / N}.

memory(N) ->
    Before = in_use(),
    crowd(N, []),
    #{bytes => (in_use() - Before) / N}.

in_use() ->
    [erlang:garbage_collect(P) || P <- processes()],
    erlang:memory(total).

still(N, Ms) ->
    crowd(N, []),
    _ = in_use(),
    timer:sleep(Ms div 5),
    {Before, _} = statistics(runtime),
    timer:sleep(Ms),
    {After, _} = statistics(runtime),
    #{cpu => After - Before}.

restart(N, Ms) ->
    Entries = atomics:new(1, []),
    Flag = atomics:new(1, []),
    atomics:put(Flag, 1, 1),
    crowd(N - 1, [failing(Entries, Flag)]),
    timer:sleep(warm(Ms)),
    {From, Begin} = {atomics:get(Entries, 1), now_ns()},
    timer:sleep(Ms),
    {To, End} = {atomics:get(Entries, 1), now_ns()},
    atomics:put(Flag, 1, 0),
    #{restart => (End - Begin) / max(1, To - From)}.

%% Until the supervisor's list of restarts is as long as it gets; not in a smoke test.
warm(Ms) when Ms < 100 -> 0;
warm(_) -> 1000.

reentry(N, Ms) ->
    Main = self(),
    crowd(N - 1, [victim(fun(At) -> Main ! {entered, self(), At} end, Main)]),
    First = receive {entered, P, _} -> P end,
    Once = fun(Pid) ->
        Pid ! fail,
        Left = receive {leaving, L} -> L end,
        receive {entered, Next, At} -> {At - Left, Next} end
    end,
    {Rested, Last} = repeat(fun(Pid) -> timer:sleep(1), Once(Pid) end, First, now_ns() + Ms * 1000000, []),
    {Warm, _} = repeat(Once, Last, now_ns() + Ms * 1000000 div 8, []),
    #{latency => median(Rested) / 1000, warm => median(Warm) / 1000}.

one_for_all(N, Ms) ->
    Counter = atomics:new(1, []),
    Main = self(),
    Victim = victim(fun(_) -> Main ! {victim, self()}, entered(Counter, N, Main) end, Main),
    open(one_for_all, [Victim], N - 1, idle(Counter, N, Main)),
    receive {all, _} -> ok end,
    First = receive {victim, P} -> P end,
    Once = fun(Pid) ->
        Pid ! fail,
        Left = receive {leaving, L} -> L end,
        At = receive {all, A} -> A end,
        Next = receive {victim, V} -> V end,
        {At - Left, Next}
    end,
    {Taken, _} = repeat(Once, First, now_ns() + Ms * 1000000, []),
    #{group => median(Taken) / 1000}.

%% Calls F with the pid that it returned last, at least three times, until the time has come.
repeat(F, Pid, Until, Taken) ->
    {Took, Next} = F(Pid),
    case now_ns() < Until orelse length(Taken) < 2 of
        true -> repeat(F, Next, Until, [Took | Taken]);
        false -> {[Took | Taken], Next}
    end.

shots(Callers, Ms) ->
    {ok, Sup} = supervisor:start_link(?MODULE, temporary),
    Main = self(),
    Begin = now_ns(),
    Until = Begin + Ms * 1000000,
    [spawn_link(fun() -> Main ! {shots, shots(Sup, Until, 0)} end) || _ <- lists:seq(1, Callers)],
    Total = lists:sum([receive {shots, N} -> N end || _ <- lists:seq(1, Callers)]),
    #{shot => (now_ns() - Begin) / Total}.

shots(Sup, Until, N) ->
    [shot(Sup) || _ <- lists:seq(1, 16)],
    case now_ns() < Until of
        true -> shots(Sup, Until, N + 16);
        false -> N + 16
    end.

shot(Sup) ->
    Caller = self(),
    Ref = make_ref(),
    {ok, _} = supervisor:start_child(Sup, [fun() -> Caller ! Ref end]),
    receive Ref -> ok end.

%% Figures

now_ns() -> erlang:monotonic_time(nanosecond).

median(Values) ->
    lists:nth((length(Values) + 1) div 2, lists:sort(Values)).

print(Figures) ->
    Pairs = [io_lib:format("\"~s\":~w", [K, V]) || {K, V} <- maps:to_list(Figures)],
    io:format("{~s}~n", [lists:join(",", Pairs)]).
