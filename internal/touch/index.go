package touch

import (
	"math/bits"

	"github.com/livestore-go/livestore/internal/sqlite"
)

// Index holds reads. It is not safe for concurrent use. Make one with [New].
type Index struct {
	tables map[string]*tableReads
	hit    func(Read)
	key    []byte
	now    []byte
}

// New returns an empty index, which calls hit with the reads that a row touches.
func New(hit func(Read)) *Index { return &Index{tables: map[string]*tableReads{}, hit: hit} }

// tableReads are the reads of one table.
type tableReads struct {
	columns map[sqlite.Columns]int // how many reads have a set of columns
	union   sqlite.Columns         // of those
	all     map[Read]struct{}      // reads of all rows
	equal   map[sqlite.Columns]map[string][]Read
	ranges  map[sqlite.Columns]*ranges
}

// Add adds a read that is not there yet.
func (x *Index) Add(r Read) {
	t := x.tables[r.table]
	if t == nil {
		t = &tableReads{
			columns: map[sqlite.Columns]int{}, all: map[Read]struct{}{}, equal: map[sqlite.Columns]map[string][]Read{},
			ranges: map[sqlite.Columns]*ranges{},
		}
		x.tables[r.table] = t
	}
	t.columns[r.columns]++
	t.union |= r.columns
	switch {
	case r.on == 0:
		t.all[r] = struct{}{}
	case r.ranged:
		if t.ranges[r.on] == nil {
			t.ranges[r.on] = &ranges{}
		}
		t.ranges[r.on].add(r)
	default:
		if t.equal[r.on] == nil {
			t.equal[r.on] = map[string][]Read{}
		}
		t.equal[r.on][r.low] = append(t.equal[r.on][r.low], r)
	}
}

// Remove removes a read that is there.
func (x *Index) Remove(r Read) {
	t := x.tables[r.table]
	if t.columns[r.columns]--; t.columns[r.columns] == 0 {
		delete(t.columns, r.columns)
		t.union = 0
		for c := range t.columns {
			t.union |= c
		}
		if len(t.columns) == 0 {
			delete(x.tables, r.table)
			return
		}
	}
	switch {
	case r.on == 0:
		delete(t.all, r)
	case r.ranged:
		if t.ranges[r.on].remove(r); t.ranges[r.on].root == nil {
			delete(t.ranges, r.on)
		}
	default:
		t.removeEqual(r)
	}
}

func (t *tableReads) removeEqual(r Read) {
	reads := t.equal[r.on][r.low]
	for i := range reads {
		if reads[i] == r {
			last := len(reads) - 1
			reads[i] = reads[last]
			reads = reads[:last:last]
			break
		}
	}
	if len(reads) > 0 {
		t.equal[r.on][r.low] = reads
		return
	}
	delete(t.equal[r.on], r.low)
	if len(t.equal[r.on]) == 0 {
		delete(t.equal, r.on)
	}
}

// Row hits each read that a row which changes can touch, some of them twice. It is what [sqlite.Conn.OnRow] wants.
func (x *Index) Row(row *sqlite.Row) {
	t := x.tables[row.Table]
	if t == nil {
		return
	}
	if row.Coarse {
		t.each(x.hit)
		return
	}
	changed := row.Changed(t.union)
	hit := x.hit
	if row.Was() && row.Is() { // who reads no column only counts rows
		if changed == 0 {
			return
		}
		hit = func(r Read) {
			if r.columns&changed != 0 {
				x.hit(r)
			}
		}
	}
	for r := range t.all {
		hit(r)
	}
	for on, byKey := range t.equal {
		if row.Was() && !x.lookUp(row.AppendOld, on, byKey, hit) || row.Is() && !x.lookUp(row.AppendNew, on, byKey, hit) {
			t.each(x.hit)
			return
		}
	}
	for on, tree := range t.ranges {
		if row.Was() && !x.stab(row.AppendOld, on, tree, hit) || row.Is() && !x.stab(row.AppendNew, on, tree, hit) {
			t.each(x.hit)
			return
		}
	}
}

// each names all reads of the table.
func (t *tableReads) each(f func(Read)) {
	for r := range t.all {
		f(r)
	}
	for _, byKey := range t.equal {
		for _, reads := range byKey {
			for _, r := range reads {
				f(r)
			}
		}
	}
	for _, tree := range t.ranges {
		tree.root.each(f)
	}
}

// value appends the value of a column, before or after a change.
type value func(b []byte, column int) ([]byte, bool)

// lookUp names the reads of rows with the values that the row has. It returns false when it can not read them.
func (x *Index) lookUp(get value, on sqlite.Columns, byKey map[string][]Read, hit func(Read)) (ok bool) {
	x.key = x.key[:0]
	for rest := on; rest != 0; rest &= rest - 1 {
		if x.now, ok = get(x.now[:0], bits.TrailingZeros64(uint64(rest))); !ok {
			return false
		}
		x.key = appendPart(x.key, string(x.now))
	}
	for _, r := range byKey[string(x.key)] {
		hit(r)
	}
	return true
}

// stab names the reads of rows with the value that the row has in their range.
func (x *Index) stab(get value, on sqlite.Columns, tree *ranges, hit func(Read)) (ok bool) {
	if x.now, ok = get(x.now[:0], bits.TrailingZeros64(uint64(on))); !ok {
		return false
	}
	tree.root.stab(string(x.now), hit)
	return true
}
