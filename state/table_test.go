package state_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/livestore-go/livestore/internal/sqlite"
	"github.com/livestore-go/livestore/state"
)

// level is a number that writes itself as text, as slog.Level does.
type level int

func (l level) MarshalText() ([]byte, error) {
	return []byte(map[level]string{0: "low", 1: "high"}[l]), nil
}

func (l *level) UnmarshalText(b []byte) error {
	switch string(b) {
	case "low":
		*l = 0
	case "high":
		*l = 1
	default:
		return errors.New("is neither low nor high")
	}
	return nil
}

type Base struct {
	ID string `db:"id,primarykey"`
}

type audit struct{ Author *string }

type named []byte

// every has a field of every kind.
type every struct {
	Base
	audit
	Plain   string
	Blobs   string `db:"blobs,blob"`
	Bool    bool
	BoolT   bool `db:"boolT,text"`
	BoolP   *bool
	Int     int
	Int8    int8
	Int16   int16
	Int32   int32
	Int64   int64
	IntT    int64 `db:"intT,text"`
	Uint    uint
	Uint8   uint8
	Uint16  uint16
	Uint32  uint32
	Uint64  uint64 `db:"uint64,text"`
	UintP   *uint64
	F32     float32
	F64     float64
	F64P    *float64
	Bytes   []byte
	BytesN  []byte `db:"bytesN,nullable"`
	BytesT  []byte `db:"bytesT,text"`
	BytesP  *[]byte
	Named   named
	Time    time.Time
	TimeI   time.Time `db:"timeI,datetimeinteger"`
	TimeT   time.Time `db:"timeT,text"`
	TimeP   *time.Time
	TimeN   time.Time `db:"timeN,nullable"`
	Dur     time.Duration
	Level   level
	LevelI  level `db:"levelI,integer"`
	LevelP  *level
	Version version
	Raw     jsontext.Value
	RawN    json.RawMessage   `db:"rawN,nullable"`
	JSON    map[string][]int  `db:"json,json"`
	JSONP   *struct{ A int }  `db:"jsonP,json"`
	JSONN   []string          `db:"jsonN,json,nullable"`
	JSONA   any               `db:"jsonA,json,nullable"`
	JSONS   struct{ B *bool } `db:"jsonS,json"`
	hidden  int
	Ignored chan int `db:"-"`
}

var everything = state.NewTable[every]("everything")

func TestColumnsOfEveryKind(t *testing.T) {
	s := state.MustSchema(everything)
	want := `CREATE TABLE "everything" ("id" TEXT NOT NULL PRIMARY KEY, "Author" TEXT, "Plain" TEXT NOT NULL, "blobs" BLOB NOT NULL, ` +
		`"Bool" INTEGER NOT NULL CHECK ("Bool" IN (0, 1)), "boolT" TEXT NOT NULL CHECK ("boolT" IN ('false', 'true')), ` +
		`"BoolP" INTEGER CHECK ("BoolP" IN (0, 1)), "Int" INTEGER NOT NULL, "Int8" INTEGER NOT NULL, ` +
		`"Int16" INTEGER NOT NULL, "Int32" INTEGER NOT NULL, "Int64" INTEGER NOT NULL, "intT" TEXT NOT NULL, "Uint" INTEGER NOT NULL, ` +
		`"Uint8" INTEGER NOT NULL, "Uint16" INTEGER NOT NULL, "Uint32" INTEGER NOT NULL, "uint64" TEXT NOT NULL, "UintP" INTEGER, ` +
		`"F32" REAL NOT NULL, "F64" REAL NOT NULL, "F64P" REAL, "Bytes" BLOB NOT NULL, "bytesN" BLOB, "bytesT" TEXT NOT NULL, ` +
		`"BytesP" BLOB, "Named" BLOB NOT NULL, "Time" TEXT NOT NULL, "timeI" INTEGER NOT NULL, "timeT" TEXT NOT NULL, "TimeP" TEXT, ` +
		`"timeN" TEXT, "Dur" INTEGER NOT NULL, "Level" TEXT NOT NULL, "levelI" INTEGER NOT NULL, "LevelP" TEXT, "Version" TEXT NOT NULL, ` +
		`"Raw" TEXT NOT NULL CHECK (json_valid("Raw")), "rawN" TEXT CHECK (json_valid("rawN")), ` +
		`"json" TEXT NOT NULL CHECK (json_valid("json")), "jsonP" TEXT CHECK (json_valid("jsonP")), ` +
		`"jsonN" TEXT CHECK (json_valid("jsonN")), "jsonA" TEXT CHECK (json_valid("jsonA")), ` +
		`"jsonS" TEXT NOT NULL CHECK (json_valid("jsonS"))) STRICT`
	if diff := cmp.Diff([]string{want}, s.DDL()); diff != "" {
		t.Error(diff)
	}
}

