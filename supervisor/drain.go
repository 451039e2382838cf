package supervisor

import (
	"context"
	"errors"
	"log/slog"

	"github.com/taskvisor/taskvisor/events"
)

// subscribe adds the subscribers for the length of the run.
func (r *run) subscribe(subs []events.Subscriber) error {
	for _, s := range subs {
		sub, err := r.env.bus.Subscribe(s)
		if err != nil {
			return err
		}
		r.subs = append(r.subs, sub)
	}
	return nil
}

// drain lets the subscribers catch up, within a bound. Who does not is named in the
// log: no event would reach anybody any more.
func (r *run) drain() {
	if r.env.bus == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), events.DefaultDrain)
	defer cancel()
	var errs []error
	if r.ownsBus {
		errs = append(errs, r.env.bus.Close(ctx)) // what is not handled in time is lost, so that nothing of the run is left
	} else {
		if r.self == nil {
			errs = append(errs, r.env.bus.Drain(ctx))
		}
		for _, sub := range r.subs {
			errs = append(errs, sub.Close(ctx))
		}
	}
	if err := errors.Join(errs...); err != nil {
		log := r.env.logger
		if log == nil {
			log = slog.Default()
		}
		log.Warn("subscribers are still busy at the end of the run", "path", r.name(), "waited", events.DefaultDrain, "error", err)
	}
}
