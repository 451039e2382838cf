package health

import (
	"encoding/json"
	"net/http"

	"github.com/taskvisor/taskvisor/supervisor"
)

// handler answers probes with what ask makes of a look.
func (c *Checker) handler(ask func(judge, *supervisor.Node) Report) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			refuse(w, r, http.StatusMethodNotAllowed, "only GET and HEAD")
			return
		}
		j := c.look()
		n := j.find(r.URL.Query().Get("path")) // the rest of the query is somebody else's
		if n == nil {
			refuse(w, r, http.StatusNotFound, "no task has this path")
			return
		}

		report := ask(j, n)
		if c.cfg.HideErrors {
			for i := range report.Problems {
				report.Problems[i].Error = ""
			}
		}
		status := http.StatusOK
		if !report.Status.OK() {
			status = http.StatusServiceUnavailable
		}
		answer(w, r, status, report)
	})
}

// refuse answers what is no probe.
func refuse(w http.ResponseWriter, r *http.Request, status int, reason string) {
	answer(w, r, status, map[string]string{"error": reason})
}

func answer(w http.ResponseWriter, r *http.Request, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		http.Error(w, "the report cannot be written as JSON", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store") // an old answer is a wrong one
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(append(text, '\n')) // who has hung up does not want to know
	}
}
