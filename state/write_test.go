package state_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/livestore-go/livestore/internal/sqlite"
	"github.com/livestore-go/livestore/state"
)

type Item struct {
	ID   int    `db:"id,primarykey"`
	Name string `db:"name,unique"`
	N    int    `db:"n,default:7"`
	Note *string
}

var items = state.NewTable[Item]("it\"ems")

func TestWrites(t *testing.T) {
	r := items.Row
	none := (*string)(nil)
	for name, c := range map[string]struct {
		w    state.Write
		sql  string
		args []any
		want []Item // after it, from {1 one 1 nil} {2 two 2 x}
	}{
		"insert": {
			items.Insert(Item{3, "three", 0, nil}), `INSERT INTO "it""ems" ("id", "name", "n", "Note") VALUES (?, ?, ?, ?)`,
			[]any{int64(3), "three", int64(0), nil},
			[]Item{{1, "one", 1, nil}, {2, "two", 2, new("x")}, {3, "three", 0, nil}},
		},
		"insert with defaults": {
			items.Insert(Item{Name: "three"}, state.Omit(&r.N, &r.ID)), `INSERT INTO "it""ems" ("name", "Note") VALUES (?, ?)`,
			[]any{"three", nil},
			[]Item{{1, "one", 1, nil}, {2, "two", 2, new("x")}, {3, "three", 7, nil}},
		},
		"insert many": {
			items.InsertMany([]Item{{3, "c", 3, nil}, {4, "d", 4, nil}}, state.Omit(&r.N), state.Omit(&r.Note)),
			`INSERT INTO "it""ems" ("id", "name") VALUES (?, ?), (?, ?)`,
			[]any{int64(3), "c", int64(4), "d"},
			[]Item{{1, "one", 1, nil}, {2, "two", 2, new("x")}, {3, "c", 7, nil}, {4, "d", 7, nil}},
		},
		"on conflict do nothing": {
			items.Insert(Item{1, "uno", 9, nil}).OnConflict(&r.ID).DoNothing(),
			`INSERT INTO "it""ems" ("id", "name", "n", "Note") VALUES (?, ?, ?, ?) ON CONFLICT ("id") DO NOTHING`,
			[]any{int64(1), "uno", int64(9), nil},
			[]Item{{1, "one", 1, nil}, {2, "two", 2, new("x")}},
		},
		"on any conflict do nothing": {
			items.Insert(Item{3, "two", 9, nil}).OnConflict().DoNothing(),
			`INSERT INTO "it""ems" ("id", "name", "n", "Note") VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING`,
			[]any{int64(3), "two", int64(9), nil},
			[]Item{{1, "one", 1, nil}, {2, "two", 2, new("x")}},
		},
		"on conflict replace": {
			items.Insert(Item{2, "deux", 9, nil}).OnConflict(&r.ID).Replace(),
			`INSERT INTO "it""ems" ("id", "name", "n", "Note") VALUES (?, ?, ?, ?) ON CONFLICT ("id") DO UPDATE SET ` +
				`"name" = excluded."name", "n" = excluded."n", "Note" = excluded."Note"`,
			[]any{int64(2), "deux", int64(9), nil},
			[]Item{{1, "one", 1, nil}, {2, "deux", 9, nil}},
		},
		"on conflict of another column replace": {
			items.Insert(Item{5, "two", 9, nil}, state.Omit(&r.N)).OnConflict(&r.Name).Replace(),
			`INSERT INTO "it""ems" ("id", "name", "Note") VALUES (?, ?, ?) ON CONFLICT ("name") DO UPDATE SET ` +
				`"id" = excluded."id", "n" = excluded."n", "Note" = excluded."Note"`,
			[]any{int64(5), "two", nil},
			[]Item{{1, "one", 1, nil}, {5, "two", 7, nil}},
		},
		"on conflict replace keeps a key that is left out": {
			items.Insert(Item{Name: "two", N: 9}, state.Omit(&r.ID)).OnConflict(&r.Name).Replace(),
			`INSERT INTO "it""ems" ("name", "n", "Note") VALUES (?, ?, ?) ON CONFLICT ("name") DO UPDATE SET ` +
				`"n" = excluded."n", "Note" = excluded."Note"`,
			[]any{"two", int64(9), nil},
			[]Item{{1, "one", 1, nil}, {2, "two", 9, nil}},
		},
		"on conflict update": {
			items.Insert(Item{2, "deux", 9, nil}).OnConflict(&r.ID).
				Update(state.Set(&r.Note, new("y")), state.Excluded(&r.Name), state.SetSQL(&r.N, "n + excluded.n + ?", 100)),
			`INSERT INTO "it""ems" ("id", "name", "n", "Note") VALUES (?, ?, ?, ?) ON CONFLICT ("id") DO UPDATE SET ` +
				`"Note" = ?, "name" = excluded."name", "n" = (n + excluded.n + ?)`,
			[]any{int64(2), "deux", int64(9), nil, "y", int64(100)},
			[]Item{{1, "one", 1, nil}, {2, "deux", 111, new("y")}},
		},
		"upsert a new row": {
			items.Upsert(Item{3, "three", 3, nil}), `INSERT INTO "it""ems" ("id", "name", "n", "Note") VALUES (?, ?, ?, ?) ` +
				`ON CONFLICT ("id") DO UPDATE SET "name" = excluded."name", "n" = excluded."n", "Note" = excluded."Note"`,
			[]any{int64(3), "three", int64(3), nil},
			[]Item{{1, "one", 1, nil}, {2, "two", 2, new("x")}, {3, "three", 3, nil}},
		},
		"upsert an old row": {
			items.Upsert(Item{2, "deux", 3, nil}, state.Omit(&r.N)), `INSERT INTO "it""ems" ("id", "name", "Note") VALUES (?, ?, ?) ` +
				`ON CONFLICT ("id") DO UPDATE SET "name" = excluded."name", "Note" = excluded."Note"`,
			[]any{int64(2), "deux", nil},
			[]Item{{1, "one", 1, nil}, {2, "deux", 2, nil}},
		},
		"update all": {
			items.Update(state.Set(&r.N, 5), state.Set(&r.Note, none)), `UPDATE "it""ems" SET "n" = ?, "Note" = ?`,
			[]any{int64(5), nil},
			[]Item{{1, "one", 5, nil}, {2, "two", 5, nil}},
		},
		"update where": {
			items.Update(state.SetSQL(&r.N, "n * 10")).Where(state.Eq(&r.Name, "two")).Where(state.Gt(&r.N, 1)),
			`UPDATE "it""ems" SET "n" = (n * 10) WHERE "name" = ? AND "n" > ?`,
			[]any{"two", int64(1)},
			[]Item{{1, "one", 1, nil}, {2, "two", 20, new("x")}},
		},
		"delete all": {items.Delete(), `DELETE FROM "it""ems"`, nil, []Item{}},
		"delete where": {
			items.Delete().Where(state.Eq(&r.ID, 1)), `DELETE FROM "it""ems" WHERE "id" = ?`, []any{int64(1)}, []Item{{2, "two", 2, new("x")}},
		},
		"SQL": {
			state.Exec(`UPDATE "it""ems" SET n = n + ? WHERE id = ?`, 1, 1), `UPDATE "it""ems" SET n = n + ? WHERE id = ?`,
			[]any{int64(1), int64(1)},
			[]Item{{1, "one", 2, nil}, {2, "two", 2, new("x")}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := open(t, items)
			e.do(items.Insert(Item{1, "one", 1, nil}), items.Insert(Item{2, "two", 2, new("x")}))
			s, err := c.w.Statement()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(state.Statement{SQL: c.sql, Args: c.args}, s); diff != "" {
				t.Error(diff)
			}
			e.do(c.w)
			if diff := cmp.Diff(c.want, get(e, items.OrderBy(state.Asc(&r.ID)))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestInsertOfDefaultsOnly(t *testing.T) {
	type row struct {
		ID int `db:"id,primarykey"`
		N  int `db:"n,default:3"`
	}
	table := state.NewTable[row]("rows")
	e := open(t, table)
	e.do(table.Insert(row{}, state.Omit(&table.Row.ID, &table.Row.N)))
	if diff := cmp.Diff([]row{{1, 3}}, get(e, table)); diff != "" {
		t.Error(diff)
	}
}

func TestKeysOnly(t *testing.T) {
	type link struct {
		From string `db:"from,primarykey"`
		To   string `db:"to,primarykey"`
	}
	links := state.NewTable[link]("links")
	e := open(t, links)
	for range 2 {
		e.do(links.Upsert(link{"a", "b"}), links.Insert(link{"a", "c"}).OnConflict(&links.Row.To, &links.Row.From).Replace())
	}
	if n := get(e, links.Count()); n != 2 {
		t.Errorf("there are %d links", n)
	}
}

// A composite key is the key of Upsert and OnConflict as a whole.
func TestUpsertsOfCompositeKeys(t *testing.T) {
	tab := slots()
	e := open(t, tab)
	r := tab.Row
	e.do(
		tab.InsertMany([]slot{{Room: "a", Hour: 1, Until: 2}, {Room: "a", Hour: 2, Until: 3}, {Room: "b", Hour: 1, Until: 2}}),
		tab.Upsert(slot{Room: "a", Hour: 2, Until: 9}, state.Omit(&r.Main)),
		tab.InsertMany([]slot{{Room: "b", Hour: 1, Until: 5}, {Room: "b", Hour: 2, Until: 6}}).OnConflict(&r.Room, &r.Hour).
			Update(state.Excluded(&r.Until), state.Set(&r.Main, true)),
	)
	rows, err := state.Read(e.tx(), tab.Upsert(slot{Room: "a", Hour: 1, Until: 4, Guest: new("Ann")}).Returning(&r.Until, &r.Guest))
	if diff := cmp.Diff([]slot{{Until: 4, Guest: new("Ann")}}, rows); diff != "" || err != nil {
		t.Error(diff, err)
	}
	want := []slot{
		{Room: "a", Hour: 1, Until: 4, Guest: new("Ann")},
		{Room: "a", Hour: 2, Until: 9},
		{Room: "b", Hour: 1, Until: 5, Main: true},
		{Room: "b", Hour: 2, Until: 6},
	}
	if diff := cmp.Diff(want, get(e, tab.OrderBy(state.Asc(&r.Room), state.Asc(&r.Hour)))); diff != "" {
		t.Error(diff)
	}
	if err := e.tx().Exec(tab.Insert(slot{Room: "b", Hour: 2})); err == nil || !strings.Contains(err.Error(), "UNIQUE") {
		t.Errorf("the key is there twice: %v", err)
	}
	if err := e.tx().Exec(tab.Insert(slot{Room: "b"}).OnConflict(&r.Room).DoNothing()); err == nil {
		t.Error("half a key was taken as one")
	}
}

func TestReturning(t *testing.T) {
	e := open(t, items)
	r := items.Row
	read := func(q state.Query[[]Item]) []Item {
		t.Helper()
		rows, err := state.Read(e.tx(), q)
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	for i, c := range []struct {
		q    state.Query[[]Item]
		want []Item
	}{
		{items.Insert(Item{Name: "one"}, state.Omit(&r.ID, &r.N)).Returning(&r.ID, &r.N), []Item{{ID: 1, N: 7}}},
		{items.Insert(Item{2, "two", 2, new("x")}).Returning(), []Item{{2, "two", 2, new("x")}}},
		{items.Insert(Item{2, "", 0, nil}).OnConflict().DoNothing().Returning(), []Item{}},
		{items.Update(state.SetSQL(&r.N, "n+1")).Where(state.Eq(&r.ID, 1)).Returning(&r.N), []Item{{N: 8}}},
		{items.Delete().Where(state.Eq(&r.ID, 1)).Returning(&r.Name), []Item{{Name: "one"}}},
	} {
		if diff := cmp.Diff(c.want, read(c.q)); diff != "" {
			t.Errorf("%d: %s", i, diff)
		}
	}
	if rows := get(e, items); len(rows) != 1 {
		t.Errorf("rows are %v", rows)
	}
	_, err := tryGet(e, items.Delete().Returning())
	if _, ok := errors.AsType[*sqlite.DeniedError](err); !ok {
		t.Errorf("a write passed as a read: %v", err)
	}
}

func TestWrongWrites(t *testing.T) {
	r := items.Row
	type keyless struct{ A int }
	noKey := state.NewTable[keyless]("nokey")
	for name, c := range map[string]struct {
		w    state.Write
		want string
	}{
		"omit of a value": {items.Insert(Item{}, state.Omit(r.ID)), `table "it\"ems": int is no field address: write &table.Row.Field`},
		"omit of a copy": {
			items.Insert(Item{}, state.Omit(new(1))), `table "it\"ems": the address, a *int, is none of this table's fields`,
		},
		"omit twice":    {items.Insert(Item{}, state.Omit(&r.ID, &r.ID)), `table "it\"ems": field ID: is named twice`},
		"no rows":       {items.InsertMany(nil), `table "it\"ems": InsertMany has no rows: leave the write out`},
		"too many rows": {items.InsertMany(make([]Item, 10000)), `statement has 40000 values, SQLite takes 32766: split it`},
		"all left out": {
			noKey.InsertMany(make([]keyless, 2), state.Omit(&noKey.Row.A)), `table "nokey": InsertMany leaves every column out`,
		},
		"text": {
			items.Insert(Item{Name: "\xff"}), `table "it\"ems": column "name": text is not valid UTF-8: keep bytes in a []byte`,
		},
		"text of many":         {items.InsertMany([]Item{{}, {Name: "\xff"}}), `table "it\"ems": column "name": text is not valid UTF-8`},
		"upsert without a key": {noKey.Upsert(keyless{}), `table "nokey": Upsert needs a primary key: tag a field primarykey, or use OnConflict`},
		"set nothing":          {items.Update(), `table "it\"ems": an update sets nothing: give it Set(&table.Row.Field, value)`},
		"set twice":            {items.Update(state.Set(&r.N, 1), state.Set(&r.N, 2)), `table "it\"ems": field N: is set twice`},
		"zero assignment":      {items.Update(state.Assignment{}), `table "it\"ems": nil is no field address: write &table.Row.Field`},
		"set a foreign column": {
			items.Update(state.Set(&tasks.Row.Pri, 1)), `table "it\"ems": the address, a *int64, is none of this table's fields`,
		},
		"set wrong text":       {items.Update(state.Set(&r.Name, "\xff")), `table "it\"ems": column "name": text is not valid UTF-8`},
		"set a wrong argument": {items.Update(state.SetSQL(&r.N, "?", struct{}{})), `argument 1 of "?": a struct {} can not be bound`},
		"excluded": {
			items.Update(state.Excluded(&r.N)), `table "it\"ems": field N: Excluded is for OnConflict: an update has no other row`,
		},
		"conflict twice":       {items.Upsert(Item{}).OnConflict().DoNothing(), `table "it\"ems": the insert has a conflict rule already`},
		"conflict of nothing":  {items.Insert(Item{}).OnConflict(nil).DoNothing(), `table "it\"ems": <nil> is no field address`},
		"conflict sets none":   {items.Insert(Item{}).OnConflict().Update(), `table "it\"ems": an update sets nothing`},
		"conflict of an error": {items.Insert(Item{Name: "\xff"}).OnConflict(&r.ID).Replace(), `table "it\"ems": column "name": text is not`},
	} {
		_, err := c.w.Statement()
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: error is %v, want %s", name, err, c.want)
		}
		if err2 := open(t, items).tx().Exec(c.w); !errors.Is(err2, err) {
			t.Errorf("%s: Exec returned %v", name, err2)
		}
	}
	if _, err := items.Insert(Item{}).Returning(&tasks.Row.Pri).Statement(""); err == nil {
		t.Error("returned what is no column")
	}
}

func TestValuesThatNoColumnHolds(t *testing.T) {
	type row struct {
		F   float64  `db:"f"`
		G   *float32 `db:"g"`
		U   uint64   `db:"u"`
		J   any      `db:"j,json,nullable"`
		B   []byte   `db:"b,text"`
		Raw version  `db:"raw"`
	}
	table := state.NewTable[row]("rows")
	for name, c := range map[string]struct {
		row  row
		col  string
		want error
	}{
		"NaN":            {row{F: math.NaN()}, "f", state.ErrNaN},
		"pointer to NaN": {row{G: new(float32(math.NaN()))}, "g", state.ErrNaN},
		"uint64":         {row{U: 1 << 63}, "u", state.ErrRange},
		"json":           {row{J: func() {}}, "j", nil},
		"json text":      {row{J: []string{"\xff"}}, "j", state.ErrInvalidUTF8},
		"bytes as text":  {row{B: []byte{0xff}}, "b", state.ErrInvalidUTF8},
	} {
		_, err := table.Insert(c.row).Statement()
		ve, ok := errors.AsType[*state.ValueError](err)
		if !ok || ve.Table != "rows" || ve.Column != c.col || (c.want != nil && !errors.Is(err, c.want)) {
			t.Errorf("%s: error is %v", name, err)
		}
	}
}
