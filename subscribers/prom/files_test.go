package prom_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"gopkg.in/yaml.v3"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/controller"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/memstore"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/subscribers/prom"
	"github.com/taskvisor/taskvisor/supervisor"
	"github.com/taskvisor/taskvisor/supervisor/health"
)

const (
	dashboardFile = "../../docs/prometheus/dashboard.json"
	alertsFile    = "../../docs/prometheus/alerts.yml"
	readmeFile    = "../../docs/prometheus/README.md"
)

// notShown are the metrics that neither the dashboard nor an alert uses, each with the
// reason.
var notShown = map[string]string{}

// known is what a Collector has: of each metric its type, and the values of its labels.
type known map[string]*knownMetric

type knownMetric struct {
	kind   dto.MetricType
	labels map[string]map[string]bool
}

func knownMetrics(t *testing.T) known {
	t.Helper()
	var c prom.Collector
	deploys := controller.New(controller.Config{Name: "deploys"})
	jobs := persist.New(persist.Config{Name: "jobs", Store: memstore.New(), Types: []persist.Known{noteType}})
	app := supervisor.New(supervisor.Config{
		Name: "app", Subscribers: []events.Subscriber{c.Subscriber()},
		Children: []actor.Spec{{Name: "job", Task: actor.Func(idle)}, deploys.Spec(""), jobs.Spec("")},
	})
	checker, err := health.New(app, health.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Add(app, checker, deploys, jobs); err != nil {
		t.Fatal(err)
	}
	c.Handle(events.Event{Kind: events.JobStarted, Job: &events.Job{Type: "media/resize"}})
	families, err := register(t, &c).Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := known{}
	for _, f := range families {
		m := &knownMetric{kind: f.GetType(), labels: map[string]map[string]bool{}}
		all[f.GetName()] = m
		for _, s := range f.GetMetric() {
			for _, l := range s.GetLabel() {
				if m.labels[l.GetName()] == nil {
					m.labels[l.GetName()] = map[string]bool{}
				}
				m.labels[l.GetName()][l.GetValue()] = true
			}
		}
	}
	return all
}

// find returns the metric that a name in an expression stands for.
func (k known) find(name string) (base string, m *knownMetric) {
	if m := k[name]; m != nil && m.kind != dto.MetricType_HISTOGRAM {
		return name, m
	}
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		base, cut := strings.CutSuffix(name, suffix)
		if m := k[base]; cut && m != nil && m.kind == dto.MetricType_HISTOGRAM {
			return base, m
		}
	}
	return "", nil
}

var (
	selector = regexp.MustCompile(`(taskvisor_[a-z_]+)(?:\{([^}]*)\})?(\[)?`)
	matcher  = regexp.MustCompile(`([a-z_]+)(=~|!~|!=|=)"((?:[^"\\]|\\.)*)"`)
	grouping = regexp.MustCompile(`\b(?:by|without|on|ignoring)\s*\(([^)]*)\)`)
	braces   = regexp.MustCompile(`\{\{ *(?:\$labels\.)?([a-z_]+) *[|}]`)
	word     = regexp.MustCompile(`^[a-z_]+$`)
)

// targets are the labels that Prometheus adds to every series.
var targets = []string{"job", "instance"}

// check has an error for what an expression says about metrics, labels and values that
// there are not, and returns the metrics in it. Of the labels, those that are shown
// beside the result have to be in it as well.
func (k known) check(t *testing.T, where, expr string, shown []string) (used []string) {
	t.Helper()
	there := map[string]bool{}
	for _, s := range selector.FindAllStringSubmatch(expr, -1) {
		name, matchers, ranged := s[1], s[2], s[3] != ""
		base, m := k.find(name)
		if m == nil {
			t.Errorf("%s: there is no %s", where, name)
			continue
		}
		used = append(used, base)
		if strings.Contains(expr, "_over_time("+name) {
			continue // of a gauge too, then with a range
		}
		if counts := m.kind != dto.MetricType_GAUGE; counts != ranged && !strings.HasPrefix(expr, "label_values") {
			t.Errorf("%s: %s is a %v, and has to be taken as one: %s", where, name, m.kind, expr)
		}
		for label := range m.labels {
			there[label] = true
		}
		if strings.HasSuffix(name, "_bucket") {
			there["le"] = true
		}
		k.checkMatchers(t, where, m, matchers)
	}
	if len(used) == 0 {
		t.Errorf("%s: no metric of ours in %s", where, expr)
	}
	if strings.Contains(expr, "histogram_quantile") && !regexp.MustCompile(`by \([^)]*\ble\b`).MatchString(expr) {
		t.Errorf("%s: a quantile needs le in %s", where, expr)
	}
	for _, g := range grouping.FindAllStringSubmatch(expr, -1) {
		for label := range strings.SplitSeq(g[1], ",") {
			shown = append(shown, strings.TrimSpace(label))
		}
	}
	for _, label := range shown {
		if !there[label] && !slices.Contains(targets, label) {
			t.Errorf("%s: no metric has the label %s in %s", where, label, expr)
		}
	}
	return used
}

