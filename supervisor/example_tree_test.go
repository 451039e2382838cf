package supervisor_test

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/supervisor"
)

// up runs app on a goroutine of its own and returns when its children are up. The
// function that it returns ends the run and waits for its end.
func up(app *supervisor.Supervisor) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx) }()
	if err := app.WaitReady(ctx); err != nil {
		fmt.Println(err)
	}
	return func() {
		cancel()
		if err := <-ended; err != nil {
			fmt.Println(err)
		}
	}
}

// A supervisor is a task: its spec hangs it into another. Paths show the tree.
func ExampleSupervisor_Spec() {
	idle := actor.Func(func(ctx context.Context) error { <-ctx.Done(); return nil })
	pool := supervisor.New(supervisor.Config{Name: "pool", Children: []actor.Spec{
		{Name: "worker-1", Task: idle},
		{Name: "worker-2", Task: idle},
	}})
	app := supervisor.New(supervisor.Config{Name: "app", Children: []actor.Spec{
		pool.Spec(""), // the name of its Config
		{Name: "web", Task: idle},
	}})
	stop := up(app)
	defer stop()

	for n := range app.Tree().All() {
		fmt.Println(n.Path)
	}
	// Output:
	// /app
	// /app/pool
	// /app/pool/worker-1
	// /app/pool/worker-2
	// /app/web
}

// A tree shows what every task is doing at the moment.
func ExampleSupervisor_Tree() {
	app := supervisor.New(supervisor.Config{Name: "app", Children: []actor.Spec{
		{Name: "migrate", Task: actor.Func(func(context.Context) error { return nil })},
		{Name: "web", Task: actor.Func(func(ctx context.Context) error { <-ctx.Done(); return nil })},
	}})
	stop := up(app)
	defer stop()

	migrate, err := app.Handle("migrate")
	if err != nil {
		fmt.Println(err)
		return
	}
	_, _ = migrate.Wait(context.Background())

	tree := app.Tree()
	fmt.Println(tree.Path, tree.State, tree.Ready)
	for _, n := range tree.Children {
		fmt.Println(n.Path, n.State, n.Ready)
	}
	// Output:
	// /app running true
	// /app/migrate completed true
	// /app/web running true
}

// All walks over the whole tree, here in search of what is not ready.
func ExampleNode_All() {
	mail := supervisor.New(supervisor.Config{Name: "mail", Children: []actor.Spec{
		{Name: "queue", Task: actor.Func(func(ctx context.Context) error { <-ctx.Done(); return nil })},
		{Name: "login", Task: actor.Func(func(context.Context) error {
			return actor.Fatal(errors.New("wrong password"))
		})},
	}})
	app := supervisor.New(supervisor.Config{Name: "app", Children: []actor.Spec{mail.Spec("")}})
	stop := up(app)
	defer stop()

	login, err := app.Handle("mail/login")
	if err != nil {
		fmt.Println(err)
		return
	}
	_, _ = login.Wait(context.Background())

	for n := range app.Tree().All() {
		if !n.Ready {
			fmt.Printf("%s %v %q\n", n.Path, n.State, n.Error)
		}
	}
	// Output:
	// /app running ""
	// /app/mail running ""
	// /app/mail/login failed "wrong password"
}

// Children are listed in the order in which they start: the declared ones first.
func ExampleSupervisor_Children() {
	idle := actor.Func(func(ctx context.Context) error { <-ctx.Done(); return nil })
	app := supervisor.New(supervisor.Config{Name: "app", Children: []actor.Spec{
		{Name: "db", Task: idle},
		{Name: "web", Task: idle},
	}})
	stop := up(app)
	defer stop()

	if _, err := app.Start(context.Background(), actor.Spec{Name: "import-7", Task: idle}); err != nil {
		fmt.Println(err)
		return
	}
	for _, n := range app.Children() {
		fmt.Println(n.Name, "declared:", n.Declared)
	}
	// Output:
	// db declared: true
	// web declared: true
	// import-7 declared: false
}

// A program that has more to do than to run its tasks runs them on a goroutine of its
// own, and goes on when they are ready.
func ExampleSupervisor_WaitReady() {
	app := supervisor.New(supervisor.Config{Name: "app", Children: []actor.Spec{
		{Name: "db", AwaitReady: true, Task: actor.Func(func(ctx context.Context) error {
			fmt.Println("connected")
			actor.Ready(ctx)
			<-ctx.Done()
			return nil
		})},
	}})

	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx) }()

	fmt.Println("ready:", app.WaitReady(ctx))
	stop()
	fmt.Println("ended:", <-ended)
	// Output:
	// connected
	// ready: <nil>
	// ended: <nil>
}

// A goroutine that a task has started by itself outlives the task unnoticed. Leaks finds
// it; actor.Go would not have let it happen.
func ExampleSupervisor_Leaks() {
	forgotten, release := make(chan bool), make(chan bool)
	app := supervisor.New(supervisor.Config{Name: "app", Children: []actor.Spec{
		{Name: "import", Task: actor.Func(func(context.Context) error {
			go func() {
				forgotten <- true
				<-release
			}()
			<-forgotten
			return nil
		})},
	}})
	stop := up(app)
	defer stop()

	task, err := app.Handle("import")
	if err != nil {
		fmt.Println(err)
		return
	}
	outcome, _ := task.Wait(context.Background())
	fmt.Println(outcome.Kind)
	for _, g := range app.Leaks() {
		fmt.Println(g.Path, "left", g.Count, "goroutine")
	}
	close(release)
	// Output:
	// completed
	// /app/import left 1 goroutine
}

// A dump says of every task what it is doing, for how long, and where: something for a
// debug page, or for a program that does not end. Here is the beginning of one.
func ExampleSupervisor_Dump() {
	app := supervisor.New(supervisor.Config{Name: "app", Children: []actor.Spec{
		{Name: "web", Task: actor.Func(func(ctx context.Context) error { <-ctx.Done(); return nil })},
	}})
	stop := up(app)
	defer stop()

	var dump strings.Builder
	app.Dump(&dump)
	beginning, _, _ := strings.Cut(dump.String(), " for ")
	fmt.Println(beginning)
	// Output: /app/web: running
}
