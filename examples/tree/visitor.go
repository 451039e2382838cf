package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/subscribers/recorder"
	"github.com/taskvisor/taskvisor/supervisor"
)

// visitor is a task of the tree that it looks at.
type visitor struct {
	app  *supervisor.Supervisor
	url  string
	say  *log.Logger
	bus  events.Bus
	seen recorder.Recorder // to see when the store is up again
}

// Run is the visit. When it is over, so is the program.
func (v *visitor) Run(ctx context.Context) error {
	if err := v.get(ctx, "/"); err != nil {
		return err
	}
	if err := v.draw(ctx); err != nil {
		return err
	}
	if err := v.get(ctx, "/break"); err != nil {
		return err
	}
	if _, err := v.seen.WaitKind(ctx, events.GroupRestarted, "/app/store"); err != nil {
		return err
	}
	return v.draw(ctx)
}

// draw prints the tree as its supervisors know it at this moment.
func (v *visitor) draw(ctx context.Context) error {
	// First the console shall catch up, as the lines would be mixed otherwise.
	if err := v.bus.Drain(ctx); err != nil {
		return err
	}
	v.say.Print()
	tree := v.app.Tree()
	for node := range tree.All() {
		depth := strings.Count(node.Path, "/")
		what := node.State.String()
		if node.IsSupervisor {
			what += ", " + node.Strategy.String()
		}
		if node.Attempt > 1 {
			what += fmt.Sprintf(", attempt %d", node.Attempt)
		}
		v.say.Printf("%s%-*s %s", strings.Repeat("    ", depth), 20-4*depth, node.Name, what)
	}
	v.say.Print()
	return nil
}

func (v *visitor) get(ctx context.Context, path string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, v.url+path, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	v.say.Printf("GET %s -> %s: %s", path, response.Status, body)
	return err
}
