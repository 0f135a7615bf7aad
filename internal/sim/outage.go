package sim

import (
	"github.com/livestore-go/livestore/internal/room"
	"github.com/livestore-go/livestore/internal/wire"
)

// serverDeeds are what may befall the log of the server.
var serverDeeds = []deed{
	{"server dies", 4, true, (*fleet).serverDies},
	{"server stop", 1, false, (*fleet).serverStop},
	{"server disk full", 2, true, (*fleet).serverFull},
	{"server has space", 10, false, (*fleet).serverSpace},
	{"server restored", 8, true, (*fleet).restore},
	{"stray", 3, true, (*fleet).stray},
	{"rebase", 12, false, (*fleet).rebase},
	{"reset", 1, true, (*fleet).resetStore},
}

// dooms are where a server may die in its work, between two effects of its room.
var dooms = []string{
	"between store and publish", // the batch is in the log, and nobody has been told
	"between two publishes",
	"between publish and acknowledgement", // others have been told, and who pushed has not
	"in the middle of a pump",
	"anywhere",
}

// serverDies lets the server die soon, between two effects.
func (f *fleet) serverDies(*peer) (bool, error) {
	s := f.server
	if s.room == nil || s.doom != "" {
		return false, nil
	}
	s.doom = dooms[f.rng.IntN(len(dooms))]
	f.tracef("  it dies %s", s.doom)
	return true, nil
}

// doomed lets the server die before one of its effects, when it is its time.
func (s *server) doomed(effects []room.Effect, i int) bool {
	if s.doom == "" {
		return false
	}
	chunks := 0 // published in this step
	for _, e := range effects[:i] {
		if _, ok := e.Message.(*wire.Chunk); ok {
			chunks++
		}
	}
	exit, isExit := effects[i].Message.(*wire.Exit)
	ack := isExit && string(exit.Value) == wire.PushValue
	_, isChunk := effects[i].Message.(*wire.Chunk)
	here := ""
	switch {
	case s.pumping:
		if i > 0 || s.more {
			here = dooms[3]
		}
	case s.stored && i == 0:
		here = dooms[0]
	case s.stored && isChunk && chunks > 0:
		here = dooms[1]
	case ack && (chunks > 0 || !s.stored):
		here = dooms[2]
	}
	if here != s.doom && (s.doom != "anywhere" || s.rng.IntN(3) > 0) {
		return false
	}
	if here == "" {
		here = "anywhere"
	}
	s.count("server: died " + here)
	s.tracef("  the server dies %s", here)
	for _, p := range s.pipes { // what the network has taken is on its way
		for s.rng.IntN(3) > 0 {
			if !p.write() {
				break
			}
		}
	}
	s.crash()
	return true
}

// serverStop ends the server in order.
func (f *fleet) serverStop(*peer) (bool, error) {
	if f.server.room == nil {
		return false, nil
	}
	for _, o := range f.fleets {
		if o.server.room != nil {
			if err := o.server.stop(); err != nil {
				return true, err
			}
		}
	}
	return true, nil
}

// serverFull lets the disk of the server be full for a while.
func (f *fleet) serverFull(*peer) (bool, error) {
	if f.server.shelf.full {
		return false, nil
	}
	f.server.shelf.fill()
	return true, nil
}

// serverSpace lets it have space again.
func (f *fleet) serverSpace(*peer) (bool, error) {
	if !f.server.shelf.full {
		return false, nil
	}
	f.server.shelf.empty()
	f.count("server: has space again")
	return true, nil
}
