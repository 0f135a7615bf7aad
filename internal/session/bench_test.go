package session_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/livestore-go/livestore/internal/session"
)

// BenchmarkPullWhileOffline commits and pulls one event while others wait for the backend's confirmation: it costs the same with few and
// with many of them, in a session that made them and in one that has booted since.
func BenchmarkPullWhileOffline(b *testing.B) {
	for _, waiting := range []int{0, 8000} {
		for _, booted := range []bool{false, true} {
			b.Run(fmt.Sprintf("waiting=%d/booted=%v", waiting, booted), func(b *testing.B) {
				lm := leaderMachine(b, schema, true)
				m := machine(b, lm, "a", nil)
				var receipts []*session.Commit
				next := func() {
					id := fmt.Sprint("n", len(receipts))
					receipts = append(receipts, admit(b, m, add(id, id)))
				}
				for range waiting {
					next()
					if len(receipts)%1000 == 0 {
						settle(b, lm, m)
					}
				}
				settle(b, lm, m)
				if booted {
					m = machine(b, lm, "b", nil)
				}
				for b.Loop() {
					b.StopTimer()
					next()
					push(b, lm, m)
					b.StartTimer()
					if err := pull(lm, m); err != nil {
						b.Fatal(err)
					}
				}
				runtime.KeepAlive(receipts)
			})
		}
	}
}
