package eventlog

import (
	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/sqlite"
)

// Named is a name that events of the log have.
type Named struct {
	Name  string
	First event.SeqNum // the first of them
}

// Names returns the names of the events in the log, in the order in which they appear. It reads the whole log, but not the arguments.
func (l *Log) Names() ([]Named, error) {
	if l.broken != nil {
		return nil, l.broken
	}
	st, err := l.conn.Prepare(sqlite.Internal,
		"SELECT name, global, client, generation, min(position) AS first FROM events GROUP BY name ORDER BY first")
	if err != nil {
		return nil, l.wrap("read", err)
	}
	var names []Named
	err = st.Each(nil, func(r *sqlite.Rows) {
		names = append(names, Named{
			Name: r.Text(0), First: event.SeqNum{Global: r.Int64(1), Client: r.Int64(2), Generation: r.Int64(3)},
		})
	})
	return names, l.wrap("read", err)
}
