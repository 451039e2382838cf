package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

const otpConfig = "`supervisor` of Erlang/OTP on the emulator's default settings. Children are declared in `init`, which is about twice as fast as " +
	"to start them one by one with `start_child`, and `simple_one_for_one` is slower still. A child is a plain linked process, lighter than a `gen_server`. It fails by its exit, " +
	"and it is stopped by an exit signal: it need not notice that by itself, as a goroutine must. Intensity 10⁹ in one second, the shortest period there is; at each restart " +
	"the supervisor walks the list of those in the period. A one-shot child is a temporary one of a `simple_one_for_one` supervisor and tells its caller that it runs. " +
	"Nothing is logged. Processes share no memory, so a message or a failure is copied from one heap to another."

//go:embed otp/bench.erl
var benchErl []byte

// erlang is where the emulator and the compiled works are. A nil *erlang has nothing.
type erlang struct {
	emulator string
	dir      string
	release  string
}

// findErlang compiles the works for Erlang, or returns nil where it is not installed.
func findErlang() (*erlang, error) {
	emulator, err := exec.LookPath("erl")
	if err != nil {
		return nil, nil
	}
	compiler, err := exec.LookPath("erlc")
	if err != nil {
		return nil, nil
	}
	dir, err := os.MkdirTemp("", "bench-otp-")
	if err != nil {
		return nil, err
	}
	e := &erlang{emulator: emulator, dir: dir}
	if err := e.compile(compiler); err != nil {
		return nil, errors.Join(err, e.close())
	}
	return e, nil
}

func (e *erlang) compile(compiler string) error {
	source := filepath.Join(e.dir, "bench.erl")
	if err := os.WriteFile(source, benchErl, 0o600); err != nil {
		return err
	}
	if out, err := exec.Command(compiler, "-o", e.dir, source).CombinedOutput(); err != nil {
		return fmt.Errorf("erlc: %w: %s", err, out)
	}
	out, err := exec.Command(e.emulator, "-noshell", "-eval",
		`io:format("~s, erts ~s", [erlang:system_info(otp_release), erlang:system_info(version)]), halt().`).Output()
	e.release = string(bytes.TrimSpace(out))
	return err
}

// close removes what was compiled.
func (e *erlang) close() error {
	if e == nil {
		return nil
	}
	return os.RemoveAll(e.dir)
}

// command returns the process that measures one work.
func (e *erlang) command(ctx context.Context, work string, size scale) *exec.Cmd {
	args := []string{"-noshell", "-pa", e.dir, "-run", "bench", "main", work}
	for _, n := range []int{
		size.many, size.crowd, size.group, int(size.spell.Milliseconds()), int(size.still.Milliseconds()),
	} {
		args = append(args, strconv.Itoa(n))
	}
	return exec.CommandContext(ctx, e.emulator, args...)
}
