// Package prom shows what runs to Prometheus.
//
//	var metrics prom.Collector
//	app := supervisor.New(supervisor.Config{
//		Name:        "app",
//		Subscribers: []events.Subscriber{metrics.Subscriber()},
//		Children:    children,
//	})
//	if err := metrics.Add(app); err != nil {
//		return err
//	}
//	prometheus.MustRegister(&metrics)
//
// Counters and gauges are read from the supervisors at each scrape and are exact,
// whatever becomes of events. Histograms of durations are fed by events, since
// nothing keeps single durations; they miss what the subscriber has lost, which
// taskvisor_subscriber_events_lost_total{subscriber="prometheus"} tells. Without the
// subscriber there are no histograms and all else is the same: [New] makes a Collector
// for that, and for an events.Bus that outlives the tree.
//
// Every series of what is declared is there from the first scrape on, as zero. A scrape
// may come at any time: before a run, in the middle of a start or of a stop, after it. It
// holds a tree's locks while the tree is added up, which takes half a millisecond for a
// thousand declared tasks, and none while the answer is written.
//
// # Several trees
//
// They go into one Collector, and their roots have different names. A second Collector
// is refused by the registry with a prometheus.AlreadyRegisteredError, unless each is
// registered by a prometheus.WrapRegistererWith of its own, with a label that tells them
// apart. The name of a subscriber is a label as well, so one that is in the Config of two
// trees needs another Name in each. Or the trees share one events.Bus, to which it is
// subscribed once. A bus from a Config is a source of its own: without it in the Collector
// the figures of its subscribers are missing.
//
// # Labels, and how many series there are
//
// The label task is a pattern: the path of a declared child, such as "/app/db", and one
// path for all dynamic children of a supervisor together, such as "/app/*". The label
// supervisor is a supervisor's own pattern. So there are as many series as the lines of
// a program that declare tasks make, and none for a task that comes and goes, or for
// an error, an id or an attempt:
//
//	per task pattern    29, and 43 more with the histograms
//	per supervisor      10, and those of the pattern of its dynamic children
//	per controller      17, none of them per key
//	per queue           32, and 5 per type of its jobs
//	per subscriber       4
//	per type of jobs    75, with the histograms, once one has been run
//
// A supervisor in a tree is a task of the one above and has those series too. A tree of
// one supervisor with ten tasks and the subscriber makes 11·72 + 10 + 4 = 806 series.
//
// Of the children that a supervisor declares, the first 1,000 are told apart. Those that
// follow are counted with its dynamic ones: their figures are there, but not by name. A
// thousand tasks are 29,000 series, or 72,000 with histograms, which is much for one
// process. Children that nobody needs to tell apart are better added at run time.
//
// The label type is that of a stored job. The first [MaxTypes] that are seen are told
// apart; jobs of all others are observed as type="other". A queue, whose Name is the label
// queue, tells as many apart in its own figures. Of single jobs, of their keys and of their
// groups there is nothing. The tasks that run them are dynamic: their figures are those of
// a pattern such as "/app/queue/workers/*".
//
// Events may come from elsewhere, when the subscriber is put on a bus that other trees
// use. Of the patterns that no source reports, [MaxUnreported] have histograms of
// their own. All others are observed as task="other", so that their number stays
// bounded whatever is published.
package prom
