package livestore

import (
	"cmp"
	"slices"
	"time"

	"github.com/livestore-go/livestore/internal/reactive"
	"github.com/livestore-go/livestore/internal/touch"
)

// LiveQuery is one result that a store keeps up to date, as [Store.LiveQueries] lists them: of a live query, of a computed, or of a query,
// document or signal that is watched as it is. It is a copy, for people and tools to look at.
//
// What a store keeps for reads is bounded. A declared query or computed has one result, and one entry, for all who read it, watch it or
// use it. It is kept while somebody watches it or something that uses it, and beyond that for the 512 that were read last, with what
// these use. What is watched as it is has a result of its own for each watcher and goes with it; a [Get] of it keeps none. These are
// numbers of results, not bytes: limit what a query can return. Prepared statements are kept for the 256 texts of reads that were used
// last, some 5 KB each.
type LiveQuery struct {
	// Label names it: see [Label]. One that is watched as it is has no name of its own, and is called "query" unless it is a signal.
	Label string
	// Kind is "query", "computed" or "signal".
	Kind string
	// SQL is the statement it ran last, empty when the last run ran none.
	SQL string
	// Watchers is how many loops of [Watch] and [WatchDiff] and callbacks of [Subscribe] follow it.
	Watchers int
	// Users is how many results the store keeps that were made from it.
	Users int
	// Runs is how often it was computed since it is kept. Reads in between are answered without running, and are not counted.
	Runs int
	// Time is how long all runs took, the comparison with the result before included. What ran inside them for other entries is
	// counted there only.
	Time time.Duration
	// Last is how long the last run took.
	Last time.Duration
	// Rows is how many rows SQLite returned for SQL in the last run, -1 when it ran no statement or failed.
	Rows int
	// Why says what made it run last, the first change when there were several. It is empty before the first run, else one of:
	//
	//	first read              nothing was kept
	//	table NAME, by row      a row changed that has the values it asks for, or had them
	//	table NAME, by range    … or a value in the range it asks for
	//	table NAME, by column   a column that it reads changed in some row, or a row came or went
	//	table NAME              a row came or went
	//	result of LABEL         a query or computed that it uses has another result
	//	signal LABEL            a signal that it uses was set
	//	reset                   the store has another state: it was rebuilt
	//	panic or cycle          the run before came to no result
	//
	// It is about what is read of a table: a change whose values SQLite does not tell, as in a full-text table, counts for all who read
	// the table, in whichever of these ways.
	Why string
}

// LiveQueries returns what the store keeps up to date now, for devtools and tests: which queries there are, how often they ran, how long
// they took, and why. What took the most time in all comes first. It runs no query. The entries are a copy of one moment; a closed
// store has none.
func (s *Store) LiveQueries() []LiveQuery {
	var all []reactive.Stats
	if s.session.Enter() != nil {
		return nil
	}
	if !s.closing {
		all = s.graph.Stats()
	}
	s.session.Leave()

	list := make([]LiveQuery, 0, len(all)) // from here on the store goes on
	for i := range all {
		n := &all[i]
		list = append(list, LiveQuery{
			Label: n.Label, Kind: n.Kind, SQL: n.Text, Watchers: n.Watchers, Users: n.Users, Runs: n.Runs,
			Time: n.Time, Last: n.Last, Rows: n.Count, Why: why(n.Why),
		})
	}
	slices.SortFunc(list, func(a, b LiveQuery) int {
		return cmp.Or(cmp.Compare(b.Time, a.Time), cmp.Compare(a.Label, b.Label), cmp.Compare(a.SQL, b.SQL))
	})
	return list
}

// why says in words what made a result run.
func why(cause any) string {
	switch c := cause.(type) {
	case reactive.Cause:
		return c.String()
	case touch.Read:
		return c.String()
	case *reactive.Def:
		return "result of " + c.Label
	case readable: // a signal: nothing else is a source
		return "signal " + c.definition().Label
	}
	return ""
}
