package state_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/livestore-go/livestore/state"
)

type slot struct {
	Room  string  `db:"room,primarykey"`
	Hour  int     `db:"hour,primarykey"`
	Until int     `db:"until"`
	Guest *string `db:"guest"`
	Main  bool    `db:"main,default:false"`
}

func slots(opts ...state.TableOption) *state.Table[slot] {
	return state.NewTable[slot]("slots", opts...)
}

func TestChecks(t *testing.T) {
	tab := slots(state.Check("hour < until -- an hour at least"), state.Check(`length("guest") > 0 AND guest NOT LIKE '%;?--%'`))
	e := open(t, tab)
	want := `, PRIMARY KEY ("room", "hour"), CHECK (hour < until -- an hour at least` + "\n" +
		`), CHECK (length("guest") > 0 AND guest NOT LIKE '%;?--%'` + "\n" + `)) STRICT`
	if sql := e.schema.DDL()[0]; !strings.HasSuffix(sql, want) {
		t.Errorf("the table is %s", sql)
	}
	e.do(tab.Insert(slot{Room: "a", Hour: 1, Until: 2}), tab.Insert(slot{Room: "a", Hour: 2, Until: 3, Guest: new("Ann")}))
	for _, bad := range []slot{{Room: "b", Hour: 3, Until: 3}, {Room: "b", Hour: 3, Until: 4, Guest: new("")}} {
		if err := e.tx().Exec(tab.Insert(bad)); err == nil || !strings.Contains(err.Error(), "CHECK constraint failed") {
			t.Errorf("%v was taken: %v", bad, err)
		}
	}
	if err := e.tx().Exec(tab.Update(state.SetSQL(&tab.Row.Until, "hour"))); err == nil {
		t.Error("an update broke the check")
	}
	if n := get(e, tab.Count()); n != 2 {
		t.Errorf("%d rows", n)
	}
}

func TestPartialIndexes(t *testing.T) {
	tab := slots(state.UniqueIndex("room").Where("main"), state.Index("guest", "hour").Where("guest IS NOT NULL"))
	e := open(t, tab)
	if diff := cmp.Diff([]string{
		`CREATE UNIQUE INDEX "slots_room_uidx" ON "slots" ("room") WHERE main`,
		`CREATE INDEX "slots_guest_hour_idx" ON "slots" ("guest", "hour") WHERE guest IS NOT NULL`,
	}, e.schema.DDL()[1:]); diff != "" {
		t.Error(diff)
	}
	e.do(tab.Insert(slot{Room: "a", Hour: 1}), tab.Insert(slot{Room: "a", Hour: 2}), tab.Insert(slot{Room: "a", Hour: 3, Main: true}))
	if err := e.tx().Exec(tab.Insert(slot{Room: "a", Hour: 4, Main: true})); err == nil || !strings.Contains(err.Error(), "UNIQUE") {
		t.Errorf("two main slots of a room: %v", err)
	}
	type step struct {
		ID, Parent, NotUsed int
		Detail              string `db:"detail"`
	}
	plan := func(c state.Condition) string {
		s, err := tab.Where(c).Statement("")
		if err != nil {
			t.Fatal(err)
		}
		steps := get(e, state.SQL[step]("EXPLAIN QUERY PLAN "+s.SQL, s.Args...))
		return steps[0].Detail
	}
	if got := plan(state.Eq(&tab.Row.Guest, new("Ann"))); !strings.Contains(got, "slots_guest_hour_idx") {
		t.Errorf("the index is not used: %s", got)
	}
}

func TestExpressionsThatCanNotBe(t *testing.T) {
	for sql, want := range map[string]string{
		" ":                           "the expression is empty",
		"-- nothing":                  "the expression is empty",
		"hour > ?":                    "? is no part of an expression",
		"1); DROP TABLE slots; --":    "of 1); DROP TABLE slots; -- do not match",
		"hour; 1":                     "; is no part",
		"(hour":                       "the parentheses of (hour do not match",
		"hour) OR (1":                 "the parentheses of hour) OR (1 do not match",
		"hour IN (SELECT 1)":          "a subquery is refused: the expression sees one row",
		"guest < CURRENT_DATE":        "CURRENT_DATE is refused: state may depend on events only",
		"hour < strftime('%H','now')": "strftime() is refused",
		"guest = 'x":                  "a quote ' does not end",
	} {
		for option, o := range map[string]state.TableOption{
			"Check: ": state.Check(sql), "Index: Where: ": state.Index("hour").Where(sql), "UniqueIndex: Where: ": state.UniqueIndex("hour").Where(sql),
		} {
			_, err := state.NewSchema(slots(o))
			if err == nil || !strings.HasPrefix(err.Error(), `schema: table "slots": option `+option) || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: error is %v\nwant %s", sql, err, want)
			}
		}
	}
	for sql, want := range map[string]string{ // what only the database sees
		"sin(hour) > 0": "sin", "nope > 0": "no such column", `"nope" > 0`: "no such column", "hour >": "syntax",
	} {
		e := open(t)
		var err error
		for _, ddl := range state.MustSchema(slots(state.Check(sql))).DDL() {
			err = e.conn.Define(ddl)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error is %v, want %s", sql, err, want)
		}
	}
}

