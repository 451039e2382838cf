package health

import (
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// Source is what a Checker asks; a *supervisor.Supervisor is one.
type Source interface {
	// Tree returns the root and everything below it as it is now.
	Tree() supervisor.Node
}

// Checker answers probes about one app. All its methods may be called by any
// goroutine. What it must remember is shared by all probes, so that they do not
// contradict each other.
type Checker struct {
	app Source
	cfg Config // resolved; read only

	mu     sync.Mutex
	memory memory // guarded by mu
}

// New returns a Checker of app, which is the root of a tree. It need not run yet,
// and may be run again. A *policy.FieldError says what of cfg cannot be used, or
// that there is no app.
//
// A supervisor that another one runs may be an app, too. Then the Checker sees it
// and what is below it, and nothing of the tree around it: it is judged as if it were
// all, as critical as a root whatever its spec says. It is not ready between two of
// its runs, each of which begins afresh, and it does not become not live by its end,
// since it is run again. Its path is the one that it has in the tree while it runs
// and its own name otherwise, also as a label of Measure. Mostly the query of a
// Checker of the root is better, see Ready.
func New(app Source, cfg Config) (*Checker, error) {
	if s, ok := app.(*supervisor.Supervisor); app == nil || ok && s == nil {
		return nil, &policy.FieldError{Field: "app", Reason: "must not be nil"}
	}
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Checker{app: app, cfg: cfg.resolved()}, nil
}

// Readiness says whether the app should be sent requests.
func (c *Checker) Readiness() Report {
	j := c.look()
	return j.readiness(j.root)
}

// Liveness says whether the process of the app should go on.
func (c *Checker) Liveness() Report {
	j := c.look()
	return j.liveness(j.root)
}

// Ready returns the handler of a readiness probe, mostly served as /readyz: 200
// when the app is ready or degraded, else 503. The body is the Report as JSON.
//
// The query ?path=/app/db asks about one task or supervisor and what is below it
// instead, as if that were all; though when the app stops, all of it is not ready.
// The path may leave out that of the root ("db"). A path that is not in the tree is
// answered with 404. GET and HEAD are allowed.
func (c *Checker) Ready() http.Handler { return c.handler(judge.readiness) }

// Live returns the handler of a liveness probe, mostly served as /healthz: 200 as
// long as the process should go on, else 503. Body, query and methods are those of
// Ready.
func (c *Checker) Live() http.Handler { return c.handler(judge.liveness) }

// look takes note of the tree as it is now. The tree is read under the lock, so
// that no probe goes back behind what another has seen.
func (c *Checker) look() judge {
	c.mu.Lock()
	defer c.mu.Unlock()
	tree := c.app.Tree()
	c.memory = c.memory.after(&tree, time.Now(), &c.cfg)
	m := c.memory
	return judge{cfg: &c.cfg, memory: &m, root: &tree}
}

// find returns the node at a path, which may leave out that of the root; the empty
// path is the root.
func (j *judge) find(path string) *supervisor.Node {
	if path == "" || path == j.root.Path {
		return j.root
	}
	if !strings.HasPrefix(path, "/") {
		path = strings.TrimSuffix(j.root.Path, "/") + "/" + path
	}
	for n := range j.root.All() {
		if n.Path == path {
			return n
		}
	}
	return nil
}