// checkMatchers looks at the labels between braces, and at the values that are not
// patterns of tasks.
func (k known) checkMatchers(t *testing.T, where string, m *knownMetric, matchers string) {
	t.Helper()
	rest := matcher.ReplaceAllString(matchers, "")
	if strings.Trim(rest, ", ") != "" {
		t.Errorf("%s: %q is not understood", where, matchers)
	}
	for _, pair := range matcher.FindAllStringSubmatch(matchers, -1) {
		label, value := pair[1], pair[3]
		if slices.Contains(targets, label) {
			continue
		}
		values := m.labels[label]
		if values == nil {
			t.Errorf("%s: there is no label %s", where, label)
			continue
		}
		for v := range strings.SplitSeq(value, "|") {
			if word.MatchString(v) && !values[v] {
				t.Errorf("%s: %s is never %q", where, label, v)
			}
		}
	}
}

// strings in the dashboard that are expressions, with the legend beside them.
func expressions(v any, found func(expr, legend string)) {
	switch v := v.(type) {
	case map[string]any:
		if expr, ok := v["expr"].(string); ok {
			legend, _ := v["legendFormat"].(string)
			found(expr, legend)
		}
		if query, ok := v["query"].(string); ok && strings.Contains(query, "(") {
			found(query, "")
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			expressions(v[key], found)
		}
	case []any:
		for _, item := range v {
			expressions(item, found)
		}
	}
}

func labelsIn(template string) (labels []string) {
	for _, m := range braces.FindAllStringSubmatch(template, -1) {
		labels = append(labels, m[1])
	}
	return labels
}

