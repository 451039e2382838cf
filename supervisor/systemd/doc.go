// Package systemd tells the service manager how an app is, by the protocol of
// sd_notify: that it is up (READY), what it is doing (STATUS), that it stops
// (STOPPING), and that it is alive (WATCHDOG).
//
//	var notify systemd.Notifier
//	app := supervisor.New(supervisor.Config{
//		Name:        "app",
//		Children:    []actor.Spec{notify.Spec(""), db, http},
//		Subscribers: []events.Subscriber{notify.Subscriber()},
//	})
//	err := app.Main(ctx)
//
// The unit says Type=notify and, for a watchdog, WatchdogSec. Its TimeoutStopSec
// should be longer than the StopTimeout of the app. Where there is no NOTIFY_SOCKET
// in the environment, the task completes at once.
//
// # What is said, and when
//
// READY=1 when the app is ready for the first time, as package health sees it.
//
// STATUS, the line that systemctl status shows, with each change: "ready: 12
// tasks", "not ready: /app/db backing_off until 15:04:05: connection refused". The
// tasks are those of the report, the notifier among them. How the line begins is told
// at once, and what follows every 5 s at most, the latest of it. The line is for
// people and may change.
//
// STOPPING=1 when the root begins to stop, the lame-duck time included. From then
// on systemd does not watch the watchdog.
//
// WATCHDOG=1 twice per WatchdogSec, each time after the whole tree was read, which
// takes the lock of every supervisor, and only if the app is live and no critical
// task with a Stall has missed its beat. So what is watched are the tasks: their
// beats, those that hang, and the supervisors themselves. A ping that was held back
// is made up for as soon as things change.
//
// It listens to events only to know when to look. What it says is read from the
// tree, so that lost events delay it at most, until the next one.
package systemd
