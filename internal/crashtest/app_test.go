package crashtest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/state"
)

// The app of these tests. Its state depends on the order of events and on how often each comes, so that an event that is lost, doubled
// or moved shows in the state of all that follow.

// Fact is the arguments of its events.
type Fact struct {
	ID  string `json:"id"`  // a label
	Pad string `json:"pad"` // so that events differ in size
}

// Claim is an event that only one of two can have: it does not apply when the key is taken.
type Claim struct {
	ID  string `json:"id"`
	Key string `json:"key"`
}

// UI is a client document.
type UI struct {
	ID string `json:"id"`
}

var (
	added   = event.Synced[Fact]("v1.Added")
	claimed = event.Synced[Claim]("v1.Claimed")
	noted   = event.ClientOnly[Fact]("v1.Noted")
)

// Entry is a row for each Added.
type Entry struct {
	ID    string `db:"id,primarykey"`
	Place int    `db:"place"`
	Prev  string `db:"prev"` // the entry before
	Pad   string `db:"pad"`
}

// Total is the one row that all Added change.
type Total struct {
	ID   int    `db:"id,primarykey"`
	N    int    `db:"n"`
	Last string `db:"last"`
}

// Claimed is a row for each Claimed.
type Claimed struct {
	Key   string `db:"key,primarykey"`
	ID    string `db:"id"`
	Place int    `db:"place"`
}

// Note is a row for each Noted, derived from client-only events.
type Note struct {
	ID   string `db:"id,primarykey"`
	Prev string `db:"prev"`
}

var (
	entries = state.NewTable[Entry]("entries", state.Index("place"))
	totals  = state.NewTable[Total]("totals")
	claims  = state.NewTable[Claimed]("claims")
	notes   = state.NewTable[Note]("notes", state.ClientOnly())
	last    = state.NewTable[Total]("lastNote", state.ClientOnly())
	ui      = state.NewDocument("ui", UI{})
)

var errTaken = errors.New("the key is taken")

// schemaAt returns the schema of version n. All versions derive the same from the same events; each lies in a file of its own.
func schemaAt(n int) *state.Schema {
	schemas.Lock()
	defer schemas.Unlock()
	if schemas.all[n] == nil {
		schemas.all[n] = makeSchema(n)
	}
	return schemas.all[n]
}

var schemas = struct {
	sync.Mutex

	all map[int]*state.Schema
}{all: map[int]*state.Schema{}}

func makeSchema(n int) *state.Schema {
	parts := []state.Part{
		entries, totals, claims, notes, last, ui,
		state.DDL(
			`CREATE VIRTUAL TABLE search USING fts5(pad, content='entries')`,
			`CREATE TRIGGER search_insert AFTER INSERT ON entries BEGIN
				INSERT INTO search(rowid, pad) VALUES (new.rowid, new.pad);
			END`),
		state.On(added, func(tx *state.Tx, e Fact) error {
			t, err := next(tx, totals, e.ID)
			if err != nil {
				return err
			}
			return tx.Exec(entries.Insert(Entry{ID: e.ID, Place: t.N + 1, Prev: t.Last, Pad: e.Pad}))
		}),
		state.On(claimed, func(tx *state.Tx, e Claim) error {
			have, err := state.Read(tx, claims.Where(state.Eq(&claims.Row.Key, e.Key)).First())
			if err != nil {
				return err
			}
			if have != nil {
				return errTaken
			}
			t, err := next(tx, totals, e.ID)
			if err != nil {
				return err
			}
			return tx.Exec(claims.Insert(Claimed{Key: e.Key, ID: e.ID, Place: t.N + 1}))
		}),
		state.On(noted, func(tx *state.Tx, e Fact) error {
			t, err := next(tx, last, e.ID)
			if err != nil {
				return err
			}
			return tx.Exec(notes.Insert(Note{ID: e.ID, Prev: t.Last}))
		}),
	}
	if n > 0 {
		parts = append(parts, state.DDL(`CREATE INDEX version_`+strconv.Itoa(n)+` ON entries (prev)`))
	}
	return state.MustSchema(parts...)
}

// next counts an event in the one row of a table, and returns that row as it was before.
func next(tx *state.Tx, table *state.Table[Total], id string) (Total, error) {
	var t Total
	row, err := state.Read(tx, table.First())
	if err != nil {
		return t, err
	}
	if row != nil {
		t = *row
	}
	return t, tx.Exec(table.Upsert(Total{ID: 1, N: t.N + 1, Last: id}))
}

// label names an event for ever, whatever numbers and identities it gets: who committed it and what it is part of.
type label struct {
	run, session  int // who; the runs of a directory are counted
	commit        int // of that session in that run, counted from 0
	index, events int // of the commit
	claim         bool
}

// keys is how many there are to claim.
const keys = 40

func (l label) String() string {
	text := fmt.Sprintf("r%d.s%d.c%d.%d/%d", l.run, l.session, l.commit, l.index, l.events)
	if l.claim {
		text += "!"
	}
	return text
}

// commit sizes, in events.
var sizes = []int{1, 1, 1, 1, 1, 1, 3, 3, 3, 50, 400}

// draft makes the event with a label. Its kind follows from the label, so that all kinds mix in long commits.
func (l label) draft() event.Draft {
	id := l.String()
	pad := strings.Repeat("pad ", (l.commit*7+l.index)%40)
	if l.claim {
		return claimed.New(Claim{ID: id, Key: strconv.Itoa(l.commit % keys)})
	}
	switch (l.commit + l.index) % 5 {
	case 3:
		return noted.New(Fact{ID: id, Pad: pad})
	case 4:
		return ui.Set(state.SessionID, UI{ID: id})
	}
	return added.New(Fact{ID: id, Pad: pad})
}

// drafts makes the events of a commit.
func (l label) drafts() []event.Draft {
	all := make([]event.Draft, l.events)
	for i := range all {
		l.index = i
		all[i] = l.draft()
	}
	return all
}

// labelOf reads the label of an event back.
func labelOf(e event.Client) (l label, err error) {
	var args struct {
		ID    string `json:"id"`
		Value struct {
			ID string `json:"id"`
		} `json:"value"`
	}
	if err := json.Unmarshal(e.Args, &args); err != nil {
		return l, err
	}
	text := args.ID
	if e.Name == "uiSet" {
		text = args.Value.ID
	}
	if l, err = parseLabel(text); err != nil {
		return l, fmt.Errorf("event %s: %w", e.Num, err)
	}
	return l, nil
}

func parseLabel(text string) (l label, err error) {
	if _, err = fmt.Sscanf(text, "r%d.s%d.c%d.%d/%d", &l.run, &l.session, &l.commit, &l.index, &l.events); err != nil {
		return l, fmt.Errorf("label %q: %w", text, err)
	}
	l.claim = strings.HasSuffix(text, "!")
	return l, nil
}

// scopeOf returns the scope of an event of this app.
func scopeOf(name string) event.Scope {
	if name == noted.Definition().Name() || name == "uiSet" {
		return event.ScopeClientOnly
	}
	return event.ScopeSynced
}
