package state

// Delete is a write that removes rows.
type Delete[R any] struct {
	t     *table
	where string
	args  []any
	err   error
}

// Delete removes the rows that its Where finds, all rows without one.
func (t *Table[R]) Delete() *Delete[R] { return &Delete[R]{t: t.t, err: t.t.err} }

// Where removes only rows that meet all conditions, those of earlier calls too.
func (d *Delete[R]) Where(conds ...Condition) *Delete[R] {
	n := *d
	if n.err == nil {
		n.where, n.args, n.err = d.t.where(d.where, d.args, conds)
	}
	return &n
}

// Statement returns the DELETE.
func (d *Delete[R]) Statement() (Statement, error) {
	if d.err != nil {
		return Statement{}, d.err
	}
	sql := "DELETE FROM " + d.t.quoted
	if d.where != "" {
		sql += " WHERE " + d.where
	}
	b := newBound(sql, d.args, nil)
	return b.stmt, b.err
}

func (d *Delete[R]) write() {}

// Returning makes the delete a read of the rows it removed. See [Returned].
func (d *Delete[R]) Returning(cols ...any) Query[[]R] { return returning[R](d.t, d, cols) }
