package livestore_test

import (
	"strconv"
	"testing"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/state"
)

// filled opens a store in memory with n to-dos.
func filled(b *testing.B, n int) *livestore.Store {
	s := openStore(b)
	var drafts []event.Draft
	for i := range n {
		drafts = append(drafts, create(strconv.Itoa(i), "Buy milk"))
	}
	commit(b, s, drafts...)
	return s
}

func BenchmarkGetLiveQueryUnchanged(b *testing.B) {
	s := filled(b, 1000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := livestore.Get(s, open); err != nil { // and no helper, which costs more
			b.Fatal(err)
		}
	}
}

func BenchmarkGetComputedUnchanged(b *testing.B) {
	s := filled(b, 1000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := livestore.Get(s, openCount); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGetPoint(b *testing.B) {
	s := filled(b, 1000)
	q := todos.Where(state.Eq(&todos.Row.ID, "500")).First()
	b.ReportAllocs()
	for b.Loop() {
		get(b, s, q)
	}
}

func BenchmarkGetPointBuilt(b *testing.B) {
	s := filled(b, 1000)
	b.ReportAllocs()
	for b.Loop() {
		get(b, s, todos.Where(state.Eq(&todos.Row.ID, "500")).First())
	}
}

func BenchmarkGet100Rows(b *testing.B) {
	s := filled(b, 1000)
	q := todos.OrderBy(state.Asc(&todos.Row.ID)).Limit(100)
	b.ReportAllocs()
	for b.Loop() {
		get(b, s, q)
	}
}
