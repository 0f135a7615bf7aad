package room

import "cmp"

// Limits bound what clients may ask of a room. A zero field stands for its default.
type Limits struct {
	Window     int // bytes of chunks under way to a connection from which on its pulls get nothing more; 1 MiB
	Replies    int // answers under way to a connection from which on it is [Room.Full]; 256. Beyond twice as many it is closed
	Pulls      int // pulls of one connection at a time; 64
	PushEvents int // events of one push; 1000
	NameBytes  int // length of the name of an event; 1024
	IDBytes    int // length of the client id, and of the session id, of an event; 256
	CacheBytes int // size of the chunks that are kept for other pulls to get the same, as JSON; 4 MiB. Each is kept about twice over
}

func (l Limits) orDefaults() Limits {
	return Limits{
		Window:     cmp.Or(l.Window, 1<<20),
		Replies:    cmp.Or(l.Replies, 256),
		Pulls:      cmp.Or(l.Pulls, 64),
		PushEvents: cmp.Or(l.PushEvents, 1000),
		NameBytes:  cmp.Or(l.NameBytes, 1024),
		IDBytes:    cmp.Or(l.IDBytes, 256),
		CacheBytes: cmp.Or(l.CacheBytes, 4<<20),
	}
}
