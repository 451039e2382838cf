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
// is an owner. It keeps the place until it has ended for good: through retries and
// pauses, and while it is stuck and waited for. One that is abandoned has ended. A slot
// exists while it has owners.
//
// A submission that finds a free place runs, whatever its admission, unless an owner of
// the key has its name: two of a name cannot run at a time, and those that come after one
// that waits for that wait too. Else:
//
//	Queue          waits behind those that wait, first in first out.
//	Replace        tells an owner to end, and takes the head of the queue. Who was first
//	               there is superseded; those behind stay. The owner is the one of its
//	               name, or else the oldest that was not told to end yet.
//	DropIfRunning  is rejected as busy.
//
// Only Replace overtakes others. At most one of them waits for a key, so that no bound
// refuses it.
//
// # Identity and outcome
//
// A submission has its ID before any event tells of it, and with [Controller.Prepare]
// before anything is done. An ID is unique in one process only: who stores it stores with
// it what names the process. The handle is that of the task that the submission becomes.
// It resolves exactly once: as the task ends, or as events.Rejected, with a Reason and a
// *actor.RejectedError:
//
//	busy            DropIfRunning, and there is no free place
//	full            the queue of the slot is full, or there was no room in the controller
//	                until the context of the caller ended
//	superseded      a later Replace took its place at the head of the queue
//	withdrawn       it was cancelled, or its slot purged, while it waited
//	expired         it waited for longer than its TTL
//	closing         the controller stops
//	duplicate_name  when its turn came, a task of its name was running for another key,
//	                or had been started by hand; with Replace at once, so that nobody
//	                makes way in vain
//
// So give tasks names that are their own, or none: one without a name is called by its ID.
//
// # Bounds
//
// Depth bounds the queue of each slot: what comes on top is rejected as full, at once.
// It is one for all keys, while each may have a width of its own; who wants another depth
// makes another controller.
//
// Capacity bounds all queues together: a submission that would have to wait above it has
// its place in the queue of its slot, but its Submit returns only when there is room, or
// when the caller's context ends. So a controller under pressure slows its callers down
// and never rejects or reorders what it has accepted. How many owners run at a time is
// for the Concurrency of its Workers, or of a supervisor above: an owner waits for its
// permit in its place.
//
// # Concurrency
//
// Every act is decided at one moment, under one lock, on the goroutine of its caller.
// When an owner ends, who comes next is decided in the same moment, so that no crowd of
// new submissions can hold it up. Nothing ticks.
//
// # Shutdown
//
// A controller that is told to stop rejects as closing what waits and what still comes,
// and stops the owners; after that Submit returns ErrNotRunning. Under a supervisor with
// OneForOne those that submit stop beside it and may get either. With RestForOne, who is
// declared after the controller has stopped before it does. The price is that the times
// add up, and that a controller that fails takes them with it until it is back.
package controller
