package inspect

import "github.com/taskvisor/taskvisor/internal/label"

// Check is what a Finding was found by. Zero is none.
type Check uint8

const (
	_ Check = iota
	// CheckInvalid finds a supervisor that would refuse to run.
	CheckInvalid
	// CheckIntensityOutOfReach finds an Intensity that the declared children cannot
	// exceed, because their backoffs are too slow, while one of them is retried without
	// limit: it may fail for ever, and nobody above is told.
	CheckIntensityOutOfReach
	// CheckRetriesOutOfReach finds a MaxRetries that a task which keeps failing never
	// uses up, because the Intensity of its supervisor is exceeded before.
	CheckRetriesOutOfReach
	// CheckBusyLoop finds a task that, failing at once, would keep a processor busy: no
	// backoff, no limit of retries, and no Intensity.
	CheckBusyLoop
	// CheckUnusedRetrySettings finds a backoff and the like of a task that is not
	// retried.
	CheckUnusedRetrySettings
	// CheckNeverHealthy finds a ResetAfter that was set and that the Timeout cuts off:
	// no attempt that heeds it runs long enough to count as healthy.
	CheckNeverHealthy
	// CheckStallUnnoticed finds a Stall that is not shorter than the Timeout.
	CheckStallUnnoticed
	// CheckNeverStuck finds an OnStuck without effect, because the grace does not end.
	CheckNeverStuck
	// CheckGraceCutShort finds a grace that was set and of which a stop of the tree
	// leaves only a part.
	CheckGraceCutShort
	// CheckGracesInSum finds graces that were set and that do not fit one after the
	// other into the time for a stop.
	CheckGracesInSum
	// CheckStopTimeoutCutShort finds a StopTimeout of which those above leave only a
	// part.
	CheckStopTimeoutCutShort
	// CheckLameDuckTooLong finds a LameDuck that is cut short, or that takes most of
	// what those above leave.
	CheckLameDuckTooLong
	// CheckSlowStop finds a tree whose stop may take longer than UsualStop.
	CheckSlowStop
	// CheckTooFewPermits finds a Concurrency that fewer tasks fit into than have to be
	// up at a time.
	CheckTooFewPermits
	// CheckConcurrencyNoEffect finds a Concurrency above that of a supervisor above.
	CheckConcurrencyNoEffect
	// CheckStartTimeoutCutShort finds a StartTimeout that was set and of which the one
	// of its supervisor leaves only a part.
	CheckStartTimeoutCutShort
	// CheckNoRetryAtStart finds a first delay that is longer than the StartTimeout: one
	// failure at the first start is the last.
	CheckNoRetryAtStart
	// CheckNoSignificantChild finds an AutoShutdown that no declared child brings about.
	CheckNoSignificantChild
	// CheckSignificantOptional finds a child that its supervisor ends with and is said
	// to do without.
	CheckSignificantOptional
)

var checkLabels = label.Table[Check]{Type: "check", Labels: []string{
	CheckInvalid:              "invalid",
	CheckIntensityOutOfReach:  "intensity_out_of_reach",
	CheckRetriesOutOfReach:    "retries_out_of_reach",
	CheckBusyLoop:             "busy_loop",
	CheckUnusedRetrySettings:  "unused_retry_settings",
	CheckNeverHealthy:         "never_healthy",
	CheckStallUnnoticed:       "stall_unnoticed",
	CheckNeverStuck:           "never_stuck",
	CheckGraceCutShort:        "grace_cut_short",
	CheckGracesInSum:          "graces_in_sum",
	CheckStopTimeoutCutShort:  "stop_timeout_cut_short",
	CheckLameDuckTooLong:      "lame_duck_too_long",
	CheckSlowStop:             "slow_stop",
	CheckTooFewPermits:        "too_few_permits",
	CheckConcurrencyNoEffect:  "concurrency_no_effect",
	CheckStartTimeoutCutShort: "start_timeout_cut_short",
	CheckNoRetryAtStart:       "no_retry_at_start",
	CheckNoSignificantChild:   "no_significant_child",
	CheckSignificantOptional:  "significant_optional",
}}

// Checks returns every check, in the order of their declaration. The slice is the
// caller's own.
func Checks() []Check { return checkLabels.Values() }

// String returns the label of c.
func (c Check) String() string { return checkLabels.String(c) }

// MarshalText returns the label of c; a value without one is an error.
func (c Check) MarshalText() ([]byte, error) { return checkLabels.Marshal(c) }

// UnmarshalText sets c to the value with that label; an unknown label is an error.
func (c *Check) UnmarshalText(text []byte) error { return checkLabels.Unmarshal(c, text) }