// same compares rows as the database can tell them apart: nil and empty bytes of a column that is not nullable are one, as are zeros
// of both signs.
func same(a, b any) bool {
	return cmp.Equal(a, b, cmp.AllowUnexported(every{}, audit{}), cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) }),
		cmp.FilterPath(func(p cmp.Path) bool {
			name := p.Last().String()
			return name == ".Bytes" || name == ".BytesT" || name == ".Named" || name == ".JSON"
		}, cmp.Comparer(func(a, b any) bool {
			va, vb := reflect.ValueOf(a), reflect.ValueOf(b)
			return va.Len() == 0 && vb.Len() == 0 || reflect.DeepEqual(a, b)
		})))
}

func TestEveryRowComesBack(t *testing.T) {
	e := open(t, everything)
	pointer := func(t *rapid.T, label string, v any) bool { return rapid.Bool().Draw(t, label+" is there") }
	rapid.Check(t, func(t *rapid.T) {
		ms := func(label string) time.Time {
			const to = int64(253402300799999 - 86400000) // the year 9999, in any zone
			return time.UnixMilli(rapid.Int64Range(-62167219200000, to).Draw(t, label)).In(time.FixedZone("", 3600))
		}
		text := func(label string) string { return rapid.String().Draw(t, label) }
		bytes := func(label string) []byte { return rapid.SliceOf(rapid.Byte()).Draw(t, label) }
		r := every{
			Base: Base{ID: text("id")}, Plain: text("plain"), Blobs: string(bytes("blobs")), Bool: rapid.Bool().Draw(t, "bool"),
			BoolT: rapid.Bool().Draw(t, "boolT"), Int: rapid.Int().Draw(t, "int"), Int8: rapid.Int8().Draw(t, "int8"),
			Int16: rapid.Int16().Draw(t, "int16"), Int32: rapid.Int32().Draw(t, "int32"), Int64: rapid.Int64().Draw(t, "int64"),
			IntT: rapid.Int64().Draw(t, "intT"), Uint: uint(rapid.Uint32().Draw(t, "uint")), Uint8: rapid.Uint8().Draw(t, "uint8"),
			Uint16: rapid.Uint16().Draw(t, "uint16"), Uint32: rapid.Uint32().Draw(t, "uint32"), Uint64: rapid.Uint64().Draw(t, "uint64"),
			F32: rapid.Float32().Draw(t, "f32"), F64: rapid.Float64().Draw(t, "f64"),
			Bytes: bytes("bytes"), BytesN: bytes("bytesN"), BytesT: []byte(text("bytesT")), Named: bytes("named"),
			Time: ms("time"), TimeI: ms("timeI"), TimeT: ms("timeT").Add(123456 * time.Nanosecond), TimeN: ms("timeN"),
			Dur: time.Duration(rapid.Int64().Draw(t, "dur")), Level: level(rapid.IntRange(0, 1).Draw(t, "level")),
			LevelI: level(rapid.Int().Draw(t, "levelI")), Version: version{rapid.IntRange(0, 99).Draw(t, "major"), 7},
			Raw:   jsontext.Value(rapid.SampledFrom([]string{"null", "1", `"x"`, `{"a":[1,2.5,{}]}`}).Draw(t, "raw")),
			JSON:  rapid.MapOf(rapid.String(), rapid.SliceOfN(rapid.Int(), 1, 3)).Draw(t, "json"),
			JSONA: rapid.SampledFrom([]any{nil, "x", 1.5, true, []any{"y"}, map[string]any{"z": "1"}}).Draw(t, "jsonA"),
		}
		if pointer(t, "author", nil) {
			r.Author = new(text("author"))
		}
		if pointer(t, "pointers", nil) {
			r.BoolP, r.UintP, r.F64P = new(r.Bool), new(uint64(r.Uint32)), new(r.F64)
			r.BytesP, r.TimeP, r.LevelP, r.JSONP = new(r.BytesT), new(ms("timeP")), new(r.Level), &struct{ A int }{r.Int}
		}
		if pointer(t, "nullables", nil) {
			r.RawN, r.JSONN = json.RawMessage(r.Raw), rapid.SliceOf(rapid.String()).Draw(t, "jsonN")
			r.JSONS.B = new(r.Bool)
		}
		e.do(everything.Delete(), everything.Insert(r))
		for _, q := range []state.Query[[]every]{
			everything, everything.Where(state.Eq(&everything.Row.ID, r.ID), state.Eq(&everything.Row.F32, r.F32)),
			state.SQL[every]("SELECT * FROM everything"),
		} {
			got := get(e, q)
			if len(got) != 1 || !same(r, got[0]) {
				t.Fatalf("wrote\n%+v\nread\n%+v", r, got)
			}
		}
	})
}

