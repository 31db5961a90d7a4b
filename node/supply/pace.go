package supply

import "time"

// How soon Run looks at how things are by itself. What it is told of, it looks at at
// once; each other look wakes up a process that may have nothing else to do.
const (
	// tickInterval is how soon it is noticed that a lease has been used up: the
	// first ones are small.
	tickInterval = 50 * time.Millisecond
	// restInterval is the same for a change of the swarm, of which nobody tells, while
	// nothing is leased. Most must last for longer than that to be a reason for help.
	restInterval = sampleEvery
)

// pace is how soon Run must look again after it did so at now.
func (s *Supply) pace(now time.Time) time.Duration {
	if len(s.loans) > 0 || len(s.finished) > 0 || s.readers.any() {
		return tickInterval
	}
	return soonest(now, append(s.policy.ends(), s.tracker.retry))
}

// soonest is how long to wait for the next of these times; those that are past
// don't count. At most restInterval.
func soonest(now time.Time, times []time.Time) time.Duration {
	d := restInterval
	for _, t := range times {
		if t.After(now) {
			d = min(d, t.Sub(now))
		}
	}
	return d
}
