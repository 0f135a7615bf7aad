package reactive

import "testing"

func BenchmarkReadUnchanged(b *testing.B) {
	g := New(0)
	d := &Def{Compute: func(t *Tracker) (any, error) { t.Depend("x"); return "value", nil }}
	g.Read(nil, d)
	b.ReportAllocs()
	for b.Loop() {
		g.Read(nil, d)
	}
}

// BenchmarkInvalidateOneOfMany changes a source that one of 10,000 watched nodes reads, and lets that one read.
func BenchmarkInvalidateOneOfMany(b *testing.B) {
	g := New(0)
	var watchers []*Watcher
	for i := range 10_000 {
		d := &Def{Compute: func(t *Tracker) (any, error) { t.Depend(i); return nil, nil }}
		w := g.Watch(d, func() {})
		w.Read(nil)
		watchers = append(watchers, w)
	}
	var key any = 5_000
	b.ReportAllocs()
	for b.Loop() {
		g.Invalidate(key)
		watchers[5_000].Read(nil)
	}
}

// BenchmarkInvalidateUnread changes a source nobody reads.
func BenchmarkInvalidateUnread(b *testing.B) {
	g := New(0)
	for i := range 10_000 {
		d := &Def{Compute: func(t *Tracker) (any, error) { t.Depend(i); return nil, nil }}
		g.Watch(d, func() {}).Read(nil)
	}
	var key any = "other"
	b.ReportAllocs()
	for b.Loop() {
		g.Invalidate(key)
	}
}

// BenchmarkChain brings 100 nodes in a row up to date after the source of the first changed.
func BenchmarkChain(b *testing.B) {
	g := New(0)
	x := 0
	d := &Def{Compute: func(t *Tracker) (any, error) { t.Depend("x"); return x, nil }, Equal: func(a, b any) bool { return a == b }}
	for range 99 {
		below := d
		d = &Def{Compute: func(t *Tracker) (any, error) { return t.Use(below) }, Equal: func(a, b any) bool { return a == b }}
	}
	b.ReportAllocs()
	for b.Loop() {
		x++
		g.Invalidate("x")
		g.Read(nil, d)
	}
}
