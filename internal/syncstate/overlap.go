package syncstate

import (
	"fmt"

	"github.com/livestore-go/livestore/event"
)

// MismatchError says that upstream has another event than the one it had confirmed, or none: it is not the log it was.
type MismatchError struct {
	Known event.Client  // what upstream had confirmed
	Got   *event.Client // what it sends at this position now, nil for nothing
}

func (e *MismatchError) Error() string {
	if e.Got == nil {
		return fmt.Sprintf("syncstate: upstream no longer has %s %s, which it had confirmed", e.Known.Num, e.Known.Name)
	}
	return fmt.Sprintf("syncstate: upstream has %s %s where it had confirmed %s %s", e.Got.Num, e.Got.Name, e.Known.Num, e.Known.Name)
}

// Overlap takes from the events of a pull what it repeats, and returns the rest. Known is what the log here has from where the
// pull began up to the upstream head: confirmed events, and with SameGlobal the synced ones of them only. The pull must
// begin with the same events, all of them; else the error is a *[MismatchError].
//
// A pull that begins one event before the upstream head so finds out that upstream is another one than it was.
func Overlap(known, events []event.Client, same Same) ([]event.Client, error) {
	for i := range known {
		if i >= len(events) {
			return nil, &MismatchError{Known: known[i]}
		}
		if !same.repeats(&known[i], &events[i]) {
			return nil, &MismatchError{Known: known[i], Got: &events[i]}
		}
	}
	return events[len(known):], nil
}