func TestNilAndEmptyAreToldApartWhereNULLIsAllowed(t *testing.T) {
	e := open(t, everything)
	r := every{Raw: jsontext.Value("1"), BytesN: []byte{}, JSONN: []string{}, BytesP: new([]byte{})}
	e.do(everything.Insert(r))
	got := get(e, everything.First())
	if got.BytesN == nil || got.JSONN == nil || got.BytesP == nil || *got.BytesP == nil {
		t.Errorf("empty came back as nil: %+v", got)
	}
	r.BytesN, r.JSONN, r.BytesP = nil, nil, nil
	e.do(everything.Upsert(r))
	got = get(e, everything.First())
	if got.BytesN != nil || got.JSONN != nil || got.BytesP != nil || got.JSONA != nil || got.RawN != nil {
		t.Errorf("nil came back as something: %+v", got)
	}
	if got.Bytes == nil {
		t.Errorf("bytes came back as nil: they are empty")
	}
	n := get(e, state.Scalar[int](`SELECT count(*) FROM everything WHERE "bytesN" IS NULL AND "jsonN" IS NULL AND "jsonA" IS NULL`))
	if n != 1 {
		t.Error("nil was not written as NULL")
	}
	e.do(state.Exec(`UPDATE everything SET "timeN" = NULL`))
	if got := get(e, everything.First()); !got.TimeN.IsZero() {
		t.Errorf("NULL is %v", got.TimeN)
	}
}

// Columns are found by offset and type: an embedded struct begins where its first field does.
func TestAddressesOfEmbeddedFields(t *testing.T) {
	r := everything.Row
	for want, c := range map[string]state.Condition{
		`"id" = ?`: state.Eq(&r.ID, "a"), `"Author" IS NULL`: state.IsNull(&r.Author), `"timeT" = ?`: state.Eq(&r.TimeT, day(1)),
		`"jsonS" = ?`: state.Eq(&r.JSONS, struct{ B *bool }{}),
	} {
		s, err := everything.Where(c).Statement("")
		if err != nil || !strings.HasSuffix(s.SQL, "WHERE "+want) {
			t.Errorf("%s: %v", s.SQL, err)
		}
	}
	for want, c := range map[string]state.Condition{
		`table "everything": field Base: is no column`:    state.IsNull(&r.Base),
		`table "everything": field hidden: is no column`:  state.Eq(&r.hidden, 1),
		`table "everything": field JSONS.B: is no column`: state.IsNull(&r.JSONS.B),
	} {
		if _, err := everything.Where(c).Statement(""); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error is %v, want %s", err, want)
		}
	}
}

