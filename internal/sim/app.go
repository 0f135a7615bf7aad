package sim

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/leader"
	"github.com/livestore-go/livestore/internal/materialize"
	"github.com/livestore-go/livestore/state"
)

// app is what one client of a fleet runs, and how it is used. The client of a world of its own has none.
type app struct {
	versions []*state.Schema // of the app
	unknown  state.UnknownMode
	told     []event.Client    // events whose callback was called, since somebody looked
	heard    map[event.ID]bool // of them, the client's own
	deaf     bool              // state is derived anew: it calls for each event once more

	memory bool   // nothing outlives the process
	id     string // client id of now
	keeps  bool   // it is the same in each process; else only what has files keeps its own
	past   []*promise

	refuses      bool  // commits while an event does not apply
	haltedAt     int64 // the event, 0 for none
	next         int   // version that starts next, 0 for any
	moves        bool  // to other versions, and back
	names, items int   // how many there are to choose from: where they are few, commits of different clients exclude each other
	maxBytes     int   // of a push to the backend, 0 for any
	maxEvent     int   // of an event, as the sessions know it
	big          map[string]bool
	floods       bool // bursts of hundreds of events
	watches      bool // there are live queries
}

// drawApp is apart from everything else that is drawn for a fleet.
const drawApp = 1<<60 + 2

// giveApp lets a client of a fleet run some version of the app.
func (f *fleet) giveApp(w *world, nth int) {
	r := rand.New(rand.NewPCG(f.seed, drawApp+uint64(nth)))
	one := func(of ...int) int { return of[r.IntN(len(of))] }
	a := &app{id: w.client, big: map[string]bool{}, heard: map[event.ID]bool{}}
	a.names, a.items = one(2, 4, 12, 12, 20, 40), one(4, 20, 20, 20, 40)
	a.unknown = []state.UnknownMode{state.Warn, state.Ignore, state.Fail, state.Fail + 1}[r.IntN(4)]
	a.memory, a.keeps = r.IntN(6) == 0, r.IntN(2) == 0
	a.maxBytes = one(0, 0, 0, 1400, 2500, 6000)
	if r.IntN(2) == 0 {
		a.maxEvent = a.maxBytes
	}
	a.refuses = r.IntN(3) == 0
	a.floods = r.IntN(8) == 0 && w.maxEvents >= 5
	a.watches = r.IntN(3) > 0
	w.schema = newest
	if f.skew {
		w.schema = one(first, searched, narrow, narrow, newest, newest)
		a.moves = true
	}
	for v := range schemas {
		a.versions = append(a.versions, schemaWith(v, a))
	}
	w.app = a
	f.tracef("%s: version %d, unknown events %s, memory %t, %d names, %d bytes a push", w.client, w.schema+1, a.policy(), a.memory, a.names,
		a.maxBytes)
}

func (a *app) policy() string { return a.unknown.String() }

// schemaWith is the schema of a version with the policy of an app.
func schemaWith(version int, a *app) *state.Schema {
	switch {
	case knowsLabels(version), a.unknown == state.Warn:
		return schemas[version]
	case a.unknown == state.Ignore, a.unknown == state.Fail:
		return policies[a.unknown][version]
	}
	return newSchema(version, state.Callback(func(e event.Client) {
		if !a.deaf {
			a.told = append(a.told, e)
		}
	}))
}

// policies are the older versions with policies that are the same for all.
var policies = map[state.UnknownMode][]*state.Schema{
	state.Ignore: {newSchema(first, state.Ignore), newSchema(searched, state.Ignore)},
	state.Fail:   {newSchema(first, state.Fail), newSchema(searched, state.Fail)},
}

// now is the schema of the app that runs.
func (w *world) now() *state.Schema {
	if w.app == nil {
		return schemas[w.schema]
	}
	return w.app.versions[w.schema]
}

// who is the client id that the client has now.
func (w *world) who() string {
	if w.app == nil {
		return w.client
	}
	return w.app.id
}

func (w *world) inMemory() bool { return w.app != nil && w.app.memory }

