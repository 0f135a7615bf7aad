package sim_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/livestore-go/livestore/internal/sim"
	"github.com/livestore-go/livestore/internal/sqlite/crashvfs"
)

// leftover is how many schedules TestNothingIsLeft runs.
const leftover = schedules / 12

// TestNothingIsLeft runs schedules one after the other: no goroutine of theirs is left, nor a disk that SQLite knows.
func TestNothingIsLeft(t *testing.T) {
	if r := sim.RunFleet(1, nil); r.Err != nil { // what is made once and kept
		t.Fatal(r)
	}
	goroutines, mounts := runtime.NumGoroutine(), crashvfs.Mounts()
	for seed := uint64(2); seed < 2+leftover; seed++ {
		if r := sim.Schedule(seed, nil); r.Err != nil {
			t.Fatal(r)
		}
		if n := crashvfs.Mounts(); n != mounts {
			t.Fatalf("seed %d: %d disks are left", seed, n-mounts)
		}
		for range 1000 { // one that has just handed over its last result may be about to end
			if runtime.NumGoroutine() <= goroutines {
				break
			}
			runtime.Gosched()
		}
		if n := runtime.NumGoroutine(); n > goroutines {
			all := make([]byte, 1<<16)
			t.Fatalf("seed %d: %d goroutines are left:\n%s", seed, n-goroutines, all[:runtime.Stack(all, true)])
		}
	}
}

// TestMemoryIsFlat runs the same few schedules again and again: what is alive does not grow.
func TestMemoryIsFlat(t *testing.T) {
	const (
		seeds  = 6
		rounds = 4
		most   = 2 << 20 // bytes, for all rounds together; one schedule has tens of megabytes while it runs
	)
	alive := func() int64 {
		for range 3 { // what is cleaned up by finalizers takes more than one
			runtime.GC()
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	round := func() {
		for seed := range uint64(seeds) {
			if r := sim.Schedule(seed+1, nil); r.Err != nil {
				t.Fatal(r)
			}
		}
	}
	round()
	before := alive()
	var after []string
	for range rounds {
		round()
		after = append(after, fmt.Sprint((alive()-before)/1024))
	}
	t.Logf("%d kB are alive after the first round; more after each of the others, in kB: %v", before/1024, after)
	if grown := alive() - before; grown > most {
		t.Errorf("%d bytes more are alive after %d rounds of the same schedules: %v kB", grown, rounds, after)
	}
}
