package sim

import (
	"errors"
	"slices"
	"strings"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/sqlite"
)

// upgrade starts a newer version of the app: after it was ended in order, or after a crash. At times that is cut short as well.
func (f *fleet) upgrade(p *peer) (bool, error) {
	if p.schema == newest {
		return false, nil
	}
	p.app.next = p.schema + 1 + f.rng.IntN(newest-p.schema)
	how := f.rng.IntN(4)
	if f.rng.IntN(2) == 0 && p.disk.off == 0 && !p.inMemory() {
		p.disk.arm(1 + f.rng.IntN(60))
	}
	if how > 0 {
		return p.restart()
	}
	return true, p.crash(f.rng.IntN(2) == 0)
}

// choose says which version of the app starts next: most often the same as before.
func (w *world) choose() {
	a := w.app
	was := w.schema
	switch {
	case a.next > 0:
		w.schema, a.next = a.next, 0
	case !a.moves || w.rng.IntN(4) > 0:
	case w.schema < newest && w.rng.IntN(4) > 0:
		w.schema += 1 + w.rng.IntN(newest-w.schema)
	case w.schema > first:
		w.schema = w.rng.IntN(w.schema)
	}
	switch {
	case was < w.schema:
		w.count("boot: newer version of the app")
	case was > w.schema:
		w.count("boot: older version of the app")
	}
	if was != w.schema {
		w.count("boot: schema changed")
		w.tracef("  version %d", w.schema+1)
	}
}

// start starts the process of a client of a fleet. A version that is too old for what is in the log refuses to, and the newest does.
func (w *world) start() error {
	w.choose()
	if w.inMemory() {
		w.perish()
	}
	w.app.haltedAt, w.app.told, w.app.heard = 0, nil, map[event.ID]bool{}
	err := w.boot()
	if w.tooOld(err) {
		w.count("boot: the app is too old for its log")
		w.tracef("  version %d can not derive the state of its log", w.schema+1)
		w.schema = newest
		w.leader = nil
		err = w.boot()
	}
	return err
}

// fell counts in the middle of what a process has ended.
func (w *world) fell() {
	if w.app == nil {
		return
	}
	point := func(what string, is bool) {
		if is {
			w.count("crash point: " + what)
		}
	}
	point("in "+w.phase, w.phase != "" && w.disk.failed())
	for _, r := range w.requests {
		point("between publish and acknowledgement", r.kind == "push" && r.answer != nil && !r.done)
	}
	if w.leader != nil {
		w.stood = w.leader.Heads().Local
	}
	w.phase = ""
}

// found looks at what a crash has left.
func (w *world) found() {
	if w.app == nil {
		return
	}
	names, _ := w.disk.List()
	if slices.ContainsFunc(names, func(n string) bool { return strings.HasSuffix(n, ".building") }) {
		w.count("crash point: in a rebuild")
	}
}

// spaceless says whether an error is one that a full disk leads to.
func (w *world) spaceless(err error) bool {
	_, bad := errors.AsType[*failure](err)
	return err != nil && !bad && w.disk.full && !w.disk.failed() && sqlite.IsFull(err)
}
