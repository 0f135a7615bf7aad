package interop_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/livestore-go/livestore/interop/todomvc"
)

// Each scenario runs on our server with an official client and one of ours, and with two official ones; on the official backend
// with two of ours, and one of each.
var stages = []struct {
	name  string
	start func(w *world) backend
	pairs []pair
}{
	{"our server", startOurs, []pair{{js, golang}, {js, js}}},
	{"official backend", startTheirs, []pair{{golang, golang}, {golang, js}}},
}

// loses says whether a client may lose events to its backend in a scenario: the official backend sends what is pushed at once, ahead of
// the pages that a pull is still to get, and an official client takes that for all there is. Where both meet, the scenario keeps what is
// pushed away from such pulls.
func (w *world) loses(p pair) bool {
	_, theirs := w.backend.(*theirs)
	return theirs && (p[0] == js || p[1] == js)
}

// everywhere runs a scenario on each stage.
func everywhere(t *testing.T, scenario func(w *world, p pair)) {
	t.Parallel()
	for _, s := range stages {
		for _, p := range s.pairs {
			t.Run(fmt.Sprintf("%s/%s", s.name, p), func(t *testing.T) { scenario(newWorld(t, s.start), p) })
		}
	}
}

// TestOfficial shows that the harness is right: two official clients on the official backend.
func TestOfficial(t *testing.T) {
	live(newWorld(t, startTheirs), pair{js, js})
}

// TestLive has two clients that are online: each sees what the other does.
func TestLive(t *testing.T) { everywhere(t, live) }

func live(w *world, p pair) {
	a, b := w.open(p[0], w.url()), w.open(p[1], w.url())
	var events int
	// commit commits with one client, and waits until the other has it.
	commit := func(from, to peer, e ...todomvc.Event) {
		w.Helper()
		w.ok(from.Commit(w.ctx, e...))
		events += len(e)
		w.await(events, to)
	}
	for i := range 10 {
		from, to := a, b
		if i%2 == 1 {
			from, to = b, a
		}
		id := fmt.Sprint("t", i)
		commit(from, to, todomvc.Create(id, "Füße <&> 🦶 \u2028 \"quoted\" \\ \n"))
		commit(to, from, todomvc.Complete(id), todomvc.Create("x"+id, ""), todomvc.Delete("x"+id, "2026-01-02T03:04:05.000Z"))
	}
	commit(a, b, todomvc.Uncomplete("t1"), todomvc.Uncomplete("t2"))
	commit(b, a, todomvc.Clear("2026-11-24T10:11:12.345Z"))
	w.converged(events, a, b)
}

// TestOffline has two clients that are offline, write 500 events each, some about the same to-dos, and come back together: one of them
// rebases on the other.
func TestOffline(t *testing.T) {
	everywhere(t, func(w *world, p pair) {
		const shared, own = 10, 490
		ra, rb := w.relay(), w.relay()
		a, b := w.open(p[0], ra.URL()), w.open(p[1], rb.URL())
		w.ok(a.Write(w.ctx, "shared", shared, shared, 0))
		w.await(shared, a, b)

		ra.Down()
		rb.Down()
		for i := range shared {
			id := fmt.Sprint("shared", i)
			w.ok(a.Commit(w.ctx, todomvc.Complete(id)))
			w.ok(b.Commit(w.ctx, todomvc.Delete(id, "2026-01-02T03:04:05.678Z")))
		}
		w.ok(a.Write(w.ctx, "a", own, 10, 0))
		w.ok(b.Write(w.ctx, "b", own, 1, 0))
		ra.Up()
		if w.loses(p) {
			w.await(2*shared+own, a)
		}
		rb.Up()
		w.await(shared+2*(shared+own), a, b)
		log := w.converged(shared+2*(shared+own), a, b)
		w.once(log, "a", own)
		w.once(log, "b", own)
	})
}

// TestPaging has a store of 2,000 events and clients that come fresh to it.
func TestPaging(t *testing.T) {
	everywhere(t, func(w *world, p pair) {
		const n = 2000
		a := w.open(p[0], w.url())
		w.ok(a.Write(w.ctx, "a", n, 50, 0))
		w.await(n, a)
		b := w.open(p[1], w.url())
		w.await(n, a, b)
		w.once(w.converged(n, a, b), "a", n)
	})
}

// TestFreshWhileAnotherWrites has a client that comes to a store while another writes to it.
func TestFreshWhileAnotherWrites(t *testing.T) {
	everywhere(t, func(w *world, p pair) {
		const before, meanwhile = 600, 300
		if w.loses(p) {
			p[1] = golang
		}
		a := w.open(p[0], w.url())
		w.ok(a.Write(w.ctx, "a", before, 50, 0))
		w.await(before, a)

		var wg sync.WaitGroup
		wg.Go(func() { w.check(a.Write(w.ctx, "m", meanwhile, 1, time.Millisecond)) })
		b := w.open(p[1], w.url())
		wg.Wait()
		w.await(before+meanwhile, a, b)
		log := w.converged(before+meanwhile, a, b)
		w.once(log, "a", before)
		w.once(log, "m", meanwhile)
	})
}

// TestReconnect cuts the connections of two clients that write, refuses them for a while, and kills the backend under them.
func TestReconnect(t *testing.T) {
	everywhere(t, func(w *world, p pair) {
		const n = 50 // a client and a disturbance
		ra, rb := w.relay(), w.relay()
		a, b := w.open(p[0], ra.URL()), w.open(p[1], rb.URL())
		disturb := []func(){
			ra.Cut,
			rb.Cut,
			func() {
				ra.Down()
				rb.Cut()
				ra.Up()
			},
			func() {
				w.backend.kill()
				w.backend.restart(w)
				ra.Target(w.backend.addr())
				rb.Target(w.backend.addr())
				ra.Cut()
				rb.Cut()
			},
		}
		events := 0
		for i, disturb := range disturb {
			write := func(name string, from peer) func() {
				return func() { w.check(from.Write(w.ctx, fmt.Sprint(name, i, "-"), n, 1, 2*time.Millisecond)) }
			}
			if p[0] == golang && p[1] == golang {
				var wg sync.WaitGroup
				wg.Go(write("a", a))
				wg.Go(write("b", b))
				disturb()
				wg.Wait()
				events += 2 * n
				w.await(events, a, b)
				continue
			}
			for k, turn := range []func(){write("a", a), write("b", b)} {
				if k == i%2 {
					w.turn(p, disturb, turn, a, b)
				} else {
					turn()
				}
				events += n
				w.await(events, a, b)
			}
		}
		log := w.converged(events, a, b)
		for i := range disturb {
			w.once(log, fmt.Sprint("a", i, "-"), n)
			w.once(log, fmt.Sprint("b", i, "-"), n)
		}
	})
}

// turn has one client write under a disturbance, while the other is quiet: an official client that rebases while it commits leaves out
// an event when it pushes on. Our server refuses what follows the gap, and the client waits for good; the official one stores it.
func (w *world) turn(p pair, disturb, write func(), peers ...peer) {
	w.Helper()
	if w.loses(p) {
		disturb()
		for _, p := range peers {
			w.ok(p.AwaitConnected(w.ctx, true))
			w.await(0, p)
		}
		write()
		return
	}
	var wg sync.WaitGroup
	wg.Go(write)
	disturb()
	wg.Wait()
}
