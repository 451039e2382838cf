package recorder

import (
	"context"
	"fmt"

	"github.com/taskvisor/taskvisor/events"
)

// Wait returns the first event for which match reports true: the first of those
// recorded, or the first to come. When ctx ends before, the error wraps its cause.
//
// match is called without any lock, once per event and in order, on the caller's
// goroutine. An event that was dropped in the meantime is not seen.
func (r *Recorder) Wait(ctx context.Context, match func(events.Event) bool) (events.Event, error) {
	return r.wait(ctx, "an event", match)
}

// WaitKind returns the first event of that kind about that path; an empty path
// means any.
func (r *Recorder) WaitKind(ctx context.Context, kind events.Kind, path string) (events.Event, error) {
	what := kind.String()
	if path != "" {
		what += " of " + path
	}
	return r.wait(ctx, what, func(e events.Event) bool {
		return e.Kind == kind && (path == "" || e.Path == path)
	})
}

func (r *Recorder) wait(ctx context.Context, what string, match func(events.Event) bool) (events.Event, error) {
	var next uint64 // the first that was not looked at
	for {
		some, end, news := r.since(next)
		for _, e := range some {
			if match(e) {
				return e, nil
			}
		}
		next = end
		if news == nil {
			continue
		}
		select {
		case <-news:
		case <-ctx.Done():
			return events.Event{}, fmt.Errorf("wait for %s: not among %d events: %w", what, end, context.Cause(ctx))
		}
	}
}

// since returns what was kept from the place next on, and the place after it. If
// that is nothing, news is closed when there is something, and else nil.
func (r *Recorder) since(next uint64) (some []events.Event, end uint64, news <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	end = r.before + uint64(len(r.events))
	if next < end {
		return r.events[max(next, r.before)-r.before:], end, nil
	}
	if r.news == nil {
		r.news = make(chan struct{})
	}
	return nil, end, r.news
}
