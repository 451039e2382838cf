package main

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/shirou/gopsutil/v3/load"
	"github.com/shirou/gopsutil/v3/mem"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/actor/tasks"
)

// sample is how busy the machine was at one moment.
type sample struct {
	At            time.Time `json:"at"`
	Load1         float64   `json:"load1"`
	Load5         float64   `json:"load5"`
	Load15        float64   `json:"load15"`
	MemoryPercent float64   `json:"memory_percent"`
}

// machine is a task that watches the machine it runs on.
type machine struct {
	every  time.Duration
	latest atomic.Pointer[sample] // nil before the first
}

// spec asks for a beat, which tasks.Every gives after each sample: a sampler that
// hangs is cancelled, and run again like one that fails.
func (m *machine) spec() actor.Spec {
	return actor.Spec{
		Name:       "load",
		Task:       tasks.Every(m.every, m.look),
		AwaitReady: true, // ready after the first sample
		Stall:      m.every + 5*time.Second,
	}
}

// look keeps a new sample. It handles no error: what follows one is the business
// of its supervisor.
func (m *machine) look(ctx context.Context) error {
	avg, err := load.AvgWithContext(ctx)
	if err != nil {
		return err
	}
	memory, err := mem.VirtualMemoryWithContext(ctx)
	if err != nil {
		return err
	}
	m.latest.Store(&sample{
		At:    time.Now(),
		Load1: avg.Load1, Load5: avg.Load5, Load15: avg.Load15,
		MemoryPercent: memory.UsedPercent,
	})
	return nil
}
