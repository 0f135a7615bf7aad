package bubble

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/event"
)

var hours = flag.Float64("hours", 0, "virtual hours of the steady load; 0 for a short one")

const (
	fleet   = 6
	rows    = 50 // that the load writes to: state does not grow
	samples = 24
)

// load is six clients at work.
type load struct {
	t       *testing.T
	b       *bed
	every   time.Duration // between two commits of a client
	ctx     context.Context
	running sync.WaitGroup
	clients []*worker

	commits, reopened, seen atomic.Int64
}

// worker is a client with its sessions: the first stays, the second of every other client is closed and opened again.
type worker struct {
	*client
	l      *load
	random *rand.Rand // of the goroutine that commits
	stays  *livestore.Store

	mu    sync.Mutex // guards comes; held while it is replaced
	comes *livestore.Store
}

func (l *load) start(n int) {
	w := &worker{client: l.b.client(fmt.Sprint("client", n), true), l: l, random: rand.New(rand.NewPCG(1, uint64(n)))}
	w.stays = w.session()
	if n%2 == 0 {
		w.comes = w.session()
	}
	l.clients = append(l.clients, w)
	l.running.Go(w.commit)
	l.running.Go(w.watch)
	l.running.Go(w.status)
	l.running.Go(func() { w.subscribe(rand.New(rand.NewPCG(2, uint64(n)))) })
}

// pause waits about d, and says whether the load goes on.
func (l *load) pause(r *rand.Rand, d time.Duration) bool {
	return sleep(l.ctx, d/2+time.Duration(r.Int64N(int64(d)))) == nil
}

// commit commits, at a steady rate and in both sessions.
func (w *worker) commit() {
	for n := 0; w.l.pause(w.random, w.l.every); n++ {
		id := fmt.Sprint("row", w.random.IntN(rows))
		draft := set.New(itemSet{ID: id, Text: fmt.Sprintf("%s of %s, the %d. time", id, w.id, n)})
		w.mu.Lock()
		s := w.stays
		if w.comes != nil && n%3 == 0 {
			s = w.comes
		}
		drafts := []event.Draft{draft}
		if n%50 == 0 {
			drafts = append(drafts, look.Set("look", view{Filter: id}))
		}
		_, err := s.Commit(w.l.ctx, drafts...)
		w.mu.Unlock()
		if err != nil && w.l.ctx.Err() == nil {
			w.l.t.Errorf("client %s: %v", w.id, err)
			return
		}
		w.l.commits.Add(1)
		if w.comes != nil && n%100 == 99 {
			w.reopen()
		}
	}
}

// reopen closes the second session and opens it again.
func (w *worker) reopen() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.comes.Close(); err != nil {
		w.l.t.Errorf("client %s: %v", w.id, err)
	}
	w.comes = w.session()
	w.l.reopened.Add(1)
}

// watch watches live queries, each for some minutes.
func (w *worker) watch() {
	r := rand.New(rand.NewPCG(3, uint64(len(w.id))))
	for w.l.ctx.Err() == nil {
		ctx, cancel := context.WithTimeout(w.l.ctx, time.Duration(1+r.IntN(5))*time.Minute)
		for _, err := range livestore.Watch(ctx, w.stays, byID) {
			if err != nil {
				w.l.t.Errorf("client %s: %v", w.id, err)
			}
			w.l.seen.Add(1)
		}
		cancel()
	}
}

// status watches how sync goes.
func (w *worker) status() {
	for w.l.ctx.Err() == nil {
		ctx, cancel := context.WithTimeout(w.l.ctx, 10*time.Minute)
		for range w.stays.WatchSyncStatus(ctx) {
			w.l.seen.Add(1)
		}
		cancel()
	}
}

// subscribe makes subscriptions, to queries that are made for it, and reads.
func (w *worker) subscribe(r *rand.Rand) {
	for {
		id := fmt.Sprint("row", r.IntN(rows))
		stop := livestore.Subscribe(w.stays, items.Where(stateEq(id)), func([]item, error) { w.l.seen.Add(1) })
		if _, err := livestore.Get(w.stays, count); err != nil {
			w.l.t.Errorf("client %s: %v", w.id, err)
		}
		more := w.l.pause(r, 2*time.Minute)
		stop()
		if !more {
			return
		}
	}
}

// disturb cuts connections, and takes the network away from clients for a while. It lets the server run: one that starts anew has nothing of
// what it keeps yet, and memory would be compared with that.
func (l *load) disturb() {
	r := rand.New(rand.NewPCG(4, 0))
	for l.pause(r, 7*time.Minute) {
		line := l.clients[r.IntN(fleet)].line
		switch r.IntN(3) {
		case 0:
			line.cut()
		case 1:
			line.set(black)
			l.pause(r, 2*time.Minute)
			line.set(good)
		case 2:
			line.set(refusing)
			line.cut()
			l.pause(r, time.Minute)
			line.set(good)
		}
	}
}

