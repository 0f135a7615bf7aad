package interop_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/livestore-go/livestore/interop/relay"
	"github.com/livestore-go/livestore/interop/todomvc"
)

// TestIdleMinute has an official client and one of ours that say nothing for more than a minute, on our server and on the official backend:
// the connections stay, and what is committed then comes through on them. This is the one test that takes its time; the others run
// meanwhile.
func TestIdleMinute(t *testing.T) {
	type quiet struct {
		*world

		relays  [2]*relay.Relay
		clients [2]peer
		before  [2]int // connections
	}
	var worlds []*quiet
	for _, s := range stages {
		q := new(quiet)
		if len(worlds) == 0 {
			q.world = newWorld(t, s.start)
		} else {
			q.world = makeWorld(t, worlds[0].install, s.start)
		}
		worlds = append(worlds, q)
		for i, k := range []kind{js, golang} {
			q.relays[i] = q.relay()
			q.clients[i] = q.open(k, q.relays[i].URL())
		}
		q.ok(q.clients[0].Commit(q.ctx, todomvc.Create("before", "")))
		q.await(1, q.clients[:]...)
		for i, r := range q.relays {
			q.before[i], _ = r.Accepted()
		}
	}
	select {
	case <-time.After(65 * time.Second):
	case <-worlds[0].ctx.Done():
		t.Fatal(worlds[0].ctx.Err())
	}
	for k, q := range worlds {
		for i := range 4 {
			q.ok(q.clients[i%2].Commit(q.ctx, todomvc.Create(fmt.Sprint("after", i), "")))
			q.await(2+i, q.clients[:]...)
		}
		for i, r := range q.relays {
			if n, _ := r.Accepted(); n != q.before[i] {
				t.Errorf("%s: client %d connected %d times more", stages[k].name, i+1, n-q.before[i])
			}
		}
		q.converged(5, q.clients[:]...)
	}
}
