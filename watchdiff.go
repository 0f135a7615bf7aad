package livestore

import (
	"context"
	"iter"
	"reflect"
	"slices"
	"sort"
)

// Diff says how the rows of a source have become others.
type Diff[R any] struct {
	// Rows are all rows as they are now. They are shared with others who read the same: do not change them.
	Rows []R
	// Changes turn the rows before into these, applied one after the other: first what is removed, the last place first, then what is
	// inserted, the first place first, then what is updated. A row that has moved is removed and inserted; as few rows as possible are.
	Changes []Change[R]
}

// Change is what has happened to one row of a list.
type Change[R any] struct {
	Kind ChangeKind
	// At is the place in the list at the moment of the change, counted from 0: of the row that is removed or updated, or that the inserted
	// one has afterwards.
	At int
	// Row is the row as it is now; one that is removed, as it was.
	Row R
}

// ChangeKind is what can happen to a row of a list.
type ChangeKind uint8

// The kinds of changes.
const (
	Removed ChangeKind = iota + 1
	Inserted
	Updated
)

// String returns "removed", "inserted" or "updated".
func (k ChangeKind) String() string {
	if k < Removed || k > Updated {
		return "unknown"
	}
	return [...]string{"removed", "inserted", "updated"}[k-Removed]
}

// WatchDiff is [Watch] for lists: it iterates over how the rows of a source change. The first diff inserts all rows that are there.
//
// key tells rows apart, as the primary key does; of rows with the same key the first is the first of before, the second the second, and so
// on. A row with another content than before, as [reflect.DeepEqual] finds, is updated.
//
// A slow loop misses results, not changes: the next diff is against the last one it has seen. After an error the next diff is against the
// rows before it.
func WatchDiff[R any, K comparable](ctx context.Context, s *Store, src Source[[]R], key func(R) K) iter.Seq2[Diff[R], error] {
	if key == nil {
		panic("livestore: WatchDiff: the function that gives the key of a row is nil")
	}
	return func(yield func(Diff[R], error) bool) {
		var before []R
		first := true
		for rows, err := range Watch(ctx, s, src) {
			if err != nil {
				if !yield(Diff[R]{}, err) {
					return
				}
				continue
			}
			d := Diff[R]{Rows: rows, Changes: diff(before, rows, key)}
			before = rows
			if (first || len(d.Changes) > 0) && !yield(d, nil) {
				return
			}
			first = false
		}
	}
}

// occurrence is a row by its key, and how many with the same key come before it.
type occurrence[K comparable] struct {
	key K
	nth int
}

// places returns where each row is.
func places[R any, K comparable](rows []R, key func(R) K) (at map[occurrence[K]]int, of []occurrence[K]) {
	at = make(map[occurrence[K]]int, len(rows))
	of = make([]occurrence[K], len(rows))
	seen := make(map[K]int, len(rows))
	for i, r := range rows {
		k := key(r)
		of[i] = occurrence[K]{k, seen[k]}
		seen[k]++
		at[of[i]] = i
	}
	return at, of
}

// diff returns what turns one list into another.
func diff[R any, K comparable](before, now []R, key func(R) K) (changes []Change[R]) {
	was, _ := places(before, key)
	_, is := places(now, key)
	old := make([]int, len(now)) // where each row was, -1 for nowhere
	for i, o := range is {
		old[i] = -1
		if j, ok := was[o]; ok {
			old[i] = j
		}
	}
	stays := ascending(old)
	kept := make([]bool, len(before))
	for i, s := range stays {
		if s {
			kept[old[i]] = true
		}
	}
	for j := range slices.Backward(before) {
		if !kept[j] {
			changes = append(changes, Change[R]{Removed, j, before[j]})
		}
	}
	for i, s := range stays {
		if !s {
			changes = append(changes, Change[R]{Inserted, i, now[i]})
		}
	}
	for i, s := range stays {
		if s && !reflect.DeepEqual(before[old[i]], now[i]) {
			changes = append(changes, Change[R]{Updated, i, now[i]})
		}
	}
	return changes
}

// ascending marks a longest ascending part of numbers; those below 0 are left out.
func ascending(numbers []int) []bool {
	var ends []int // the index of the least number that ends an ascending part of each length
	before := make([]int, len(numbers))
	for i, n := range numbers {
		if n < 0 {
			continue
		}
		at := sort.Search(len(ends), func(k int) bool { return numbers[ends[k]] >= n })
		before[i] = -1
		if at > 0 {
			before[i] = ends[at-1]
		}
		if at == len(ends) {
			ends = append(ends, i)
		} else {
			ends[at] = i
		}
	}
	marked := make([]bool, len(numbers))
	if len(ends) > 0 {
		for i := ends[len(ends)-1]; i >= 0; i = before[i] {
			marked[i] = true
		}
	}
	return marked
}
