package crashtest

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/client"
	"github.com/livestore-go/livestore/internal/journal"
	"github.com/livestore-go/livestore/internal/link"
	"github.com/livestore-go/livestore/internal/session"
)

// rebase runs a client with a backend in which another client is busy. It says
//
//	open               the client has booted, journals of earlier runs are taken
//	trying LABEL       a commit begins
//	committed LABEL    it returned
//	persisted LABEL    it is in the eventlog
//	pulling            the leader gets events of the other client, and rebases
//	pulled             and is done
func (j job) rebase() error {
	w := newWorld(client.Files{FS: journal.OS(j.dir), Dir: j.dir, Synced: true}, j.seed)
	w.turn, w.schema = j.turn, j.schema
	w.say = func(what string, l label) { sayf("%s %s", what, l) }
	if err := w.boot(); err != nil {
		return err
	}
	if err := w.restore(); err != nil {
		return err
	}
	sayf("open")
	for range j.sessions {
		if err := w.open(); err != nil {
			return err
		}
	}
	for events := 0; ; {
		s := w.sessions[w.r.IntN(len(w.sessions))]
		n := []int{1, 3, 20, 40}[w.r.IntN(4)]
		if events += n; events > j.budget {
			sayf("rest")
			select {}
		}
		if err := w.commit(s, n, false); err != nil {
			return err
		}
		if err := w.commit(s, 1, true); err != nil {
			return err
		}
		if w.r.IntN(2) == 0 {
			continue // the journals grow
		}
		if err := w.push(true); err != nil {
			return err
		}
		if err := w.pull(s); err != nil {
			return err
		}
		if w.r.IntN(4) == 0 {
			if err := w.upload(); err != nil {
				return err
			}
		}
		w.note()
		w.backend.foreign(1 + w.r.IntN(8))
		sayf("pulling")
		if err := w.download(0); err != nil {
			return err
		}
		sayf("pulled")
	}
}

// restore gives the client a backend that has what it had confirmed.
func (w *world) restore() error {
	w.backend = &backend{}
	up := w.leader.Heads().Upstream
	for after := (event.SeqNum{}); ; {
		reply, err := w.leader.Events(link.EventsRequest{After: after, Limit: 1000})
		if err != nil {
			return err
		}
		for _, e := range reply.Events {
			if !e.Num.IsClientOnly() && e.Num.ComparePosition(up) <= 0 {
				w.backend.log = append(w.backend.log, e.Global())
			}
			after = e.Num
		}
		if len(reply.Events) == 0 {
			return nil
		}
	}
}

var (
	rebaseDirs = pick(10, 2)
	rebaseEach = pick(6, 3)
)

// TestKillWhileRebasing kills a process whose leader goes from one rebase to the next, and boots with journals to take.
func TestKillWhileRebasing(t *testing.T) {
	t.Parallel()
	kills, inside, booting, commits, aside := 0, 0, 0, 0, 0
	for d := range rebaseDirs {
		dir := t.TempDir()
		w := newWorld(client.Files{FS: journal.OS(dir), Dir: dir, Synced: true}, uint64(d))
		r := rand.New(rand.NewPCG(3, uint64(d)))
		for n := range rebaseEach {
			m := moment{delay: time.Duration(r.Int64N(int64(150 * time.Millisecond)))}
			if r.IntN(4) == 0 {
				m = moment{boot: true, delay: time.Duration(r.Int64N(int64(60 * time.Millisecond)))}
			}
			j := job{what: "rebase", dir: dir, turn: w.turn, sessions: 2, seed: r.Uint64(), budget: 1500}
			k := kill(t, j, m)
			for _, l := range k.tried {
				w.commits = append(w.commits, &tracked{label: l})
			}
			w.heard(session.Committed, k.committed)
			w.heard(session.Persisted, k.persisted)
			kills++
			commits += len(k.committed)
			switch {
			case k.opened == 0:
				booting++
			case len(k.said) > 0 && k.said[len(k.said)-1] == "pulling":
				inside++
			}
			if n < rebaseEach-1 && r.IntN(3) == 0 {
				w.turn++
				continue // the next child finds what this one has left
			}
			if err := w.boot(); err != nil {
				t.Fatalf("boot after the crash: %v", err)
			}
			if err := w.restore(); err != nil {
				t.Fatal(err)
			}
			w.verify(t, session.Committed)
			aside = len(w.look(t).aside)
			w.end()
			if t.Failed() {
				t.Fatalf("directory %d, kill %d, %v; job %s; it had said %d lines, the last %q", d, w.turn, m, j, len(k.said), tail(k.said))
			}
			w.turn++
		}
	}
	t.Logf("%d kills, %d in a rebase, %d in a boot; %d commits had returned; %d set aside in the last directory", kills, inside, booting, commits, aside)
	if !slow && inside < kills/6 {
		t.Error("too few of the kills were in a rebase")
	}
}

// heard notes what a child has said.
func (w *world) heard(stage session.Stage, labels []label) {
	said := map[label]bool{}
	for _, l := range labels {
		said[l] = true
	}
	for _, c := range w.commits {
		if said[c.label] {
			c.stage = max(c.stage, stage)
		}
	}
}

var (
	rebuildKills  = pick(40, 4)
	rebuildEvents = pick(3000, 1000)
)

// TestKillWhileRebuilding kills a process in the boot that makes state anew, for the schema is another one each time.
func TestKillWhileRebuilding(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	store := p.open(t)
	for c := 0; c*400 < rebuildEvents; c++ {
		if _, err := store.Commit(t.Context(), label{session: parent, commit: c, events: 400}.drafts()...); err != nil {
			t.Fatal(err)
		}
	}
	p.log = collect(t, store)
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	p.turns++

	r := rand.New(rand.NewPCG(4, 0))
	boot, building, before, after := time.Duration(0), 0, 0, 0
	for n := range rebuildKills {
		p.schema++
		m := moment{} // the first shows how long it takes
		if n > 0 {
			m = moment{boot: true, delay: time.Duration(r.Int64N(int64(boot + boot/8)))}
		}
		j := job{what: "commit", dir: p.dir, schema: p.schema, turn: p.turns, sessions: 2, seed: r.Uint64(), budget: 20}
		k := kill(t, j, m)
		if n == 0 {
			boot = k.opened
		}
		switch {
		case p.building(t):
			building++
		case k.opened > 0:
			after++
		default:
			before++
		}
		if r.IntN(2) == 0 {
			p.schema++ // who comes next needs yet another state
		}
		p.heard(t, k)
		if r.IntN(3) > 0 || n == rebuildKills-1 {
			p.check(t)
		}
		if t.Failed() {
			t.Fatalf("kill %d, %v; job %s; it had said %q", n, m, j, k.said)
		}
	}
	t.Logf("%d kills in boots of about %v with %d events: %d before, %d in the middle of the rebuild, %d after it", rebuildKills, boot, len(p.log), before, building, after)
	if !slow && building < rebuildKills/4 {
		t.Error("too few of the kills were in a rebuild")
	}
}