type ruleFile struct {
	Groups []struct {
		Name  string
		Rules []struct {
			Alert, Expr string
			For         string
			Labels      map[string]string
			Annotations map[string]string
		}
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func readRules(t *testing.T) (rules ruleFile) {
	t.Helper()
	decoder := yaml.NewDecoder(strings.NewReader(readFile(t, alertsFile)))
	decoder.KnownFields(true)
	if err := decoder.Decode(&rules); err != nil {
		t.Fatal(err)
	}
	return rules
}

func TestTheDashboardAndTheAlertsSpeakOfMetricsThatExistAndOfAll(t *testing.T) {
	k := knownMetrics(t)
	used := map[string]bool{}
	note := func(names []string) {
		for _, name := range names {
			used[name] = true
		}
	}

	var dashboard any
	if err := json.Unmarshal([]byte(readFile(t, dashboardFile)), &dashboard); err != nil {
		t.Fatal(err)
	}
	n := 0
	expressions(dashboard, func(expr, legend string) {
		n++
		note(k.check(t, "dashboard", expr, labelsIn(legend)))
	})
	for _, group := range readRules(t).Groups {
		for _, rule := range group.Rules {
			n++
			text := strings.Join(slices.Collect(maps.Values(rule.Annotations)), "\n")
			shown := slices.DeleteFunc(labelsIn(text), func(l string) bool { return l == "value" })
			note(k.check(t, rule.Alert, rule.Expr, shown))
			for _, name := range selector.FindAllStringSubmatch(text, -1) {
				base, _ := k.find(name[1])
				if base == "" && k[name[1]] == nil {
					t.Errorf("%s: there is no %s", rule.Alert, name[1])
				}
			}
		}
	}
	if n < 40 {
		t.Errorf("only %d expressions were found", n)
	}

	for name := range k {
		if reason := notShown[name]; used[name] == (reason != "") {
			t.Errorf("%s: used is %v, and the reason not to is %q", name, used[name], reason)
		}
	}
}

func TestEveryAlertHasWhatThoseNeedWhoAreWokenByIt(t *testing.T) {
	seen := map[string]bool{}
	for _, group := range readRules(t).Groups {
		for _, rule := range group.Rules {
			if !strings.HasPrefix(rule.Alert, "Taskvisor") || seen[rule.Alert] {
				t.Errorf("%q is there twice, or not named for its origin", rule.Alert)
			}
			seen[rule.Alert] = true
			for _, key := range []string{"summary", "description", "runbook"} {
				if rule.Annotations[key] == "" {
					t.Errorf("%s has no %s", rule.Alert, key)
				}
			}
			if s := rule.Labels["severity"]; s != "warning" && s != "critical" {
				t.Errorf("%s has the severity %q", rule.Alert, s)
			}
			// What looks back itself fires at once; a gauge has to last.
			if _, err := time.ParseDuration(rule.For); (err != nil) && !strings.Contains(rule.Expr, "increase(") {
				t.Errorf("%s: for is %q", rule.Alert, rule.For)
			}
		}
	}
}

func TestTheDashboardCanBeImported(t *testing.T) {
	type panel struct {
		ID      int
		Type    string
		Title   string
		GridPos struct{ H, W, X, Y int }
		Targets []struct {
			RefID      string `json:"refId"`
			Datasource struct{ Type, UID string }
		}
	}
	var d struct {
		ID         *int
		UID, Title string
		Templating struct {
			List []struct{ Name, Type string }
		}
		Panels []panel
	}
	if err := json.Unmarshal([]byte(readFile(t, dashboardFile)), &d); err != nil {
		t.Fatal(err)
	}
	if d.ID != nil || d.UID == "" || d.Title == "" {
		t.Errorf("id %v, uid %q, title %q: an id belongs to one Grafana", d.ID, d.UID, d.Title)
	}
	variables := map[string]string{}
	for _, v := range d.Templating.List {
		variables[v.Name] = v.Type
	}
	if want := map[string]string{"datasource": "datasource", "job": "query", "instance": "query", "task": "textbox"}; !maps.Equal(variables, want) {
		t.Errorf("the variables are %v, want %v", variables, want)
	}

	var rows []string
	ids, taken := map[int]bool{}, map[[2]int]string{}
	for _, p := range d.Panels {
		if ids[p.ID] {
			t.Errorf("%s: the id %d is there twice", p.Title, p.ID)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
					t.Errorf("%s lies over %q", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" {
			rows = append(rows, p.Title)
			continue
		}
		if len(p.Targets) == 0 {
			t.Errorf("%s shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			if target.Datasource.Type != "prometheus" || target.Datasource.UID != "${datasource}" || target.RefID == "" {
				t.Errorf("%s asks %+v", p.Title, target)
			}
		}
	}
	if want := []string{"Overview", "Durations", "Supervisors", "Controllers", "Subscribers", "Jobs"}; !slices.Equal(rows, want) {
		t.Errorf("the rows are %v, want %v", rows, want)
	}
	for _, v := range regexp.MustCompile(`\$\{?([a-z_]+)`).FindAllStringSubmatch(readFile(t, dashboardFile), -1) {
		if name := v[1]; variables[name] == "" && name != "__rate_interval" && name != "__all" {
			t.Errorf("there is no variable %s", name)
		}
	}
}

func TestTheTableOfMetricsIsComplete(t *testing.T) {
	k := knownMetrics(t)
	line := regexp.MustCompile("(?m)^\\| `(taskvisor_[a-z_]+)` \\| (\\w+) \\| ([\\w, ]+) \\| (.+) \\|$")
	listed := map[string]bool{}
	for _, row := range line.FindAllStringSubmatch(readFile(t, readmeFile), -1) {
		name, kind, labels, meaning := row[1], row[2], strings.Split(row[3], ", "), row[4]
		m := k[name]
		if m == nil || listed[name] {
			t.Errorf("%s does not exist, or is there twice", name)
			continue
		}
		listed[name] = true
		if want := strings.ToLower(m.kind.String()); kind != want {
			t.Errorf("%s is a %s, not a %s", name, want, kind)
		}
		if !slices.Equal(slices.Sorted(slices.Values(labels)), slices.Sorted(maps.Keys(m.labels))) {
			t.Errorf("%s has the labels %v, not %v", name, slices.Sorted(maps.Keys(m.labels)), labels)
		}
		for label, values := range m.labels {
			if slices.Contains([]string{"task", "supervisor", "controller", "queue", "subscriber", "type"}, label) {
				continue
			}
			for value := range values {
				if !strings.Contains(meaning, "`"+value+"`") {
					t.Errorf("%s: %s may be %s, which is not said", name, label, value)
				}
			}
		}
	}
	for name := range k {
		if !listed[name] {
			t.Errorf("%s is not in the table", name)
		}
	}
}

// The exits that the dashboard leaves out of the failures are those that are none.
func TestTheDashboardKnowsWhatAFailureIs(t *testing.T) {
	var none []string
	for x := policy.Succeeded; x <= policy.Stopped; x++ {
		if !x.IsFailure() {
			none = append(none, x.String())
		}
	}
	want, err := json.Marshal(fmt.Sprintf(`exit!~"%s"`, strings.Join(none, "|")))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(readFile(t, dashboardFile), strings.Trim(string(want), `"`)) {
		t.Errorf("no panel has %s", want)
	}
}
