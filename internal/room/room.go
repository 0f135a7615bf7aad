package room

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/livestore-go/livestore/internal/wire"
)

// Config is what a room works with.
type Config struct {
	StoreID string
	Log     Log // the driver closes it, after the last call of the room
	Limits  Limits

	// Logger is told of the errors of the log, of which clients hear no details. nil means none.
	Logger *slog.Logger
}

// Room is the step machine of one store. It is not safe for concurrent use.
type Room struct {
	cfg    Config
	limits Limits
	log    Log
	id     string // of the backend

	head  int64 // the last event that is known to be in the log
	stale bool  // there may be more

	conns map[Conn]*conn
	order []*conn // in the order in which they joined, with those that have left since the last sweep
	left  int     // in order

	ready fifo[*conn] // those with pulls that can be given something
	cache cache

	effects, spare []Effect
}

// New returns the room of a store. It does not read the log before the first request.
func New(cfg Config) *Room {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	limits := cfg.Limits.orDefaults()
	return &Room{
		cfg: cfg, limits: limits, log: cfg.Log, id: cfg.Log.BackendID(), stale: true,
		conns: map[Conn]*conn{}, cache: newCache(limits.CacheBytes),
	}
}

// Receive takes a message of a connection, and the time, which is the creation time of the events it pushes. A message of a connection
// that is not in the room has no effect.
func (r *Room) Receive(ctx context.Context, name Conn, m wire.ClientMessage, now time.Time) {
	c := r.conns[name]
	if c == nil {
		return
	}
	switch m := m.(type) {
	case *wire.Pull:
		r.pull(ctx, c, m)
	case *wire.Push:
		r.push(ctx, c, m, now)
	case *wire.Ack:
		r.acknowledge(c, m.ID)
	case *wire.Interrupt:
		r.interrupt(ctx, c, m.ID)
	case *wire.HTTPPing:
		if r.claim(c, m.ID) {
			r.reply(c, &wire.Exit{ID: m.ID, Value: []byte(wire.PingValue)})
		}
	case wire.Ping:
		r.reply(c, wire.Pong{})
	case wire.Eof: // it promises that no request follows, and the pulls go on
	}
}

// Malformed answers a frame that is no message, or an array that has others than messages in it: err is what [wire.DecodeClient]
// returned. The messages that it did return are fed before.
func (r *Room) Malformed(name Conn, err error) {
	c := r.conns[name]
	if c == nil || err == nil {
		return
	}
	requests, frame := wire.Faults(err)
	for _, e := range requests {
		if !r.claim(c, e.ID) {
			return
		}
		r.reply(c, e.Message())
	}
	if frame == nil && len(requests) == 0 {
		frame = &wire.FrameError{Why: err.Error(), Defect: wire.Cause("Error", err.Error())}
	}
	if frame != nil {
		r.reply(c, frame.Message())
	}
}

// Refuse answers a request with an UnknownError with the text of err: for one that a hook of the server does not let in. The driver
// asks its hooks, so that a slow one holds up its own connection only.
func (r *Room) Refuse(name Conn, id wire.ID, err error) {
	if c := r.conns[name]; c != nil && r.claim(c, id) {
		r.reply(c, unknown(id, causeRefused, err.Error()))
	}
}

// claim says whether a request may be answered at once. One with the id of a request that still runs may not: its answer would be
// taken for the other's. Clients that do so are not to be helped.
func (r *Room) claim(c *conn, id wire.ID) bool {
	if c.gone {
		return false
	}
	if c.busy(id) {
		r.close(c, &DuplicateIDError{StoreID: r.cfg.StoreID, ID: id})
		return false
	}
	return true
}

// otherStore says what is wrong with a request that names another store than the one its connection is for, empty when nothing is.
func (r *Room) otherStore(storeID string) string {
	if storeID == r.cfg.StoreID {
		return ""
	}
	return fmt.Sprintf("the request is for store %q and the connection for store %q: connect once for each store",
		clip(storeID), r.cfg.StoreID)
}

// otherBackend is the exit of a request that is meant for another backend.
func (r *Room) otherBackend(id wire.ID, backendID string) *wire.Exit {
	return failure(id, &wire.BackendIDMismatchError{Expected: r.id, Received: clip(backendID)})
}

// clip cuts what a client says before it is said back: answers that wait for it are counted, not weighed.
func clip(s string) string {
	const most = 256
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// Wake says that the head of the log may have moved without the room: another server has appended, or after an error it was not known
// where it is, see [Room.Stale].
func (r *Room) Wake(ctx context.Context) { _ = r.refresh(ctx) }

// Stale says that an append or a read of the head failed, or that there was none yet, so that the log may have more than the room
// knows. While there are connections the driver feeds Wake after a moment, again and again until it does.
func (r *Room) Stale() bool { return r.stale }

// Head returns the last event of the log that the room knows of.
func (r *Room) Head() int64 { return r.head }

// Conns returns how many connections are in the room. One without any has nothing to do and can be dropped.
func (r *Room) Conns() int { return len(r.conns) }

// refresh reads the head of the log.
func (r *Room) refresh(ctx context.Context) error {
	head, err := r.log.Head(ctx)
	if err == nil && head < r.head {
		err = &HeadLostError{StoreID: r.cfg.StoreID, Known: r.head, Head: head}
	}
	if err != nil {
		r.stale = true
		r.cfg.Logger.Error("the head of the log can not be read", "store", r.cfg.StoreID, "err", err)
		return fmt.Errorf("read the head of the log: %w", err)
	}
	r.stale = false
	r.advance(head)
	return nil
}

// advance takes a new head: live pulls can be given what follows their position.
func (r *Room) advance(head int64) {
	if head <= r.head {
		return
	}
	r.head = head
	r.sweep()
	for _, c := range r.order {
		for _, p := range c.pulls {
			r.offer(p)
		}
	}
}

// sweep forgets the connections that have left.
func (r *Room) sweep() {
	if r.left > 0 {
		r.order = slices.DeleteFunc(r.order, func(c *conn) bool { return c.gone })
		r.left = 0
	}
}
