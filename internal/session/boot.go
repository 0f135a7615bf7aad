package session

import "time"

// BootAction is what was done to have the state when a store was opened.
type BootAction string

const (
	// BootKept: the state was at the end of the log, and is as it was.
	BootKept BootAction = "kept"
	// BootBroughtUp: the state was behind the log, or had what the log has no more: events were applied to it, or undone.
	BootBroughtUp BootAction = "brought up"
	// BootRebuilt: the state was derived anew from the log.
	BootRebuilt BootAction = "rebuilt"
)

// BootReason is why a state was rebuilt.
type BootReason string

const (
	// BootNoState: there was none, as in a new store.
	BootNoState BootReason = "no state file"
	// BootOtherSchema: there was one of another schema.
	BootOtherSchema BootReason = "another schema"
	// BootUnusable: the one that was there was damaged, of another format, or not to be brought to the log.
	BootUnusable BootReason = "unusable"
)

// BootReport says how the opening of a store came to its state. It is about the log as it was found: what was pulled from the sync backend
// meanwhile, or found in the journals of sessions before, is not in it.
type BootReport struct {
	Action BootAction
	Why    BootReason // of a rebuild; empty for the other actions
	Err    error      // why the state was [BootUnusable]; nil for all other reasons

	Events  int // that the state was derived from by this action: those applied to a state that was there, or all of a rebuild
	Resumed int // of them, those that an interrupted rebuild had applied before
	Took    time.Duration

	// Changes is what differs from the state of the other schema, for a rebuild because of [BootOtherSchema]: tables, then views, then
	// indexes, each by name. It is nil when that state could not be read.
	Changes []BootChange
}

// BootChange is a table, view or index that is not as it was under the schema before.
type BootChange struct {
	Type          string // "table", also for one of full text, "view" or "index"
	Name          string
	How           BootDifference
	Before, After int64 // rows of a table, 0 for what has none of its own: full text, views and indexes
}

// BootDifference says in which way a part of the state is not as it was.
type BootDifference string

const (
	// BootAdded: it was not there.
	BootAdded BootDifference = "added"
	// BootRemoved: it is there no more.
	BootRemoved BootDifference = "removed"
	// BootChanged: it is defined by other SQL.
	BootChanged BootDifference = "changed"
	// BootSame: it is a table, defined as before, with another number of rows.
	BootSame BootDifference = "same"
)
