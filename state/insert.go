package state

import (
	"errors"
	"slices"
	"unsafe"
)

// InsertOption changes an insert. See [Omit].
type InsertOption interface{ insert(*inserting) }

// Omit leaves columns out of an insert: they get their default, NULL without one, and an integer primary key the next free number.
// Each argument is the address of a field, &table.Row.Field.
func Omit(cols ...any) InsertOption { return omit(cols) }

type omit []any

func (o omit) insert(in *inserting) { in.omit = append(in.omit, o...) }

type inserting struct{ omit []any }

// Insert is a write of new rows. A row that breaks a constraint is an error of the materializer, unless OnConflict says otherwise.
type Insert[R any] struct {
	t      *table
	sql    string
	args   []any
	cols   []*column // that are written; nil for all
	tail   string    // ON CONFLICT …
	tailed []any
	err    error
}

// Insert writes a row: every field of it, zero values too, except those that [Omit] names.
func (t *Table[R]) Insert(row R, opts ...InsertOption) *Insert[R] {
	in := &Insert[R]{t: t.t, err: t.t.err}
	if in.err != nil {
		return in
	}
	if len(opts) > 0 {
		in.omit(opts)
	}
	if in.err == nil {
		in.args, in.err = in.values(make([]any, 0, len(t.t.cols)), unsafe.Pointer(&row))
		in.sql = in.text()
	}
	return in
}

// InsertMany writes rows in one statement. The number of rows times the number of columns is at most 32,766; no rows is an error.
func (t *Table[R]) InsertMany(rows []R, opts ...InsertOption) *Insert[R] {
	in := &Insert[R]{t: t.t, err: t.t.err}
	if in.err == nil && len(rows) == 0 {
		in.err = &ColumnError{Table: t.t.name, Err: errors.New("InsertMany has no rows: leave the write out")}
	}
	if in.err != nil {
		return in
	}
	in.omit(opts)
	if in.err == nil && in.cols != nil && len(in.cols) == 0 && len(rows) > 1 {
		in.err = &ColumnError{Table: t.t.name, Err: errors.New("InsertMany leaves every column out")}
	}
	if in.err != nil {
		return in
	}
	for i := range rows {
		if in.args, in.err = in.values(in.args, unsafe.Pointer(&rows[i])); in.err != nil {
			return in
		}
	}
	if len(in.args) > maxArgs {
		in.err = &TooManyArgsError{Count: len(in.args)}
		return in
	}
	in.sql = in.text()
	more := ", (" + placeholders(len(in.args)/len(rows)) + ")"
	b := make([]byte, 0, len(in.sql)+len(more)*len(rows))
	b = append(b, in.sql...)
	for range len(rows) - 1 {
		b = append(b, more...)
	}
	in.sql = string(b)
	return in
}

// omit finds the columns that are written.
func (in *Insert[R]) omit(opts []InsertOption) {
	var ing inserting
	for _, o := range opts {
		if o != nil {
			o.insert(&ing)
		}
	}
	if len(ing.omit) == 0 {
		return
	}
	out, err := in.t.columnsAt(ing.omit)
	if err != nil {
		in.err = err
		return
	}
	in.cols = []*column{}
	for i := range in.t.cols {
		if c := &in.t.cols[i]; !slices.Contains(out, c) {
			in.cols = append(in.cols, c)
		}
	}
}

// values appends what a row at p binds.
func (in *Insert[R]) values(args []any, p unsafe.Pointer) ([]any, error) {
	if in.cols == nil {
		for i := range in.t.cols {
			c := &in.t.cols[i]
			v, err := in.t.value(c, unsafe.Add(p, c.offset))
			if err != nil {
				return nil, err
			}
			args = append(args, v)
		}
		return args, nil
	}
	for _, c := range in.cols {
		v, err := in.t.value(c, unsafe.Add(p, c.offset))
		if err != nil {
			return nil, err
		}
		args = append(args, v)
	}
	return args, nil
}

// text is the text for one row.
func (in *Insert[R]) text() string {
	switch {
	case in.cols == nil:
		return in.t.insert
	case len(in.cols) == 0:
		return "INSERT INTO " + in.t.quoted + " DEFAULT VALUES"
	}
	return "INSERT INTO " + in.t.quoted + " (" + list(in.cols) + ") VALUES (" + placeholders(len(in.cols)) + ")"
}

// list writes column names as SQL lists them.
func list(cols []*column) string {
	var b []byte
	for i, c := range cols {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(b, c.quoted...)
	}
	return string(b)
}

