package events

import (
	"log/slog"
	"strconv"
	"strings"
)

// Job is the stored job that an event is about. It is made once and shared by all who
// see the event, so nobody may change it.
type Job struct {
	// ID is the job's number in its store. It is not the ID of a task: each attempt
	// of a job is a task of its own.
	ID uint64
	// Type says which handler the job is for, such as "media/resize". There are few.
	Type string
	// Domain is the part of the store that the job belongs to.
	Domain string
	// Key is what the job was submitted for, and of which there may be only so many.
	Key string
	// Label is for people.
	Label string
	// Group is who shares a limit with the job.
	Group string
	// Priority says how urgent the job is: the lower, the more.
	Priority uint8
	// Attempt counts the job's attempts from 1, over all runs of the program.
	Attempt int
	// Tags are the job's own, in their order.
	Tags []Tag
	// Progress is how much of the attempt is done, from 0 to 1. Only a JobProgressed
	// says it.
	Progress float64
	// Message is what the job has to say about itself.
	Message string
}

// Tag is a word about a job, and its value.
type Tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// LogValue returns the group of the fields that are said, under the keys id, type,
// domain, key, label, group, priority, attempt, tags, progress and message, in that
// order. The keys are stable; id, type and priority are always there, and tags is a
// group of its own.
func (j Job) LogValue() slog.Value {
	as := make([]slog.Attr, 0, 11)
	text := func(key, value string) {
		if value != "" {
			as = append(as, slog.String(key, value))
		}
	}
	as = append(as, slog.Uint64("id", j.ID), slog.String("type", j.Type))
	text("domain", j.Domain)
	text("key", j.Key)
	text("label", j.Label)
	text("group", j.Group)
	as = append(as, slog.Int("priority", int(j.Priority)))
	if j.Attempt != 0 {
		as = append(as, slog.Int("attempt", j.Attempt))
	}
	if len(j.Tags) > 0 {
		tags := make([]slog.Attr, len(j.Tags))
		for i, t := range j.Tags {
			tags[i] = slog.String(t.Key, t.Value)
		}
		as = append(as, slog.Attr{Key: "tags", Value: slog.GroupValue(tags...)})
	}
	if j.Progress != 0 {
		as = append(as, slog.Float64("progress", j.Progress))
	}
	text("message", j.Message)
	return slog.GroupValue(as...)
}

// String returns the number and the type of the job, such as "job=42 type=media/resize".
// It has no number where it stands for all jobs of a type.
func (j Job) String() string {
	var words []string
	if j.ID != 0 {
		words = append(words, "job="+strconv.FormatUint(j.ID, 10))
	}
	if j.Type != "" {
		words = append(words, "type="+j.Type)
	}
	return strings.Join(words, " ")
}
