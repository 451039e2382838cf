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
func up(app *supervisor.Supervisor) (down func()) {
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