func TestDatetimes(t *testing.T) {
	type row struct {
		At time.Time `db:"at"`
		I  time.Time `db:"i,datetimeinteger"`
	}
	table := state.NewTable[row]("rows")
	e := open(t, table)
	at := time.Date(2026, 11, 24, 6, 30, 1, 987_654_321, time.FixedZone("CET", 3600))
	e.do(table.Insert(row{at, at}))
	// What JavaScript's new Date(…).toISOString() and getTime() give.
	if got := get(e, state.Scalar[string]("SELECT at || ' ' || i FROM rows")); got != "2026-11-24T05:30:01.987Z 1795498201987" {
		t.Errorf("stored %s", got)
	}
	if got := get(e, table.First()); got.At != at.UTC().Truncate(time.Millisecond) || got.I != got.At {
		t.Errorf("read %v", got)
	}
	for text, want := range map[string]string{
		"2026-11-24T05:30:01.987Z": "2026-11-24T05:30:01.987Z", "2026-11-24T05:30:01Z": "2026-11-24T05:30:01.000Z",
		"2026-11-24T05:30:01.5+02:00": "2026-11-24T03:30:01.500Z", "2026-11-24 05:30:01": "2026-11-24T05:30:01.000Z",
		"2024-02-29T00:00:00.000Z": "2024-02-29T00:00:00.000Z", "0000-01-01T00:00:00.000Z": "0000-01-01T00:00:00.000Z",
		"9999-12-31T23:59:59.999Z": "9999-12-31T23:59:59.999Z",
	} {
		if got := get(e, state.Scalar[time.Time]("SELECT ?", text)); got.Format("2006-01-02T15:04:05.000Z07:00") != want {
			t.Errorf("%s read as %v", text, got)
		}
	}
	for _, text := range []string{"", "yesterday", "2026-02-29T00:00:00.000Z", "2026-13-01T00:00:00.000Z", "2026-01-01T24:00:00.000Z"} {
		_, err := tryGet(e, state.Scalar[time.Time]("SELECT ?", text))
		if err == nil || !strings.Contains(err.Error(), "is no ISO 8601 date and time") {
			t.Errorf("%q: error is %v", text, err)
		}
	}
	for _, bad := range []row{{time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC), at}, {at, time.Date(300_000_000, 1, 1, 0, 0, 0, 0, time.UTC)}} {
		if _, err := table.Insert(bad).Statement(); !errors.Is(err, state.ErrRange) {
			t.Errorf("%v: error is %v", bad, err)
		}
	}
}