// fails says whether an event of the backend may fail to apply at this client, because its app is an older one.
func (w *world) fails(err *leader.EventError) bool {
	return w.app != nil && err.Num <= w.backend.head() && w.stumbles(w.backend.events[err.Num-1].Client())
}

// stumbles says whether the app can not apply an event that a newer one can.
func (w *world) stumbles(e event.Client) bool {
	if e.Name != itemLabeled.Definition().Name() {
		return false
	}
	var a labelArgs
	return !knowsLabels(w.schema) && w.app.unknown == state.Fail ||
		w.schema == narrow && json.Unmarshal(e.Args, &a) == nil && a.Label == badLabel
}

// tooOld says whether an error is one of an app that can not derive the state of its own log, because a newer one has written it.
func (w *world) tooOld(err error) bool {
	_, unknown := errors.AsType[*state.UnknownEventError](err)
	_, refused := errors.AsType[*materialize.Error](err)
	return w.app != nil && w.schema != newest && (unknown || refused)
}

// perish is the end of a process of which nothing stays: what was confirmed is at the server, and the rest may be, or not.
func (w *world) perish() {
	a := w.app
	for _, p := range w.commits {
		a.past = append(a.past, p)
		if !p.confirmed && !p.asided {
			w.count("memory: a process ends with a commit that is not confirmed")
		}
	}
	own, twice := w.own, w.twice
	w.ledger = newLedger()
	w.own, w.twice, w.rules = own, twice, rules{}
	for tag := range own { // the rest of a commit may be gone
		w.twice[tag] = true
	}
	if !a.keeps {
		a.id = w.newID(w.client + "-")
	}
}

// remembered checks what is at the server of commits whose client has forgotten them.
func (w *world) remembered() error {
	if w.app == nil {
		return nil
	}
	for _, p := range w.app.past {
		n := 0
		for _, e := range p.events {
			if e.Num.IsClientOnly() {
				continue
			}
			if slices.ContainsFunc(w.backend.events, func(b event.Global) bool {
				return b.ClientID == e.ClientID && b.SessionID == e.SessionID && b.Name == e.Name && string(b.Args) == string(e.Args)
			}) {
				n++
			}
		}
		w.count("check: a commit of a process that is gone")
		if p.confirmed && n != p.synced() && len(*w.logs) == 1 { // or a backend that was set back lacks it, and nobody has it
			return failf("commit %s (%s) was confirmed before its process ended, and the server has %d of its %d events", p.id, p.tag, n, p.synced())
		}
	}
	return nil
}

// callbacks checks that the app was told of each event of others that entered the log and that it does not know, and once.
func (w *world) callbacks(before event.SeqNum) error {
	a := w.app
	if a == nil || a.unknown <= state.Fail || knowsLabels(w.schema) {
		return nil
	}
	var told, want []event.Client
	for _, e := range a.told {
		switch {
		case e.ID.IsZero():
			told = append(told, e)
		case a.heard[e.ID]:
			return failf("the callback for unknown events was called twice for the client's own event %s, now %s", e.ID, e.Num)
		default: // a newer version of the app has left it in a journal
			a.heard[e.ID] = true
			w.count("unknown: callback for an own event")
		}
	}
	a.told = nil
	for e, err := range w.log.Read(before, 0) {
		if err != nil {
			return err
		}
		if e.Num.ComparePosition(w.leader.Heads().Upstream) > 0 {
			break
		}
		if _, ok := w.now().Definition(e.Name); !ok && e.ID.IsZero() {
			want = append(want, e)
		}
	}
	same := slices.EqualFunc(told, want, func(a, b event.Client) bool {
		return a.Num == b.Num && a.Name == b.Name && string(a.Args) == string(b.Args)
	})
	if !same {
		return failf("the callback for unknown events was called %d times, and %d entered the log: %s, want %s", len(told), len(want),
			numbers(told), numbers(want))
	}
	if len(told) > 0 {
		w.count("unknown: callback")
	}
	return nil
}

func numbers(events []event.Client) (s string) {
	for _, e := range events {
		s += fmt.Sprintf("%s ", e.Num)
	}
	return s
}