// sample is what the process holds at a moment.
type sample struct {
	heap, anon int64 // bytes: of Go, and of the process with what SQLite has outside
	goroutines int
	commits    int64
}

func measure(t testing.TB) sample {
	t.Helper()
	debug.FreeOSMemory() // a collection, and what is free goes back
	runtime.GC()         // and what the first one has only finalized
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return sample{heap: int64(m.HeapAlloc), anon: anon(), goroutines: runtime.NumGoroutine()}
}

// anon returns the resident memory of the process that is no file, 0 where the system does not say: SQLite's is not in Go's heap.
func anon() int64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := bytes.Cut(b, []byte("RssAnon:"))
	line, _, _ := strings.Cut(string(rest), "\n")
	n, _ := strconv.ParseInt(strings.Fields(line + " 0")[0], 10, 64)
	return n << 10
}

// Six clients on files, and a server on files, at a steady load: what is in memory does not grow with what has happened. With -hours 24 it is
// a day, and memory is compared hour by hour.
//
// What may grow, and until when: the server keeps what it has sent last, up to 4 MiB as JSON, which is some 10,000 of these events and twice
// that in memory; each leader keeps 1024 publishes; SQLite keeps up to 2 MB of pages of each file, outside of Go's heap; and a client
// keeps a row of some 100 bytes for each session it has ever had, by which it knows what of its journal it has taken. The log itself is on disk.
func TestSteadyLoad(t *testing.T) {
	length, every := 30*time.Minute, 3*time.Second
	if *hours > 0 {
		length, every = time.Duration(*hours*float64(time.Hour)), 15*time.Second
	}
	in(t, "sqlitestore", nil, func(t *testing.T, b *bed) {
		before := len(stacks())
		ctx, cancel := context.WithCancel(context.Background())
		l := &load{t: t, b: b, every: every, ctx: ctx}
		for n := range fleet {
			l.start(n)
		}
		l.running.Go(l.disturb)
		taken := make([]sample, 0, samples)
		for i := range samples {
			pass(length / samples)
			s := measure(t)
			s.commits = l.commits.Load()
			taken = append(taken, s)
			t.Logf("%2d/%d: heap %.2f MB, anonymous %.1f MB, %d goroutines, %d commits", i+1, samples,
				float64(s.heap)/1e6, float64(s.anon)/1e6, s.goroutines, s.commits)
		}
		flat(t, taken)
		cancel()
		l.running.Wait()
		var stores []*livestore.Store
		var clients []*client
		for _, w := range l.clients {
			w.line.set(good)
			clients = append(clients, w.client)
			stores = append(stores, w.stays)
			if w.comes != nil {
				stores = append(stores, w.comes)
			}
		}
		b.converge(t, minutes, stores...)
		for _, s := range stores {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
		noneLeft(t, clients...)
		pass(time.Minute) // the server closes the room
		if after := len(stacks()); after != before {
			t.Errorf("%d goroutines before, %d after", before, after)
		}
		if n := int64(len(b.log(t))); n != l.commits.Load() {
			t.Errorf("there were %d commits, and the server has %d events", l.commits.Load(), n)
		}
		t.Logf("%d results and states seen, %d sessions reopened", l.seen.Load(), l.reopened.Load())
	})
}

// flat checks that memory and goroutines are at the end what they were in the middle.
func flat(t *testing.T, taken []sample) {
	t.Helper()
	early, late := highest(taken[8:12]), highest(taken[20:])
	if late.goroutines > early.goroutines+2 {
		t.Errorf("up to %d goroutines in the middle, and %d at the end", early.goroutines, late.goroutines)
	}
	heap, outside := int64(400_000), int64(3_000_000)
	if *hours < 24 { // what is kept on purpose is still filling up
		n := late.commits - early.commits
		heap, outside = 2000*n, 10_000*n
	}
	if grown := late.heap - early.heap; grown > heap {
		t.Errorf("the heap had %d bytes in the middle and has %d at the end", early.heap, late.heap)
	}
	if grown := (late.anon - late.heap) - (early.anon - early.heap); grown > outside {
		t.Errorf("outside of the heap there were %d bytes in the middle and are %d at the end", early.anon-early.heap, late.anon-late.heap)
	}
}

func highest(of []sample) (m sample) {
	for _, s := range of {
		m.heap, m.anon = max(m.heap, s.heap), max(m.anon, s.anon)
		m.goroutines, m.commits = max(m.goroutines, s.goroutines), max(m.commits, s.commits)
	}
	return m
}
