package sim

import "time"

// tick is how much time passes with each step of a fleet.
const tick = 20 * time.Millisecond

// clock is the time at a client of a fleet, as it knows it.
func (w *world) clock() time.Time { return epoch.Add(time.Duration(w.ticks)*tick + w.skew) }
