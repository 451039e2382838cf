// Package tasks holds ready-made tasks: things that programs run again and again,
// as values for the Task of an actor.Spec.
//
//	Children: []actor.Spec{
//		{Name: "http", Task: tasks.HTTP(server), AwaitReady: true},
//		{Name: "sweep", Task: tasks.Every(time.Minute, sweep)},
//		{Name: "legacy", Task: tasks.Serve(service)},
//		{Name: "group", Task: tasks.Interruptible(listen, hangUp)},
//	}
//
// Each may be restarted any number of times and starts no goroutine that is not
// joined with its attempt. What cannot be used, a nil function for instance, is
// refused by the spec's Validate, before anything runs. They are written for a
// supervisor: run with a context that belongs to no task, those that need a
// helper goroutine return actor.ErrNoTask.
package tasks
