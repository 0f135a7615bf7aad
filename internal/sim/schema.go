package sim

import (
	"fmt"
	"slices"
	"strings"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/state"
)

// Every event but a document's carries the tag of the commit it was made in and how many such events that has, and leaves a row in a
// table of parts. So a state shows by itself whether each commit is there as a whole, and once.

// part says of which commit an event is.
type part struct {
	Tag string `json:"tag"`
	Idx int    `json:"idx"`
	Of  int    `json:"of"`
}

type itemArgs struct {
	part
	ID   string `json:"id"`
	Name string `json:"name"`
	Qty  int    `json:"qty"`
}

type noteArgs struct {
	part
	ID   string `json:"id"`
	Item string `json:"item"`
	Text string `json:"text"`
}

// labelArgs are those of an event that only newer apps know. Such events have parts of their own, and say how many of the others there are
// in their commit.
type labelArgs struct {
	part
	Old   int    `json:"old"`
	Item  string `json:"item"`
	Label string `json:"label"`
}

type prefs struct {
	Filter string `json:"filter"`
	Seen   int    `json:"seen"`
}

var (
	itemAdded   = event.Synced[itemArgs]("v1.ItemAdded")      // fails when the id or the name is taken
	itemRenamed = event.Synced[itemArgs]("v1.ItemRenamed")    // fails when the name is taken
	itemCounted = event.Synced[itemArgs]("v1.ItemCounted")    // adds to a quantity; always applies
	itemRemoved = event.Synced[itemArgs]("v1.ItemRemoved")    // takes notes with it; always applies
	noteAdded   = event.Synced[noteArgs]("v1.NoteAdded")      // fails when the item is not there
	pinSet      = event.ClientOnly[noteArgs]("v1.PinSet")     // fails when another item is pinned with that text
	itemStarred = event.ClientOnly[noteArgs]("v1.Starred")    // fails when the item is not there, which is synced state
	itemLabeled = event.Synced[labelArgs]("v2.ItemLabeled")   // fails when the item is not there, or the label is taken
	document    = state.NewDocument("prefs", prefs{"all", 0}) // of a session or by id; always applies
)

var tables = []string{
	`CREATE TABLE parts (tag TEXT NOT NULL, idx INTEGER NOT NULL, total INTEGER NOT NULL, global INTEGER NOT NULL)`,
	`CREATE TABLE items (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, qty INTEGER NOT NULL) WITHOUT ROWID`,
	`CREATE TABLE notes (key INTEGER PRIMARY KEY, item TEXT NOT NULL REFERENCES items (id) ON DELETE CASCADE, text TEXT NOT NULL)`,
	`CREATE TABLE totals (one INTEGER PRIMARY KEY, items INTEGER NOT NULL, qty INTEGER NOT NULL, notes INTEGER NOT NULL)`,
	`CREATE TRIGGER item_added AFTER INSERT ON items BEGIN
		INSERT INTO totals VALUES (1, 1, new.qty, 0) ON CONFLICT (one) DO UPDATE SET items = items + 1, qty = qty + new.qty;
	END`,
	`CREATE TRIGGER item_counted AFTER UPDATE OF qty ON items BEGIN
		UPDATE totals SET qty = qty + new.qty - old.qty;
	END`,
	`CREATE TRIGGER item_removed AFTER DELETE ON items BEGIN
		UPDATE totals SET items = items - 1, qty = qty - old.qty;
	END`,
	`CREATE TRIGGER note_added AFTER INSERT ON notes BEGIN UPDATE totals SET notes = notes + 1; END`,
	`CREATE TRIGGER note_removed AFTER DELETE ON notes BEGIN UPDATE totals SET notes = notes - 1; END`,
}

var fullText = []string{
	`CREATE VIRTUAL TABLE search USING fts5(text, content='notes', content_rowid='key')`,
	`CREATE TRIGGER search_added AFTER INSERT ON notes BEGIN INSERT INTO search(rowid, text) VALUES (new.key, new.text); END`,
	`CREATE TRIGGER search_removed AFTER DELETE ON notes BEGIN
		INSERT INTO search(search, rowid, text) VALUES ('delete', old.key, old.text);
	END`,
}

var clientTables = []string{
	`CREATE TABLE client_parts (tag TEXT NOT NULL, idx INTEGER NOT NULL, total INTEGER NOT NULL)`,
	`CREATE TABLE pins (item TEXT PRIMARY KEY, text TEXT NOT NULL UNIQUE)`,
}

// labels are the tables of what only newer apps know.
var labels = []string{
	`CREATE TABLE label_parts (
		tag TEXT NOT NULL, idx INTEGER NOT NULL, total INTEGER NOT NULL, old INTEGER NOT NULL, global INTEGER NOT NULL)`,
	`CREATE TABLE labels (key INTEGER PRIMARY KEY, item TEXT NOT NULL REFERENCES items (id) ON DELETE CASCADE, label TEXT NOT NULL UNIQUE)`,
}

// narrowLabels are the same with a mistake: there are labels that do not fit.
var narrowLabels = []string{labels[0], strings.Replace(labels[1], "UNIQUE", "UNIQUE CHECK (label <> '"+badLabel+"')", 1)}

const badLabel = "bad"

// The versions of the app. Each derives other tables from the same events; the first two are all there is in a world of one client.
const (
	first    = iota
	searched // has a full-text index
	narrow   // knows labels, and fails on some
	newest
)

var schemas = []*state.Schema{newSchema(first, nil), newSchema(searched, nil), newSchema(narrow, nil), newSchema(newest, nil)}

