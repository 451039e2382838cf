package controller_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/controller"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

func BenchmarkSubmit(b *testing.B) {
	nothing := actor.Func(func(context.Context) error { return nil })
	b.Run("start", func(b *testing.B) {
		app := supervisor.New(supervisor.Config{})
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { done <- app.Run(ctx) }()
		_ = app.WaitReady(ctx)
		b.ReportAllocs()
		for b.Loop() {
			h, err := app.Start(ctx, actor.Spec{Name: "job", Task: nothing, Restart: policy.Never})
			if err != nil {
				b.Fatal(err)
			}
			if _, err := h.Wait(context.Background()); err != nil {
				b.Fatal(err)
			}
		}
		stop()
		<-done
	})
	b.Run("submit", func(b *testing.B) {
		app := controller.New(controller.Config{})
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { done <- app.Run(ctx) }()
		_ = app.WaitReady(ctx)
		b.ReportAllocs()
		for b.Loop() {
			h, err := app.Submit(ctx, controller.Submission{Spec: actor.Spec{Name: "job", Task: nothing, Restart: policy.Never}})
			if err != nil {
				b.Fatal(err)
			}
			if _, err := h.Wait(context.Background()); err != nil {
				b.Fatal(err)
			}
		}
		stop()
		<-done
	})
	b.Run("queue", func(b *testing.B) {
		app := controller.New(controller.Config{Depth: policy.Unlimited, Capacity: policy.Unlimited})
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { done <- app.Run(ctx) }()
		_ = app.WaitReady(ctx)
		b.ReportAllocs()
		wait := actor.Func(func(ctx context.Context) error { <-ctx.Done(); return nil })
		for b.Loop() {
			_, err := app.Submit(ctx, controller.Submission{Spec: actor.Spec{Name: "job", Task: wait, Restart: policy.Never}})
			if err != nil {
				b.Fatal(err)
			}
		}
		stop()
		<-done
	})
	b.Run("replace", func(b *testing.B) {
		app := controller.New(controller.Config{Depth: policy.Unlimited, Capacity: policy.Unlimited})
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { done <- app.Run(ctx) }()
		_ = app.WaitReady(ctx)
		b.ReportAllocs()
		wait := actor.Func(func(ctx context.Context) error { <-ctx.Done(); return nil })
		for b.Loop() {
			_, err := app.Submit(ctx, controller.Submission{Admission: controller.Replace, Spec: actor.Spec{Name: "job", Task: wait, Restart: policy.Never}})
			if err != nil {
				b.Fatal(err)
			}
		}
		stop()
		<-done
	})
	_ = fmt.Sprint
}
