package events_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/events"
)

// told returns what a subscriber was given, losses as "lost 3 @7" with the place
// of the last one, all else as its place.
func told(n *notebook) []string {
	var texts []string
	for _, e := range n.all() {
		text := fmt.Sprint(e.Seq)
		if e.Kind == events.EventsLost {
			text = fmt.Sprintf("lost %d @%d", e.Count, e.Seq)
		}
		texts = append(texts, text)
	}
	return texts
}

func TestLossesAreToldOnceAndWhereTheyHappened(t *testing.T) {
	for _, row := range []struct {
		sentence string
		queue    int
		play     func(publish, pass func(n int))
		want     []string
	}{
		{
			"what fits is not lost", 4,
			func(publish, pass func(int)) { publish(4) },
			[]string{"1", "2", "3", "4"},
		},
		{
			"the event in the handler counts", 1,
			func(publish, pass func(int)) { publish(2) },
			[]string{"1", "lost 1 @2"},
		},
		{
			"with nothing behind it the loss is told at the end", 4,
			func(publish, pass func(int)) { publish(7) },
			[]string{"1", "2", "3", "4", "lost 3 @7"},
		},
		{
			"with an event behind it the loss is told before that", 4,
			func(publish, pass func(int)) { publish(6); pass(1); publish(1) },
			[]string{"1", "2", "3", "4", "lost 2 @6", "7"},
		},
		{
			"every run of losses is told by itself", 2,
			func(publish, pass func(int)) { publish(4); pass(1); publish(3); pass(1); publish(1) },
			[]string{"1", "2", "lost 2 @4", "5", "lost 2 @7", "8"},
		},
		{
			"a run lasts until an eighth of the queue is free", 24,
			func(publish, pass func(int)) { publish(25); pass(2); publish(1); pass(1); publish(4) },
			append(places(1, 24), "lost 2 @26", "27", "28", "29", "lost 1 @30"),
		},
		{
			"a notice takes no room from events", 1,
			func(publish, pass func(int)) { publish(2); pass(1); publish(1) },
			[]string{"1", "lost 1 @2", "3"},
		},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var bus events.Bus
				n := gated()
				subscribe(t, &bus, events.Subscriber{Name: "n", Handler: n, Queue: row.queue})
				pass := func(count int) {
					for range count {
						n.gate <- struct{}{}
					}
					synctest.Wait()
				}
				row.play(func(count int) { publish(&bus, count) }, pass)
				close(n.gate)
				closeBus(t, &bus)
				if got := told(n); !slices.Equal(got, row.want) {
					t.Errorf("it was told\n%v, want\n%v", got, row.want)
				}
			})
		})
	}
}

func places(first, last int) []string {
	var texts []string
	for i := first; i <= last; i++ {
		texts = append(texts, fmt.Sprint(i))
	}
	return texts
}

func TestALossNoticePassesEveryFilterAndNamesItsSubscriber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bus events.Bus
		n := gated()
		var other notebook
		subscribe(t, &bus, events.Subscriber{
			Name: "n", Handler: n, Queue: 1, Kinds: []events.Kind{events.TaskAdded},
		})
		subscribe(t, &bus, events.Subscriber{Name: "other", Handler: &other})
		publish(&bus, 2)
		time.Sleep(time.Second)
		publish(&bus, 1)
		lostAt := time.Now()
		time.Sleep(time.Second)
		close(n.gate)
		closeBus(t, &bus)

		want := events.Event{Seq: 3, At: lostAt, Kind: events.EventsLost, Count: 2, Subscriber: "n"}
		if got := n.all(); len(got) != 2 || got[1] != want {
			t.Errorf("it was given %v, want the second to be %v", got, want)
		}
		if slices.Contains(other.kinds(), events.EventsLost) {
			t.Error("another subscriber heard of it")
		}
	})
}

func TestASlowSubscriberIsGivenFewNotices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bus events.Bus
		notices := 0
		sub := subscribe(t, &bus, events.Subscriber{Name: "slow", Handler: events.HandlerFunc(func(e events.Event) {
			time.Sleep(10 * time.Millisecond)
			if e.Kind == events.EventsLost {
				notices++
			}
		})})
		// Ten times what the subscriber can follow, for long.
		const published = 100_000
		for range published {
			publish(&bus, 1)
			time.Sleep(time.Millisecond)
		}
		closeBus(t, &bus)

		s := sub.Stats()
		if s.Delivered+s.Lost != published || s.Queued != 0 {
			t.Errorf("of %d events %d are delivered, %d lost and %d queued", published, s.Delivered, s.Lost, s.Queued)
		}
		if limit := s.Delivered/64 + 1; notices == 0 || uint64(notices) > limit {
			t.Errorf("%d notices for %d events, want at most %d", notices, s.Delivered, limit)
		}
	})
}
