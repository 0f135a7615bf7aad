package livestore

import (
	"slices"

	"github.com/livestore-go/livestore/internal/session"
)

type (
	// BootReport says how the opening of a store came to its state: [Store.Boot] returns it. Action is what was done, Took how long that
	// took. A rebuild has Why, and Err when the state file was unusable. Events is how many events the state was derived from by this
	// action: those applied to a state that was there, or all of a rebuild; Resumed is how many of them an interrupted rebuild had
	// applied before. Changes is what differs from the state of another schema, nil when that could not be read. All is about the
	// log as it was found: what was pulled from the sync backend meanwhile, or was in the journals of sessions before, does not count.
	BootReport = session.BootReport
	// BootAction is what was done to have the state when a store was opened.
	BootAction = session.BootAction
	// BootReason is why a state was rebuilt.
	BootReason = session.BootReason
	// BootChange is a table, view or index that is not as it was under the schema before. Type is "table", also for one of full text,
	// "view" or "index", and How says in which way it differs. Before and After are the rows of a table, 0 for what has none of its own:
	// full text, views and indexes.
	BootChange = session.BootChange
	// BootDifference says in which way a part of the state is not as it was.
	BootDifference = session.BootDifference
)

const (
	// BootKept: the state was at the end of the log, and is as it was.
	BootKept = session.BootKept
	// BootBroughtUp: the state was behind the log, or had what the log has no more: events were applied to it, or undone.
	BootBroughtUp = session.BootBroughtUp
	// BootRebuilt: the state was derived anew from the log.
	BootRebuilt = session.BootRebuilt
)

const (
	// BootNoState: there was none, as in a new store, and always with the memory adapter.
	BootNoState = session.BootNoState
	// BootOtherSchema: there was one of another schema.
	BootOtherSchema = session.BootOtherSchema
	// BootUnusable: the one that was there was damaged, of another format, or not to be brought to the log.
	BootUnusable = session.BootUnusable
)

const (
	// BootAdded: it was not there.
	BootAdded = session.BootAdded
	// BootRemoved: it is there no more.
	BootRemoved = session.BootRemoved
	// BootChanged: it is defined by other SQL.
	BootChanged = session.BootChanged
	// BootSame: it is a table, defined as before, with another number of rows.
	BootSame = session.BootSame
)

// Boot says how the state was had when the store was opened. The sessions of a client share one state, which the first of them opens:
// each session returns the report of that opening.
func (s *Store) Boot() BootReport {
	r := s.session.Boot()
	r.Changes = slices.Clone(r.Changes)
	return r
}
