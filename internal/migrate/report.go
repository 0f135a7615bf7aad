package migrate

import "time"

// Action is what Open has done to have the state.
type Action string

// What there is to do.
const (
	Kept      Action = "kept"
	BroughtUp Action = "brought up"
	Rebuilt   Action = "rebuilt"
)

// Why is why a state was rebuilt.
type Why string

// What may be wrong with a state that is there.
const (
	NoState     Why = "no state file"
	OtherSchema Why = "another schema"
	Unusable    Why = "unusable"
)

// Report says how Open came to the state.
type Report struct {
	Action  Action
	Why     Why   // of a rebuild
	Err     error // why the state file was unusable
	Events  int   // applied
	Resumed int   // of them, those that an interrupted rebuild had applied
	Took    time.Duration
	Changes []Change // against the state of another schema; nil when that could not be read
}

// How is in which way a part of the state differs.
type How string

// What the comparison of two states finds.
const (
	Added   How = "added"
	Removed How = "removed"
	Changed How = "changed"
	Same    How = "same"
)

// Change is a table, view or index that is not as it was.
type Change struct {
	Type          string // "table", "view" or "index"
	Name          string
	How           How   // Same for a table that only has another number of rows
	Before, After int64 // rows of a table
}

// Report says how Open came to the state it has returned last.
func (s *State) Report() Report { return s.report }
