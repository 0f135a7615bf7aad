package state_test

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/livestore-go/livestore/state"
)

// money is stored as cents, and refuses what has none.
type money struct{ euros, cents int64 }

func (m money) Value() (driver.Value, error) {
	if m.cents < 0 || m.cents > 99 {
		return nil, errors.New("cents are 0 to 99")
	}
	return m.euros*100 + m.cents, nil
}

func (m *money) Scan(v any) error {
	n, ok := v.(int64)
	if !ok {
		return fmt.Errorf("%T is no money", v)
	}
	m.euros, m.cents = n/100, n%100
	return nil
}

// loose is stored as whatever it holds.
type loose struct{ v any }

func (l loose) Value() (driver.Value, error) { return l.v, nil }

func (l *loose) Scan(v any) error {
	l.v = v
	return nil
}

// grams is a number that stores itself as text.
type grams float64

func (g *grams) Value() (driver.Value, error) {
	return strconv.FormatFloat(float64(*g), 'f', 3, 64) + " g", nil
}

func (g *grams) Scan(v any) error {
	f, err := strconv.ParseFloat(strings.TrimSuffix(v.(string), " g"), 64)
	*g = grams(f)
	return err
}

type ware struct {
	ID     string         `db:"id,primarykey"`
	Price  money          `db:"price,codec:integer,default:995"`
	Old    *money         `db:"old,codec:integer"`
	Weight grams          `db:"weight,codec:text"`
	Name   sql.NullString `db:"name,codec:text,nullable"`
	Real   loose          `db:"real,codec:real"`
	Blob   loose          `db:"blob,codec:blob"`
}

var wares = state.NewTable[ware]("wares", state.UniqueIndex("price"))

