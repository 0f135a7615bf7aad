package reactive

import "time"

// Stats says what a graph has done for one definition. It counts from when the graph made a node for it, and is gone with that.
type Stats struct {
	Label    string
	Kind     string
	Watchers int           // how many watch it
	Users    int           // how many results were made from it
	Runs     int           // how often it was computed
	Time     time.Duration // of all runs together, the comparison of results included, without what ran inside them for other definitions
	Last     time.Duration // of the last run
	Text     string        // what the last run noted, empty and -1 when it noted nothing; see [Tracker.Note]
	Count    int

	// Why says what made it run last: the key of the source that changed, the *[Def] it uses whose result is another one now, or a
	// [Cause]. Of several changes since the run before it is the first. Nil before the first run.
	Why any
}

// Cause is why a definition ran when neither a source nor a result has changed.
type Cause uint8

// The causes.
const (
	First Cause = iota + 1 // there was no result
	All                    // any source may have changed, see [Graph.InvalidateAll]
	Again                  // the run before came to no result that could be kept: it panicked, or met a cycle
)

// String returns "first read", "reset" or "panic or cycle".
func (c Cause) String() string {
	if c < First || c > Again {
		return "unknown"
	}
	return [...]string{"first read", "reset", "panic or cycle"}[c-First]
}

// stats is what a node counts of its runs.
type stats struct {
	runs              int
	time, last, inner time.Duration // inner: of other nodes during the run that is under way
	text              string
	count             int
	why, next         any // why it ran last, and why it will run
}

// Stats returns the statistics of all results the graph holds, in no order. It computes nothing.
func (g *Graph) Stats() []Stats {
	all := make([]Stats, 0, len(g.nodes))
	for _, n := range g.nodes {
		s := &n.stats
		all = append(all, Stats{
			Label: n.def.Label, Kind: n.def.Kind, Watchers: len(n.watcher), Users: n.users, Runs: s.runs,
			Time: s.time, Last: s.last, Text: s.text, Count: s.count, Why: s.why,
		})
	}
	return all
}

// Note keeps a text and a number about the computation, for [Stats]. The last note of a run stays.
func (t *Tracker) Note(text string, count int) { t.node.stats.text, t.node.stats.count = text, count }

// clock says how long the graph exists. It reads one clock of the system where [time.Now] reads two.
func (g *Graph) clock() time.Duration { return time.Since(g.born) }

// begin begins to count a run of n.
func (g *Graph) begin(n *node) (start time.Duration) {
	s := &n.stats
	s.why, s.inner, s.text, s.count = s.next, 0, "", -1
	return g.clock()
}

// ran counts a run of n, also one that panicked.
func (g *Graph) ran(n *node, start time.Duration) {
	took := g.clock() - start
	if i := len(g.running) - 2; i >= 0 {
		g.running[i].stats.inner += took
	}
	s := &n.stats
	s.last = took - s.inner
	s.time += s.last
	s.runs++
}
