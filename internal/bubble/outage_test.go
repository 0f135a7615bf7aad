package bubble

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/event"
)

// How long things take at most, by the documentation of the provider and of the server with their defaults.
const (
	noticed  = 20 * time.Second        // by the provider: an interval until the next ping, and one without an answer
	cutOff   = 81 * time.Second        // by the server: silent for 30 s, a ping that takes 20 s, looked at every 30 s
	backSoon = (36 + 10) * time.Second // the longest pause between two attempts, and one that is under way
	goodbye  = 500 * time.Millisecond  // for the backend to answer a close
	minutes  = 5 * time.Minute         // for what takes no time once there is a connection
)

// inBoth runs a scenario in memory on both sides, and with files on both sides.
func inBoth(t *testing.T, scenario func(t *testing.T, b *bed, files bool)) {
	t.Helper()
	for _, files := range []bool{false, true} {
		storage := "memstore"
		if files {
			storage = "sqlitestore"
		}
		t.Run(fmt.Sprintf("files=%t", files), func(t *testing.T) {
			in(t, storage, nil, func(t *testing.T, b *bed) { scenario(t, b, files) })
		})
	}
}

func confirm(t testing.TB, receipts ...*livestore.Receipt) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), minutes)
	defer cancel()
	for _, r := range receipts {
		if err := r.Wait(ctx, livestore.Confirmed); err != nil {
			t.Fatalf("commit %s: %v", r.ID(), err)
		}
	}
}

func TestHourWithoutNetwork(t *testing.T) {
	for what, q := range map[string]quality{"refused": refusing, "black": black, "stuck": stuck} {
		t.Run(what, func(t *testing.T) {
			inBoth(t, func(t *testing.T, b *bed, files bool) {
				cx, cy := b.client("x", files), b.client("y", files)
				x, y := cx.open(), cy.open()
				b.converge(t, minutes, x, y)
				cx.line.set(q)
				if q == refusing {
					cx.line.cut()
				}
				var receipts []*livestore.Receipt
				for i := range 60 {
					start := time.Now()
					receipts = append(receipts, commit(t, x, add(fmt.Sprint("x", i))), commit(t, y, add(fmt.Sprint("y", i))))
					if d := time.Since(start); d > 0 {
						t.Errorf("commits took %v", d)
					}
					pass(time.Minute)
				}
				if st := x.SyncStatus(); st.Connected || st.Synced() || st.Unconfirmed != 60 || st.Why == "" {
					t.Errorf("after an hour: %+v", st)
				}
				if n := cx.line.attempts(); n < 60 || n > 200 {
					t.Errorf("%d attempts to connect in an hour", n)
				}
				cx.line.set(good)
				if d := until(t, x, minutes, "synced", synced); d > backSoon {
					t.Errorf("it took %v to come back", d)
				}
				confirm(t, receipts...)
				b.converge(t, minutes, x, y)
				if n := get(t, x, count); n != 120 {
					t.Errorf("there are %d rows", n)
				}
			})
		})
	}
}

// Neither end hears that the connection is gone. The client asks for signs of life, and so does the server.
func TestHalfOpenConnection(t *testing.T) {
	inBoth(t, func(t *testing.T, b *bed, files bool) {
		c := b.client("x", files)
		x := c.open()
		until(t, x, minutes, "synced", synced)
		for i := range 7 {
			pass(time.Duration(i) * 1700 * time.Millisecond) // at several moments of the interval
			if n := serving(); n != 1 {
				t.Errorf("the server has %d connections", n)
			}
			c.line.set(black)
			if d := until(t, x, minutes, "offline", offline); d > noticed {
				t.Errorf("it took the client %v to notice", d)
			}
			pass(cutOff)
			if n := serving(); n != 0 {
				t.Errorf("the server has %d connections after %v", n, cutOff)
			}
			c.line.set(good)
			if d := until(t, x, minutes, "synced", synced); d > backSoon {
				t.Errorf("it took %v to come back", d)
			}
		}
	})
}

// serving returns how many connections the server has.
func serving() (n int) {
	for _, s := range stacks() {
		if strings.Contains(s, "server.(*conn).serve(") {
			n++
		}
	}
	return n
}