type house struct {
	ID   string `db:"id,primarykey"`
	Code string `db:"code,unique"`
}

type guest struct {
	ID    string  `db:"id,primarykey"`
	House *string `db:"house,default:'h0'"`
}

func TestForeignKeyActions(t *testing.T) {
	houses := state.NewTable[house]("houses")
	ids := func(g guest) string {
		if g.House == nil {
			return "NULL"
		}
		return *g.House
	}
	remove, rename := state.Write(houses.Delete().Where(state.Eq(&houses.Row.ID, "h1"))),
		state.Write(houses.Update(state.Set(&houses.Row.ID, "h2")).Where(state.Eq(&houses.Row.ID, "h1")))
	for name, c := range map[string]struct {
		write   state.Write
		actions []state.ForeignKeyAction
		want    string // house of the guest afterwards, "gone", or "refused"
	}{
		"delete":             {remove, nil, "refused"},
		"delete restrict":    {remove, []state.ForeignKeyAction{state.OnDeleteRestrict, state.OnUpdateCascade}, "refused"},
		"delete cascade":     {remove, []state.ForeignKeyAction{state.OnDeleteCascade}, "gone"},
		"delete set null":    {remove, []state.ForeignKeyAction{state.OnDeleteSetNull}, "NULL"},
		"delete set default": {remove, []state.ForeignKeyAction{state.OnDeleteSetDefault}, "h0"},
		"update":             {rename, []state.ForeignKeyAction{state.OnDeleteCascade}, "refused"},
		"update restrict":    {rename, []state.ForeignKeyAction{state.OnUpdateRestrict}, "refused"},
		"update cascade":     {rename, []state.ForeignKeyAction{state.OnUpdateCascade, state.OnDeleteRestrict}, "h2"},
		"update set null":    {rename, []state.ForeignKeyAction{state.OnUpdateSetNull}, "NULL"},
		"update set default": {rename, []state.ForeignKeyAction{state.OnUpdateSetDefault}, "h0"},
	} {
		guests := state.NewTable[guest]("guests", state.ForeignKey("house", "houses", "id", c.actions...))
		e := open(t, houses, guests)
		e.do(houses.Insert(house{"h0", "0"}), houses.Insert(house{"h1", "1"}), guests.Insert(guest{"g", new("h1")}))
		got := "refused"
		if err := e.tx().Exec(c.write); err == nil {
			got = "gone"
			if g := get(e, guests.First()); g != nil {
				got = ids(*g)
			}
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestForeignKeysThatCanNotBe(t *testing.T) {
	houses := state.NewTable[house]("houses", state.UniqueIndex("code", "id"))
	type plain struct {
		ID    string `db:"id,primarykey"`
		House string `db:"house"`
	}
	partly := state.NewTable[plain]("partly", state.UniqueIndex("house").Where("house > ''"))
	for want, fk := range map[string]state.TableOption{
		`ON DELETE SET DEFAULT on column "house", which has no default`: state.ForeignKey("house", "houses", "id", state.OnDeleteSetDefault),
		`it has two actions ON UPDATE`: state.ForeignKey("house", "houses", "id", state.OnUpdateCascade, state.OnDeleteCascade,
			state.OnUpdateRestrict),
		`column "house" of table "partly" is neither its primary key nor unique`: state.ForeignKey("house", "partly", "house"),
	} {
		_, err := state.NewSchema(houses, partly, state.NewTable[plain]("plain", fk))
		if err == nil || !strings.HasPrefix(err.Error(), `schema: table "plain": option ForeignKey: `+want) {
			t.Errorf("error is %v\nwant %s", err, want)
		}
	}
}