func TestCodecs(t *testing.T) {
	e := open(t, wares)
	want := `CREATE TABLE "wares" ("id" TEXT NOT NULL PRIMARY KEY, "price" INTEGER NOT NULL DEFAULT 995, "old" INTEGER, ` +
		`"weight" TEXT NOT NULL, "name" TEXT, "real" REAL NOT NULL, "blob" BLOB NOT NULL) STRICT`
	if diff := cmp.Diff(want, e.schema.DDL()[0]); diff != "" {
		t.Error(diff)
	}
	r := wares.Row
	rows := []ware{
		{"a", money{1, 50}, &money{2, 0}, 0.25, sql.NullString{String: "apple", Valid: true}, loose{1.5}, loose{[]byte{0, 255}}},
		{"b", money{10, 0}, nil, 2, sql.NullString{}, loose{-0.5}, loose{[]byte("x")}},
	}
	e.do(wares.InsertMany(rows))
	all := cmp.AllowUnexported(money{}, loose{})
	for name, q := range map[string]state.Query[[]ware]{
		"table": wares,
		"order": wares.OrderBy(state.Asc(&r.Price)), // 150 before 1000
		"SQL":   state.SQL[ware]("SELECT * FROM wares ORDER BY id"),
		"in":    wares.Where(state.In(&r.Price, money{1, 50}, money{10, 0})),
		"or": wares.Where(state.Or(state.Eq(&r.Old, new(money{2, 0})), state.Eq(&r.Old, nil)), state.Like(&r.Weight, "% g"),
			state.Gt(&r.Price, money{1, 49})),
	} {
		if diff := cmp.Diff(rows, get(e, q), all); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if got := get(e, wares.Where(state.Eq(&r.Name, sql.NullString{})).First()); got == nil || got.ID != "b" {
		t.Errorf("the ware without a name is %v", got)
	}
	if got := get(e, state.Pluck(wares.Where(state.Lt(&r.Price, money{9, 95})), &r.Price)); !slices.Equal(got, []money{{1, 50}}) {
		t.Errorf("cheap wares cost %v", got)
	}
	if n := get(e, state.Scalar[int]("SELECT count(*) FROM wares WHERE price = ? OR name = ?", money{1, 50}, rows[0].Name)); n != 1 {
		t.Errorf("as an argument it finds %d", n)
	}
	e.do(
		wares.Insert(ware{ID: "c", Real: loose{0.0}, Blob: loose{"text"}}, state.Omit(&r.Price)),
		wares.Update(state.Set(&r.Old, &money{3, 3})).Where(state.Eq(&r.Price, money{9, 95})),
	)
	if got := get(e, wares.Where(state.Eq(&r.ID, "c")).First()); got.Price != (money{9, 95}) || *got.Old != (money{3, 3}) ||
		string(got.Blob.v.([]byte)) != "text" {
		t.Errorf("with the default: %+v", got)
	}
	e.do(state.Exec("UPDATE wares SET weight = 'heavy' WHERE id = 'a'"))
	_, err := tryGet(e, wares)
	if se, ok := errors.AsType[*state.ScanError](err); !ok || se.Column != "weight" || !strings.Contains(err.Error(), `parsing "heavy"`) {
		t.Errorf("what can not be scanned: %v", err)
	}
	type priced struct {
		Price money `db:"price,codec:integer"`
	}
	_, err = tryGet(e, state.SQL[priced]("SELECT 'much' AS price"))
	if want := `column "price" into field Price (state_test.money): "much" is no number`; err == nil || err.Error() != want {
		t.Errorf("error is %v, want %s", err, want)
	}
}

func TestCodecsThatFail(t *testing.T) {
	e := open(t, wares)
	fine := func() ware { return ware{Real: loose{1.0}, Blob: loose{[]byte{}}} }
	for want, change := range map[string]func(*ware){
		`column "price": cents are 0 to 99`:                                      func(w *ware) { w.Price.cents = 100 },
		`column "real": its Value is a int64, the column is tagged codec:real`:   func(w *ware) { w.Real.v = int64(1) },
		`column "real": its Value is a string, the column is tagged codec:real`:  func(w *ware) { w.Real.v = "1" },
		`column "blob": its Value is a float64, the column is tagged codec:blob`: func(w *ware) { w.Blob.v = 1.5 },
		`column "blob": a struct {} can not be bound`:                            func(w *ware) { w.Blob.v = struct{}{} },
		`column "name": text is not valid UTF-8: keep bytes in a []byte`:         func(w *ware) { w.Name = sql.NullString{String: "\xff", Valid: true} },
	} {
		w := fine()
		change(&w)
		err := e.tx().Exec(wares.Insert(w))
		if _, ok := errors.AsType[*state.ValueError](err); !ok || err.Error() != `table "wares": `+want && !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v\nwant %s", err, want)
		}
	}
	w := fine()
	w.Real.v = nil // a Value of nil is NULL, which this column does not take
	if err := e.tx().Exec(wares.Insert(w)); err == nil || !strings.Contains(err.Error(), "NOT NULL") {
		t.Errorf("NULL was taken: %v", err)
	}
	if _, err := wares.Where(state.Eq(&wares.Row.Price, money{0, 100})).Statement(""); err == nil {
		t.Error("compared with what can not be stored")
	}
	_, err := state.Scalar[int]("SELECT ?", money{0, -1}).Statement("")
	if ae, ok := errors.AsType[*state.ArgError](err); !ok || ae.Index != 0 {
		t.Errorf("error is %v", err)
	}
}

func TestCodecsThatCanNotBe(t *testing.T) {
	for want, err := range map[string]error{
		`field A: type state_test.money is a driver.Valuer: say what its values are stored as, with the option codec:text`: bad[struct{ A money }](),
		`field A: option codec:text needs a driver.Valuer and sql.Scanner: give int the methods`: bad[struct {
			A int `db:"a,codec:text"`
		}](),
		`field A: options codec:text and codec:real exclude each other`: bad[struct {
			A money `db:"a,codec:text,codec:real"`
		}](),
		`field A: option "codec:bool" is not known: it is one of`: bad[struct {
			A money `db:"a,codec:bool"`
		}](),
		`field A: default "1e3": strconv.ParseInt`: bad[struct {
			A money `db:"a,codec:integer,default:1e3"`
		}](),
		`field A: default "x": string is no money`: bad[struct {
			A money `db:"a,codec:text,default:x"`
		}](),
		`field A: default now() is computed`: bad[struct {
			A money `db:"a,codec:text,default:now()"`
		}](),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), `schema: table "rows": `+want) {
			t.Errorf("error is %v\nwant %s", err, want)
		}
	}
	if _, err := state.SQL[time.Time]("SELECT ?", loose{day(1)}).Statement(""); err != nil {
		t.Error(err)
	}
}