// Connections that live for three seconds, at both clients, for ten minutes: work goes on.
func TestFlappingConnections(t *testing.T) {
	inBoth(t, func(t *testing.T, b *bed, files bool) {
		cx, cy := b.client("x", files), b.client("y", files)
		x, y := cx.open(), cy.open()
		cx.line.slow(20 * time.Millisecond)
		cy.line.slow(50 * time.Millisecond)
		most := 0
		for i := range 600 {
			commit(t, x, add(fmt.Sprint("x", i)))
			commit(t, y, add(fmt.Sprint("y", i)))
			pass(time.Second)
			if i%3 == 0 {
				cx.line.cut()
			}
			if i%3 == 1 {
				cy.line.cut()
			}
			most = max(most, x.SyncStatus().Unconfirmed, y.SyncStatus().Unconfirmed)
		}
		if most > 100 {
			t.Errorf("up to %d events were not confirmed: what comes in between is not made use of", most)
		}
		b.converge(t, minutes, x, y)
		if n := get(t, x, count); n != 1200 {
			t.Errorf("there are %d rows", n)
		}
	})
}

func TestServerRestarts(t *testing.T) {
	inBoth(t, func(t *testing.T, b *bed, files bool) {
		x, y := b.client("x", files).open(), b.client("y", files).open()
		ctx, cancel := context.WithCancel(context.Background())
		var working sync.WaitGroup
		for _, s := range []*livestore.Store{x, y} {
			working.Go(func() {
				for i := 0; ctx.Err() == nil; i++ {
					commit(t, s, add(fmt.Sprint(s.ClientID(), i)))
					_ = sleep(ctx, 700*time.Millisecond)
				}
			})
		}
		for i := range 10 {
			pass(time.Duration(i) * 3 * time.Second)
			b.stop()
			if i%2 == 0 {
				pass(time.Minute)
			}
			b.start()
		}
		cancel()
		working.Wait()
		b.converge(t, minutes, x, y)
	})
}

// Ten thousand events come while sync is paused, and some are committed meanwhile.
func TestPausedWhileMuchComes(t *testing.T) {
	inBoth(t, func(t *testing.T, b *bed, files bool) {
		cx, cy := b.client("x", files), b.client("y", files)
		x, y, z := cx.open(), cy.open(), cy.open()
		b.converge(t, minutes, x, y, z)
		if err := y.PauseSync(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i := range 100 {
			var drafts []event.Draft
			for k := range 100 {
				drafts = append(drafts, set.New(itemSet{ID: fmt.Sprint("row", k), Text: fmt.Sprint(i)}))
			}
			commit(t, x, drafts...)
			commit(t, []*livestore.Store{y, z}[i%2], add(fmt.Sprint("y", i)))
			pass(time.Second)
		}
		if st := y.SyncStatus(); st.Paused != livestore.PausedByApp || st.Unconfirmed != 100 {
			t.Errorf("paused: %+v", st)
		}
		if err := y.ResumeSync(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.converge(t, minutes, x, y, z)
		if n := get(t, y, count); n != 200 {
			t.Errorf("there are %d rows", n)
		}
	})
}

// A client whose line takes nothing more holds up nobody, and is cut off.
func TestReaderThatDoesNotRead(t *testing.T) {
	inBoth(t, func(t *testing.T, b *bed, files bool) {
		cx, cy := b.client("x", files), b.client("y", files)
		x, y := cx.open(), cy.open()
		b.converge(t, minutes, x, y)
		cy.line.set(stuck)
		large := strings.Repeat("x", 10_000)
		for i := range 600 { // 6 MB
			r := commit(t, x, added.New(itemAdded{ID: fmt.Sprint("x", i), Text: large}))
			start := time.Now()
			confirm(t, r)
			if d := time.Since(start); d > 0 {
				t.Fatalf("commit %d was confirmed after %v", i, d)
			}
			pass(100 * time.Millisecond)
		}
		pass(30 * time.Second) // write timeout
		if n := serving(); n != 1 {
			t.Errorf("the server has %d connections", n)
		}
		cy.line.set(good)
		b.converge(t, minutes, x, y)
	})
}

// While the backend refuses the credentials, everything goes on here; afterwards there.
func TestRefusedForAnHour(t *testing.T) {
	inBoth(t, func(t *testing.T, b *bed, files bool) {
		b.stop()
		var valid atomic.Bool
		b.authorize(func() error {
			if !valid.Load() {
				return errors.New("token expired")
			}
			return nil
		})
		b.start()
		x := b.client("x", files).open()
		for i := range 60 {
			commit(t, x, add(fmt.Sprint("x", i)))
			pass(time.Minute)
		}
		if st := x.SyncStatus(); st.Paused != livestore.PausedCredentials || st.Unconfirmed != 60 {
			t.Errorf("refused: %+v", st)
		}
		valid.Store(true)
		if d := until(t, x, minutes, "synced", synced); d > time.Minute {
			t.Errorf("it took %v", d)
		}
		b.converge(t, minutes, x)
	})
}
