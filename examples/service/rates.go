package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/actor/tasks"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// quote is what the upstream says of one currency.
type quote struct {
	Rate float64   `json:"rate"`
	At   time.Time `json:"at"`
}

// rates keeps the last quote of each currency, however old it is.
type rates struct {
	every    time.Duration
	upstream *upstream

	mu   sync.Mutex
	last map[string]quote // guarded by mu
}

func newRates(every time.Duration) *rates {
	return &rates{every: every, upstream: &upstream{}, last: map[string]quote{}}
}

func (r *rates) keep(currency string, q quote) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last[currency] = q
}

// latest returns a copy.
func (r *rates) latest() map[string]quote {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.last)
}

// spec is a supervisor: the upstream, then those who need it. When the upstream
// fails, they are stopped, and started again after it. When one of them fails,
// it is run again after a backoff of its own, and the others never notice.
func (r *rates) spec() actor.Spec {
	clients := supervisor.New(supervisor.Config{
		Children: []actor.Spec{r.client("eur"), r.client("usd")},
		Defaults: supervisor.Defaults{
			Backoff:    policy.Exponential(100*time.Millisecond, 2*time.Second),
			ResetAfter: r.every, // after two answers in a row the delays start again from the first
		},
	})
	spec := supervisor.New(supervisor.Config{
		Strategy: supervisor.RestForOne,
		Children: []actor.Spec{
			{Name: "upstream", Task: r.upstream, AwaitReady: true},
			clients.Spec("clients"),
		},
	}).Spec("rates")
	spec.Optional = true // an old rate is better than no answer: without new ones the app is degraded, but ready
	return spec
}

// client describes a task that asks for the rate of one currency, and is ready
// when it has got one. It knows nothing of retries: an answer that is none ends
// the attempt.
func (r *rates) client(currency string) actor.Spec {
	return actor.Spec{
		Name: currency,
		Task: tasks.Every(r.every, func(ctx context.Context) error {
			q, err := ask(ctx, r.upstream.url+"/"+currency)
			if err == nil {
				r.keep(currency, q)
			}
			return err
		}),
		AwaitReady: true,
	}
}

// web keeps no connections: their goroutines would outlive the attempt.
var web = &http.Client{
	Transport: &http.Transport{DisableKeepAlives: true},
	Timeout:   time.Second,
}

func ask(ctx context.Context, url string) (q quote, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return q, err
	}
	res, err := web.Do(req)
	if err != nil {
		return q, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return q, fmt.Errorf("get %s: %s", url, res.Status)
	}
	return q, json.NewDecoder(res.Body).Decode(&q)
}
