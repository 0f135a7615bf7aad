package state

// Returned is a write with RETURNING. Run it with [Read] inside a materializer: the write happens, and the rows it touched
// come back with the named columns filled and the others zero; with all columns when none is named. Anywhere else it is refused, as a
// write in a read.
type Returned[R any] struct {
	t     *table
	plan  plan
	built bound
}

func returning[R any](t *table, w Write, addrs []any) *Returned[R] {
	q := &Returned[R]{t: t, plan: t.plan}
	s, err := w.Statement()
	names := t.list
	if err == nil && len(addrs) > 0 {
		var cols []*column
		if cols, err = t.columnsAt(addrs); err == nil {
			names, q.plan = list(cols), nil
			for _, c := range cols {
				q.plan = append(q.plan, step{column: c, null: c.nullable})
			}
		}
	}
	q.built = newBound(s.SQL+" RETURNING "+names, s.Args, err)
	return q
}

// Statement returns the write as the event of the given session makes it.
func (q *Returned[R]) Statement(sessionID string) (Statement, error) {
	return q.built.statement(sessionID)
}

// Decode makes the rows of a result.
func (q *Returned[R]) Decode(r Rows) ([]R, error) {
	return decodeRows[R](r, q.plan, q.t.name, new(sizeHint))
}

func (q *Returned[R]) yields() (v []R) { return v }
