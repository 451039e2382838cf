// Package controller decides who may run for a key: one deployment per cluster, one
// synchronisation per tenant, two uploads per device.
//
//	deploys := controller.New(controller.Config{Name: "deploys"})
//	app := supervisor.New(supervisor.Config{
//		Name:     "app",
//		Children: []actor.Spec{deploys.Spec("")},
//	})
//	...
//	h, err := deploys.Submit(ctx, controller.Submission{
//		Key:       "production",
//		Admission: controller.Replace,
//		Spec:      actor.Spec{Name: "deploy-42", Task: deploy, Restart: policy.Never},
//	})
//	...
//	outcome, err := h.Wait(ctx)
//
// # Slots
//
// Each key has a slot: a number of places, its width, and a queue. The task in a place
// is its owner until it has ended for good, retries and pauses included, or was
// abandoned: one that is stuck and waited for keeps its place. A slot exists while it
// has owners.
//
// A submission that finds a free place runs, whatever its admission, unless an owner of
// the key has its name: two of a name cannot run at a time. Else:
//
//	Queue          waits behind those that wait, first in first out.
//	Replace        tells an owner to end, and becomes the first that waits. It supersedes
//	               who was first; those behind stay. The owner is the one of its name, or
//	               else the oldest that was not told to end yet.
//	DropIfRunning  is rejected as busy.
//
// Submissions with Replace are never refused for want of room: at most one waits for
// a key. Nobody else passes anybody.
//
// # Identity and outcome
//
// A submission has its identity before anything is told about it: [Controller.Prepare]
// returns it before anything is done. Its handle is that of the task that it becomes,
// and resolves exactly once: as the task ends, or as events.Rejected, with a Reason and
// a *actor.RejectedError:
//
//	busy            DropIfRunning, and there is no free place
//	full            the queue of the slot is full, or there was no room in the controller
//	                until the context of the caller ended
//	superseded      a later Replace took its place at the head of the queue
//	withdrawn       it was cancelled, or its slot purged, while it waited
//	expired         it waited for longer than its TTL
//	closing         the controller stops
//	duplicate_name  when its turn came, a task of its name was running for another key,
//	                or had been started by hand
//
// # Bounds
//
// Depth bounds the queue of one slot: what comes on top is rejected as full, at once.
// Capacity bounds all queues together: a submission that would have to wait above it has
// its place in the queue of its slot, but its Submit returns only when there is room, or
// when the caller's context ends. So a controller under pressure slows its callers down
// and never rejects or reorders what it has accepted. How many owners run at a time is
// for the Concurrency of its Workers, or of a supervisor above: an owner waits for its
// permit in its place.
//
// # Concurrency
//
// Every act is decided at one moment, under one lock, on the goroutine of its caller;
// who follows an owner is decided at the very moment in which that one ends, so that no
// crowd of new submissions can hold it up. Nothing ticks.
package controller
