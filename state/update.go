package state

import "slices"

// Update is a write that changes rows.
type Update[R any] struct {
	t     *table
	sets  string
	args  []any
	where string
	wargs []any
	err   error
}

// Update changes the rows that its Where finds, all rows without one.
func (t *Table[R]) Update(sets ...Assignment) *Update[R] {
	u := &Update[R]{t: t.t, err: t.t.err}
	if u.err != nil {
		return u
	}
	var buf [128]byte
	f := fragment{t: t.t, sql: buf[:0], args: make([]any, 0, len(sets)+2)}
	if u.err = f.assign(sets); u.err == nil {
		u.sets, u.args = string(f.sql), f.args
	}
	return u
}

// Where changes only rows that meet all conditions, those of earlier calls too.
func (u *Update[R]) Where(conds ...Condition) *Update[R] {
	n := *u
	if n.err == nil {
		n.where, n.wargs, n.err = u.t.where(u.where, u.wargs, conds)
	}
	return &n
}

// Statement returns the UPDATE.
func (u *Update[R]) Statement() (Statement, error) {
	if u.err != nil {
		return Statement{}, u.err
	}
	sql := "UPDATE " + u.t.quoted + " SET " + u.sets
	if u.where != "" {
		sql += " WHERE " + u.where
	}
	b := newBound(sql, append(slices.Clip(u.args), u.wargs...), nil)
	return b.stmt, b.err
}

func (u *Update[R]) write() {}

// Returning makes the update a read of the rows it changed, as they are afterwards. See [Returned].
func (u *Update[R]) Returning(cols ...any) Query[[]R] { return returning[R](u.t, u, cols) }
