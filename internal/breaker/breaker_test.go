package breaker_test

import (
	"testing"
	"time"

	"github.com/livestore-go/livestore/internal/breaker"
)

func TestBreaker(t *testing.T) {
	var b breaker.Breaker
	turn := func() time.Duration { b.Turn(); return b.Wait() }
	for i := range 7 {
		if d := turn(); d != 0 || b.Open() || b.Why("taken") != "" {
			t.Errorf("after turn %d the next push waits %s", i+1, d)
		}
	}
	want := 50 * time.Millisecond
	for i := range 20 {
		d := turn()
		if d != want || !b.Open() || b.First() != (i == 0) {
			t.Errorf("after turn %d the next push waits %s, want %s", i+8, d, want)
		}
		if again := b.Wait(); again != 0 {
			t.Errorf("and once more: %s", again)
		}
		want = min(2*want, 3200*time.Millisecond)
	}
	if got, want := b.Why("taken by the leader"),
		"rebased 27 times in a row without anything of it being taken by the leader: the next push waits 3.2s"; got != want {
		t.Errorf("it says %q, want %q", got, want)
	}
	b.Turn()
	b.Progress()
	if d := b.Wait(); d != 0 || b.Open() || b.Why("taken") != "" {
		t.Errorf("after progress the next push waits %s", d)
	}
	for range 7 { // it counts from the beginning
		if d := turn(); d != 0 {
			t.Errorf("it waits %s", d)
		}
	}
	if d := turn(); d != 50*time.Millisecond {
		t.Errorf("it waits %s", d)
	}
}