func TestDefaults(t *testing.T) {
	type row struct {
		ID    int        `db:"id,primarykey"`
		Bool  bool       `db:"bool,default:true"`
		Int   int8       `db:"int,default:-5"`
		Real  float64    `db:"real,default:1e3"`
		Text  string     `db:"text,default:plain (text)"`
		Quote string     `db:"quote,default:'it''s, (call())',unique"`
		Empty string     `db:"empty,default:"`
		Blob  []byte     `db:"blob,default:x'00FF'"`
		Time  time.Time  `db:"time,default:2026-01-01T12:00:00Z"`
		Milli time.Time  `db:"milli,datetimeinteger,default:2026-01-01T12:00:00Z"`
		JSON  []int      `db:"json,json,default:'[1,2]'"`
		Level level      `db:"level,default:high"`
		Null  *string    `db:"null,default:null"`
		Word  *string    `db:"word,default:'null'"`
		Big   uint64     `db:"big,text,default:18446744073709551615"`
		Since *time.Time `db:"since"`
	}
	table := state.NewTable[row]("rows")
	e := open(t, table)
	r := table.Row
	e.do(table.Insert(row{ID: 1}, state.Omit(
		&r.Bool, &r.Int, &r.Real, &r.Text, &r.Quote, &r.Empty, &r.Blob, &r.Time, &r.Milli, &r.JSON, &r.Level,
		&r.Null, &r.Word, &r.Big, &r.Since)))
	want := row{
		1, true, -5, 1000, "plain (text)", "it's, (call())", "",
		[]byte{0, 255},
		day(1), day(1),
		[]int{1, 2},
		1,
		nil, new("null"), 1<<64 - 1, nil,
	}
	if diff := cmp.Diff(&want, get(e, table.First())); diff != "" {
		t.Error(diff)
	}
	ddl := e.schema.DDL()[0]
	for _, part := range []string{
		`"quote" TEXT NOT NULL UNIQUE DEFAULT 'it''s, (call())'`, `"real" REAL NOT NULL DEFAULT 1000.0`, `"blob" BLOB NOT NULL DEFAULT x'00ff'`,
		`"time" TEXT NOT NULL DEFAULT '2026-01-01T12:00:00.000Z'`, `"milli" INTEGER NOT NULL DEFAULT 1767268800000`, `"null" TEXT DEFAULT NULL`,
	} {
		if !strings.Contains(ddl, part) {
			t.Errorf("no %s in %s", part, ddl)
		}
	}
}

// bad tries one field: each has one thing wrong.
func bad[R any](opts ...state.TableOption) error {
	_, err := state.NewSchema(state.NewTable[R]("rows", opts...))
	return err
}

