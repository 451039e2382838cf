package main

import (
	"bufio"
	"context"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// The program is tested as it is used: this binary, run again as the example.
const runAsExample = "TASKVISOR_TEST_RUN_AS_EXAMPLE"

func TestMain(m *testing.M) {
	if os.Getenv(runAsExample) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestTheFiguresAreServedAndTheProgramStopsAtASignal(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), runAsExample+"=1")
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	first, err := bufio.NewReader(stdout).ReadString('\n')
	match := regexp.MustCompile(`^metrics at (http://\S+)\n$`).FindStringSubmatch(first)
	if err != nil || match == nil {
		t.Fatalf("it says %q, %v", first, err)
	}

	// The tasks take their time. What is there at once is asked at the end, of the
	// same answer.
	var got answer
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		got = ask(ctx, t, match[1])
		if got.value("attempts_ended_total", "/app/poll", "failed") >= 2 &&
			got.value("tasks_finished_total", "/app/*", "completed") >= 3 &&
			got.value("controller_replaced_total", "deploys", "") >= 1 &&
			got.value("tasks_finished_total", "/app/doomed", "failed") == 1 {
			break
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatal("the tasks do not get on")
		}
	}
	for _, row := range []struct {
		sentence   string
		metric     string
		task       string
		value      string
		least, max float64
	}{
		{"the server is up", "tasks", "/app/metrics", "running", 1, 1},
		{"the poll is restarted", "task_restarts_total", "/app/poll", "", 2, 1e6},
		{"the doomed one has failed for good", "tasks", "/app/doomed", "failed", 1, 1},
		{"and was tried twice", "attempts_started_total", "/app/doomed", "", 2, 2},
		{"jobs are counted together", "tasks_added_total", "/app/*", "", 3, 1e6},
		{"how long they took is observed", "task_duration_seconds", "/app/*", "", 2, 1e6},
		{"so are the pauses", "backoff_delay_seconds", "/app/doomed", "", 1, 1},
		{"what was submitted is counted by its admission", "controller_submissions_total", "deploys", "replace", 2, 1e6},
		{"a key has one owner at a time", "controller_owners", "deploys", "", 0, 1},
		{"what a controller runs is counted together", "tasks_added_total", "/app/deploys/*", "", 2, 1e6},
	} {
		if v := got.value(row.metric, row.task, row.value); v < row.least || v > row.max {
			t.Errorf("%s: %s of %s is %v", row.sentence, row.metric, row.task, v)
		}
	}
	if got["go_goroutines"] == nil {
		t.Error("the figures of the Go runtime are missing")
	}

	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ends with %v", err)
	}
}

// answer is a scrape, by metric.
type answer map[string]*dto.MetricFamily

func ask(ctx context.Context, t *testing.T, url string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return families
}

// value returns the figure of a task, or how often its histogram was fed. Of a metric
// with a second label it is the one with that value.
func (a answer) value(metric, task, second string) float64 {
	for _, m := range a["taskvisor_"+metric].GetMetric() {
		var values []string
		for _, l := range m.GetLabel() {
			values = append(values, l.GetValue())
		}
		if text := strings.Join(values, " "); text == task || text == second+" "+task {
			return m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return -1
}
