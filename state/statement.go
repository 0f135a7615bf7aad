package state

// Statement is one SQL statement with the values of its parameters. Args holds nil, int64, float64, string and []byte only.
// It may be shared: callers do not change Args.
type Statement struct {
	SQL    string
	Args   []any
	Filter *Filter // which rows a read can see, nil for any
}

// Rows is the result of a statement, read row by row. Columns count from 0. A value asked for in another type than it has is
// converted as SQLite converts it. Bytes returns a copy.
type Rows interface {
	Next() bool
	Err() error
	Columns() []string
	IsNull(i int) bool
	Int64(i int) int64
	Float64(i int) float64
	Text(i int) string
	Bytes(i int) []byte
}

// DB is the connection a [Tx] runs on.
type DB interface {
	// Exec runs a write.
	Exec(Statement) error
	// Query runs a read and calls the function once with its result, which is gone afterwards.
	Query(Statement, func(Rows) error) error
}

// maxArgs is the number of parameters SQLite allows in a statement, unless it is built otherwise.
const maxArgs = 32766

// SessionID stands for the id of the session that runs a query or commits a draft: as the id of a client document, and as
// a value of any read, or of a write in a materializer. It is replaced when the query is bound and when the draft is encoded. In a
// materializer it is the session that committed the event.
const SessionID = "@livestore/session-id"

// bound is the built form of a read: its statement, or why there is none.
type bound struct {
	stmt    Statement
	session bool // an argument is SessionID
	err     error
}

func newBound(sql string, args []any, err error) bound {
	b := bound{stmt: Statement{SQL: sql, Args: args}, err: err}
	if err == nil && len(args) > maxArgs {
		b.err = &TooManyArgsError{Count: len(args)}
	}
	b.session = hasSession(args)
	return b
}

func hasSession(args []any) bool {
	for _, a := range args {
		if s, ok := a.(string); ok && s == SessionID {
			return true
		}
	}
	return false
}

// bindSession returns a copy of args with the id of a session where [SessionID] was.
func bindSession(args []any, sessionID string) []any {
	out := make([]any, len(args))
	for i, a := range args {
		if s, ok := a.(string); ok && s == SessionID {
			a = sessionID
		}
		out[i] = a
	}
	return out
}

// statement puts the session in. Without one the statement is the same for everyone and shared.
func (b *bound) statement(sessionID string) (Statement, error) {
	if b.err != nil {
		return Statement{}, b.err
	}
	if !b.session {
		return b.stmt, nil
	}
	return Statement{SQL: b.stmt.SQL, Args: bindSession(b.stmt.Args, sessionID), Filter: b.stmt.Filter.bindSession(sessionID)}, nil
}