func TestTablesThatCanNotBe(t *testing.T) {
	type ok struct {
		A int `db:"a,primarykey"`
		B *string
	}
	for want, err := range map[string]error{
		`row type int is no struct`:                            bad[int](),
		`row type time.Time is no struct`:                      bad[time.Time](),
		`row type struct {} has no columns: export its fields`: bad[struct{}](),
		`row type struct { a int } has no columns`:             bad[struct{ a int }](),
		`field a: the field is not exported`: bad[struct {
			a int `db:"a"`
		}](),
		`field E: type struct {} has no size`: bad[struct {
			E struct{} `db:"e,json"`
		}](),
		`field E: type [0]int has no size`:                                   bad[struct{ E [0]int }](),
		`field C: type chan int is no column: tag the field json, or db:"-"`: bad[struct{ C chan int }](),
		`field M: type map[string]int is no column`:                          bad[struct{ M map[string]int }](),
		`field P: type *int is no column`:                                    bad[struct{ P **int }](),
		`field S: type struct { X int } is no column`:                        bad[struct{ S struct{ X int } }](),
		`field Base: a struct embedded by pointer has no fixed place`:        bad[struct{ *Base }](),
		`field B: column "A" is field A already`: bad[struct {
			A int `db:"a"`
			B int `db:"A"`
		}](),
		`field A: option "primary" is not known`: bad[struct {
			A int `db:"a,primary"`
		}](),
		`field A: the tag has an empty option`: bad[struct {
			A int `db:"a,"`
		}](),
		`field A: options text and json exclude each other`: bad[struct {
			A int `db:"a,text,json"`
		}](),
		`field A: autoincrement is refused: SQLite's counters do not roll back`: bad[struct {
			A int `db:"a,primarykey,autoincrement"`
		}](),
		`field A: option blob does not fit type int`: bad[struct {
			A int `db:"a,blob"`
		}](),
		`field A: option real does not fit type string`: bad[struct {
			A string `db:"a,real"`
		}](),
		`field A: option datetime is for time.Time, the field is string`: bad[struct {
			A string `db:"a,datetime"`
		}](),
		`field A: option integer does not fit a time.Time: use datetimeinteger`: bad[struct {
			A time.Time `db:"a,integer"`
		}](),
		`field A: option blob does not fit type time.Time`: bad[struct {
			A time.Time `db:"a,blob"`
		}](),
		`field A: a primary key can not be NULL`: bad[struct {
			A *int `db:"a,primarykey"`
		}](),
		`field A: a primary key with a default`: bad[struct {
			A int `db:"a,primarykey,default:1"`
		}](),
		`field A: name "rowid" is what SQLite calls its own`: bad[struct {
			A int `db:"rowid"`
		}](),
		`field A: name "sqlite_x" begins with sqlite_`: bad[struct {
			A int `db:"sqlite_x"`
		}](),
		`field A: name "__LiveStore_x" begins with __livestore_`: bad[struct {
			A int `db:"__LiveStore_x"`
		}](),
		`field A: default CURRENT_TIMESTAMP is computed, and state may depend on events only`: bad[struct {
			A string `db:"a,default:CURRENT_TIMESTAMP"`
		}](),
		`field A: default datetime('now') is computed`: bad[struct {
			A time.Time `db:"a,default:datetime('now')"`
		}](),
		`field A: default (1 + 1) is computed`: bad[struct {
			A int `db:"a,default:(1 + 1)"`
		}](),
		`field A: default "x": is neither true nor false`: bad[struct {
			A bool `db:"a,default:x"`
		}](),
		`field A: default "300": 300 is out of range`: bad[struct {
			A uint8 `db:"a,default:300"`
		}](),
		`field A: default "NaN": NaN can not be stored`: bad[struct {
			A float64 `db:"a,default:NaN"`
		}](),
		`field A: default "00": is no blob`: bad[struct {
			A []byte `db:"a,default:00"`
		}](),
		`field A: default "mid": is neither low nor high`: bad[struct {
			A level `db:"a,default:mid"`
		}](),
		`field A: default "{": json`: bad[struct {
			A []int `db:"a,json,default:{"`
		}](),
		`field A: default null on a column that is not nullable`: bad[struct {
			A int `db:"a,default:null"`
		}](),
		`field A: default 'x has no closing quote`: bad[struct {
			A string `db:"a,default:'x"`
		}](),
		`field A: default 'x'y goes on after its closing quote`: bad[struct {
			A string `db:"a,default:'x'y"`
		}](),
		`option Index: it names no column`:                         bad[ok](state.Index()),
		`option Index: "c" is no column: the table has a, B`:       bad[ok](state.Index("a", "c")),
		`option UniqueIndex: it names "a" twice`:                   bad[ok](state.UniqueIndex("a", "a")),
		`option ForeignKey: "c" is no column: the table has a, B`:  bad[ok](state.ForeignKey("c", "rows", "a")),
		`option ForeignKey: table "others" is not in the schema`:   bad[ok](state.ForeignKey("a", "others", "a")),
		`option ForeignKey: "c" is no column of table "rows"`:      bad[ok](state.ForeignKey("a", "rows", "c")),
		`option ForeignKey: column "B" of table "rows" is neither`: bad[ok](state.ForeignKey("a", "rows", "B")),
		`option ForeignKey: ON DELETE SET NULL on column "a", which is not nullable`: bad[ok](
			state.ForeignKey("a", "rows", "a", state.OnDeleteSetNull)),
		`option ForeignKey: action "ON FIRE" is not known`: bad[ok](state.ForeignKey("a", "rows", "a", "ON FIRE")),
		`an option is nil`: bad[ok](nil),
	} {
		te, ok := errors.AsType[*state.TableError](err)
		if !ok || te.Table != "rows" || !strings.HasPrefix(err.Error(), `schema: table "rows": `+want) {
			t.Errorf("error is %v\nwant %s", err, want)
		}
	}
}