// Statement returns the INSERT.
func (in *Insert[R]) Statement() (Statement, error) {
	if in.err != nil {
		return Statement{}, in.err
	}
	if in.tail == "" {
		return Statement{SQL: in.sql, Args: in.args}, nil
	}
	return Statement{SQL: in.sql + in.tail, Args: append(slices.Clip(in.args), in.tailed...)}, nil
}

func (in *Insert[R]) write() {}

// Returning makes the insert a read of what it wrote. See [Returned].
func (in *Insert[R]) Returning(cols ...any) Query[[]R] { return returning[R](in.t, in, cols) }

// Upsert writes a row: it inserts it, or when there is a row with the same primary key, gives that row its values. Columns
// that [Omit] names stay as they are.
func (t *Table[R]) Upsert(row R, opts ...InsertOption) *Insert[R] {
	in := t.Insert(row, opts...)
	if in.err != nil {
		return in
	}
	pk := t.t.primaryKey()
	if len(pk) == 0 {
		in.err = &ColumnError{Table: t.t.name, Err: errors.New("Upsert needs a primary key: tag a field primarykey, or use OnConflict")}
		return in
	}
	cf := &Conflict[R]{in: in, target: pk}
	return cf.replace(in.cols)
}

// OnConflict says what happens when a row with the same values in these columns is there. They are the primary key, or the columns
// of a unique constraint or index; without columns every constraint is meant. Each argument is the address of a field.
func (in *Insert[R]) OnConflict(cols ...any) *Conflict[R] {
	c := &Conflict[R]{in: in}
	if in.err == nil && in.tail != "" {
		c.err = &ColumnError{Table: in.t.name, Err: errors.New("the insert has a conflict rule already")}
	}
	if in.err == nil && c.err == nil {
		c.target, c.err = in.t.columnsAt(cols)
	}
	return c
}

// Conflict is an insert that waits to hear what a conflict does.
type Conflict[R any] struct {
	in     *Insert[R]
	target []*column
	err    error
}

// finish returns the insert with its conflict rule.
func (c *Conflict[R]) finish(f *fragment, err error) *Insert[R] {
	in := *c.in
	switch {
	case in.err != nil:
	case c.err != nil:
		in.err = c.err
	case err != nil:
		in.err = err
	default:
		in.tail, in.tailed = string(f.sql), f.args
	}
	return &in
}

func (c *Conflict[R]) begin(does string) *fragment {
	f := &fragment{t: c.in.t, sql: []byte(" ON CONFLICT "), conflict: true}
	if len(c.target) > 0 {
		f.sql = append(append(append(f.sql, '('), list(c.target)...), ") "...)
	}
	f.sql = append(f.sql, does...)
	return f
}

// DoNothing leaves the row that is there as it is.
func (c *Conflict[R]) DoNothing() *Insert[R] { return c.finish(c.begin("DO NOTHING"), nil) }

// Replace gives the row that is there all values of the new one, defaults for columns that were left out; a primary key
// that was left out stays. The row stays the same row: nothing is deleted.
func (c *Conflict[R]) Replace() *Insert[R] {
	if c.in.err != nil || c.err != nil {
		return c.finish(nil, nil)
	}
	var cols []*column
	for i := range c.in.t.cols {
		col := &c.in.t.cols[i]
		if !col.primary || c.in.cols == nil || slices.Contains(c.in.cols, col) {
			cols = append(cols, col)
		}
	}
	return c.replace(cols)
}

// replace sets the given columns, all for nil, except those the conflict is about: they are equal.
func (c *Conflict[R]) replace(cols []*column) *Insert[R] {
	f := c.begin("DO UPDATE SET ")
	n := 0
	for i := range c.in.t.cols {
		col := &c.in.t.cols[i]
		if slices.Contains(c.target, col) || (cols != nil && !slices.Contains(cols, col)) {
			continue
		}
		if n++; n > 1 {
			f.sql = append(f.sql, ", "...)
		}
		f.sql = append(append(f.sql, col.quoted...), " = "...)
		f.excluded(col)
	}
	if n == 0 {
		return c.DoNothing()
	}
	return c.finish(f, nil)
}

// Update changes the row that is there. [Set] gives fixed values, [Excluded] those of the new row, [SetSQL] expressions
// over both: a plain name is the row that is there, excluded.name the new one.
func (c *Conflict[R]) Update(sets ...Assignment) *Insert[R] {
	if c.in.err != nil || c.err != nil {
		return c.finish(nil, nil)
	}
	f := c.begin("DO UPDATE SET ")
	return c.finish(f, f.assign(sets))
}