// newSchema makes the schema of a version, with a policy for events that it does not know.
func newSchema(version int, unknown state.UnknownPolicy) *state.Schema {
	var more []string
	parts := []state.Part{state.Version(fmt.Sprint(version + 1))}
	if hasSearch(version) {
		more = append(more, fullText...)
	}
	if unknown != nil {
		parts = append(parts, state.UnknownEvents(unknown))
	}
	switch version {
	case narrow:
		more = append(more, narrowLabels...)
	case newest:
		more = append(more, labels...)
	}
	if knowsLabels(version) {
		parts = append(parts, state.On(itemLabeled, func(tx *state.Tx, a labelArgs) error {
			err := tx.Exec(state.Exec(`INSERT INTO label_parts VALUES (?, ?, ?, ?, ?)`, a.Tag, a.Idx, a.Of, a.Old, tx.Event().Num.Global))
			if err != nil {
				return err
			}
			return tx.Exec(state.Exec(`INSERT INTO labels (item, label) VALUES (?, ?)`, a.Item, a.Label))
		}))
	}
	return state.MustSchema(append(parts, common(more)...)...)
}

func hasSearch(version int) bool { return version == searched || version == newest }

func knowsLabels(version int) bool { return version >= narrow }

// common are the parts of every version.
func common(more []string) []state.Part {
	return []state.Part{
		state.DDL(slices.Concat(tables, more)...),
		state.DDL(clientTables...).ClientOnly(),
		document,
		state.On(itemAdded, func(tx *state.Tx, a itemArgs) error {
			return run(tx, a.part, `INSERT INTO items VALUES (?, ?, ?)`, a.ID, a.Name, a.Qty)
		}),
		state.On(itemRenamed, func(tx *state.Tx, a itemArgs) error {
			return run(tx, a.part, `UPDATE items SET name = ? WHERE id = ?`, a.Name, a.ID)
		}),
		state.On(itemCounted, func(tx *state.Tx, a itemArgs) error {
			return run(tx, a.part, `UPDATE items SET qty = qty + ? WHERE id = ?`, a.Qty, a.ID)
		}),
		state.On(itemRemoved, func(tx *state.Tx, a itemArgs) error {
			return run(tx, a.part, `DELETE FROM items WHERE id = ?`, a.ID)
		}),
		state.On(noteAdded, func(tx *state.Tx, a noteArgs) error {
			return run(tx, a.part, `INSERT INTO notes (item, text) VALUES (?, ?)`, a.Item, a.Text)
		}),
		state.On(pinSet, func(tx *state.Tx, a noteArgs) error {
			return run(tx, a.part, `INSERT INTO pins VALUES (?, ?) ON CONFLICT (item) DO UPDATE SET text = excluded.text`, a.Item, a.Text)
		}),
		state.On(itemStarred, func(tx *state.Tx, a noteArgs) error {
			n, err := state.Read(tx, state.Scalar[int](`SELECT count(*) FROM items WHERE id = ?`, a.Item))
			if err == nil && n == 0 {
				err = fmt.Errorf("there is no item %s", a.Item)
			}
			if err != nil {
				return err
			}
			return run(tx, a.part, `DELETE FROM pins WHERE item = ?`, a.Item)
		}),
	}
}

// run notes the part and runs one write, in an order that leaves something to be undone when the write fails.
func run(tx *state.Tx, p part, sql string, args ...any) error {
	var err error
	if e := tx.Event(); e.Num.IsClientOnly() {
		err = tx.Exec(state.Exec(`INSERT INTO client_parts VALUES (?, ?, ?)`, p.Tag, p.Idx, p.Of))
	} else {
		err = tx.Exec(state.Exec(`INSERT INTO parts VALUES (?, ?, ?, ?)`, p.Tag, p.Idx, p.Of, e.Num.Global))
	}
	if err != nil {
		return err
	}
	return tx.Exec(state.Exec(sql, args...))
}

// What a watcher asks: both are to be empty.
const (
	tornCommits = `SELECT tag FROM (SELECT tag, idx, total FROM parts UNION ALL SELECT tag, idx, total FROM client_parts)
		GROUP BY tag HAVING count(*) <> max(total) OR count(DISTINCT idx) <> max(total)`
	tornLabels = `SELECT tag FROM label_parts GROUP BY tag HAVING count(*) <> max(total) OR count(DISTINCT idx) <> max(total)
		UNION SELECT tag FROM label_parts AS l WHERE old <> (SELECT count(*) FROM parts AS p WHERE p.tag = l.tag)
			+ (SELECT count(*) FROM client_parts AS c WHERE c.tag = l.tag)`
	wrongTotals = `SELECT 'totals' FROM totals WHERE (items, qty, notes) IS NOT
		((SELECT count(*) FROM items), (SELECT coalesce(sum(qty), 0) FROM items), (SELECT count(*) FROM notes))`
)

// dumps are the reads whose rows are all of a state: what synced events derive, then what is the client's alone.
var (
	syncedDump = []string{
		`SELECT rowid, tag, idx, total, global FROM parts ORDER BY rowid`,
		`SELECT id, name, qty FROM items ORDER BY id`,
		`SELECT key, item, text FROM notes ORDER BY key`,
		`SELECT one, items, qty, notes FROM totals`,
	}
	labelDump = []string{
		`SELECT rowid, tag, idx, total, old, global FROM label_parts ORDER BY rowid`,
		`SELECT key, item, label FROM labels ORDER BY key`,
	}
	searchDump = `SELECT rowid FROM search WHERE search MATCH 'w0 OR w1 OR w2' ORDER BY rowid`
	clientDump = []string{
		`SELECT rowid, tag, idx, total FROM client_parts ORDER BY rowid`,
		`SELECT rowid, item, text FROM pins ORDER BY rowid`,
		`SELECT id, value FROM prefs ORDER BY id`,
	}
)