func TestAllThatIsWrongWithATableIsSaid(t *testing.T) {
	type row struct {
		A chan int
		B string `db:"b,unknown"`
		C int
	}
	table := state.NewTable[row]("sqlite_rows", state.Index("nothing"))
	_, err := state.NewSchema(table)
	for _, want := range []string{`begins with sqlite_`, `field A:`, `field B:`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %s in it", err, want)
		}
	}
	_, first := table.Where(state.Eq(&table.Row.C, 1)).Statement("")
	_, second := table.Insert(row{}).Statement()
	_, third := table.Delete().Where(state.Eq(&table.Row.B, "")).Statement()
	for _, err := range []error{first, second, third} {
		if err == nil || !strings.Contains(err.Error(), "field A:") {
			t.Errorf("a read or write of the table says %v", err)
		}
	}
}

// A raw write can not leave a bool or JSON that no row can hold.
func TestRawWritesKeepWhatRowsCanHold(t *testing.T) {
	type row struct {
		B *bool
		T *bool  `db:"t,text"`
		J *[]int `db:"j,json"`
	}
	table := state.NewTable[row]("rows")
	e := open(t, table)
	e.do(table.Insert(row{}), table.Insert(row{new(true), new(false), new([]int{1})}))
	for _, set := range []string{"B = 2", "T = 'yes'", "j = '{'", "j = ''"} {
		if err := e.tx().Exec(state.Exec("UPDATE rows SET " + set)); !sqlite.IsConstraint(err) {
			t.Errorf("%s: error is %v", set, err)
		}
	}
}

func TestAnIndexAndAUniqueIndexOfOneColumn(t *testing.T) {
	type row struct{ A string }
	e := open(t, state.NewTable[row]("rows", state.Index("A"), state.UniqueIndex("A")))
	if got := get(e, state.Scalar[int]("SELECT count(*) FROM sqlite_schema WHERE type = 'index'")); got != 2 {
		t.Errorf("%d indexes are there", got)
	}
}

// One instant is one text, whatever its zone.
func TestTimesAsTextAreFoundFromEveryZone(t *testing.T) {
	type row struct {
		At time.Time `db:"at,text"`
	}
	table := state.NewTable[row]("rows")
	e := open(t, table)
	at := time.Date(2026, 11, 24, 6, 30, 1, 987_654_321, time.FixedZone("CET", 3600))
	e.do(table.Insert(row{at}))
	for _, at := range []time.Time{at, at.UTC(), at.In(time.FixedZone("", -7200))} {
		if got := get(e, table.Where(state.Eq(&table.Row.At, at))); len(got) != 1 || got[0].At != at.UTC() {
			t.Errorf("%v: read %v", at, got)
		}
	}
}

// JSON takes what encoding/json takes.
func TestJSONColumnsOfTypesThatV2Refuses(t *testing.T) {
	type value struct {
		Wait time.Duration
		Key  [3]byte
		Raw  []byte
	}
	type row struct {
		V value `db:"v,json"`
	}
	table, doc := state.NewTable[row]("rows"), state.NewDocument("doc", value{Wait: 1})
	e := open(t, table, doc)
	want := value{time.Second, [3]byte{1, 2, 3}, []byte{4}}
	e.do(table.Insert(row{want}))
	if diff := cmp.Diff([]row{{want}}, get(e, table)); diff != "" {
		t.Error(diff)
	}
	if got := get(e, state.Scalar[string]("SELECT v FROM rows")); got != `{"Wait":1000000000,"Key":[1,2,3],"Raw":"BA=="}` {
		t.Errorf("stored %s", got)
	}
	e.commit(doc.Set("a", want))
	e.commit(doc.Patch("a", state.Set(&doc.Row.Wait, time.Minute)))
	want.Wait = time.Minute
	if diff := cmp.Diff(want, get(e, doc.Get("a"))); diff != "" {
		t.Error(diff)
	}
}
