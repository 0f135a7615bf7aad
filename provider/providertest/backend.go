package providertest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/wire"
	"github.com/livestore-go/livestore/provider"
)

// around is what a backend puts around one event when it sends it: identity, time, page.
const around = 1000

var (
	errDropped = errors.New("the connection was dropped")
	errDown    = errors.New("the backend is down")
)

// Backend is a sync backend in memory. It has a log for each store id that somebody names. All methods may be called from any goroutine,
// and each is done when it returns: no clock and no goroutine is behind it.
type Backend struct {
	mu        sync.Mutex
	stores    map[string]*log
	clients   []*client // in the order they were made
	down      bool
	authorize func(storeID string, payload json.RawMessage) error
	reject    func(storeID string, e event.Global) error
	limits    provider.Limits
}

// log is what the backend has of one store.
type log struct {
	id      string
	resets  int
	events  []event.Global
	changed chan struct{} // closed and made anew by each append
}

// NewBackend makes a backend without events that lets everybody in.
func NewBackend() *Backend {
	return &Backend{
		stores: map[string]*log{},
		limits: provider.Limits{Events: wire.MaxEvents, Bytes: wire.MaxBytes - around},
	}
}

// Provider returns a provider whose clients are connected to the backend. A client that is cut off, by [Backend.Drop] for instance,
// connects again at once when the backend lets it.
func (b *Backend) Provider() provider.Provider { return memoryProvider{b} }

type memoryProvider struct{ b *Backend }

func (p memoryProvider) Client(cfg provider.Config) (provider.Client, error) {
	if cfg.StoreID == "" {
		return nil, errors.New("providertest: Config.StoreID is empty: name the store")
	}
	if cfg.Payload != nil && !jsontext.Value(cfg.Payload).IsValid() {
		return nil, fmt.Errorf("providertest: Config.Payload of store %s is not JSON: %q", cfg.StoreID, cfg.Payload)
	}
	return p.b.newClient(cfg), nil
}

// ID returns the identity of a store's log.
func (b *Backend) ID(storeID string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.log(storeID).id
}

// Head returns the number of the last event of a store, 0 when it has none.
func (b *Backend) Head(storeID string) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.log(storeID).head()
}

// Events returns the log of a store.
func (b *Backend) Events(storeID string) []event.Global {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.log(storeID).events)
}

// Append stores events as another client that is quicker than all others: they get the numbers that follow the head. A client id left
// empty becomes "other", a session id "static", arguments null. It returns the events as they are stored.
func (b *Backend) Append(storeID string, events ...event.Global) []event.Global {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.log(storeID)
	stored := slices.Clone(events)
	head := l.head()
	for i := range stored {
		e := &stored[i]
		e.ParentSeqNum, e.SeqNum = head, head+1
		head++
		if e.ClientID == "" {
			e.ClientID = "other"
		}
		if e.SessionID == "" {
			e.SessionID = "static"
		}
		if e.Args == nil {
			e.Args = jsontext.Value("null")
		}
	}
	l.append(stored)
	return slices.Clone(stored)
}

// Reset throws the log of a store away, as a backend does whose storage was wiped: it is empty and has a new identity, which is
// returned. Clients of the store lose their connection and get a new one.
func (b *Backend) Reset(storeID string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	old := b.log(storeID)
	l := newLog(storeID, old.resets+1)
	b.stores[storeID] = l
	old.wake()
	b.drop(storeID)
	return l.id
}

// SetBack forgets all events after head, as a backend does that was restored from an older backup: the identity stays. Clients of the store
// lose their connection and get a new one.
func (b *Backend) SetBack(storeID string, head int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.log(storeID)
	l.events = slices.Clone(l.events[:max(0, min(head, l.head()))])
	b.drop(storeID)
}

// Drop cuts all connections. Clients connect again at once, unless they are refused.
func (b *Backend) Drop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.drop("")
}

// SetDown takes the backend away from the network, or brings it back.
func (b *Backend) SetDown(down bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.down = down
	b.drop("")
}

// Authorize says who may connect: what f returns is why not. Nil lets everybody in. Clients that are connected stay so until they
// are dropped; those that were refused try again at once. f must not call the backend.
func (b *Backend) Authorize(f func(storeID string, payload json.RawMessage) error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.authorize = f
	b.reconnect()
}

// Refuse cuts all connections and refuses new ones for a reason, until [Backend.Authorize] says otherwise.
func (b *Backend) Refuse(why string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.authorize = func(string, json.RawMessage) error { return errors.New(why) }
	b.drop("")
}

// Reject sets the rule for events: what f returns is why an event is not stored, nor what was pushed with it. Nil stores everything that
// a push may hold. f must not call the backend.
func (b *Backend) Reject(f func(storeID string, e event.Global) error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reject = f
}

// SetLimits changes what one page and one push may hold: 100 events and 899,000 bytes unless told otherwise.
func (b *Backend) SetLimits(l provider.Limits) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.limits = l
}

// drop cuts the clients of a store, or all of them.
func (b *Backend) drop(storeID string) {
	for _, c := range b.clients {
		if storeID == "" || c.cfg.StoreID == storeID {
			c.disconnect(errDropped)
		}
	}
	b.reconnect()
}

func (b *Backend) reconnect() {
	for _, c := range b.clients {
		c.connect()
	}
}

func (b *Backend) log(storeID string) *log {
	l := b.stores[storeID]
	if l == nil {
		l = newLog(storeID, 0)
		b.stores[storeID] = l
	}
	return l
}

// push is the arbitration: a batch that follows the head is stored as a whole, any other not at all.
func (b *Backend) push(storeID, backendID string, batch []event.Global) error {
	l := b.log(storeID)
	if backendID != "" && backendID != l.id {
		return &provider.IdentityError{StoreID: storeID, Backend: l.id, Received: backendID}
	}
	if len(batch) == 0 {
		return nil
	}
	if err := b.check(storeID, batch); err != nil {
		return err
	}
	if head := l.head(); batch[0].ParentSeqNum != head {
		return &provider.ServerAheadError{StoreID: storeID, Head: head, Provided: batch[0].ParentSeqNum}
	}
	stored := slices.Clone(batch)
	for i := range stored {
		stored[i].Args = stored[i].Args.Clone()
		if stored[i].Args == nil {
			stored[i].Args = jsontext.Value("null")
		}
	}
	l.append(stored)
	return nil
}

func (b *Backend) check(storeID string, batch []event.Global) error {
	if len(batch) > b.limits.Events {
		return &provider.RejectedError{
			StoreID: storeID,
			Why:     fmt.Sprintf("it has %d events, and a push may hold %d", len(batch), b.limits.Events),
		}
	}
	total, parent := 0, batch[0].ParentSeqNum
	for _, e := range batch {
		no := func(why string) error {
			return &provider.RejectedError{StoreID: storeID, Num: e.SeqNum, Name: e.Name, Why: why}
		}
		size := wire.GlobalSize(e)
		total += size
		switch {
		case e.ParentSeqNum != parent || e.SeqNum != parent+1:
			return no(fmt.Sprintf("e%d after e%d does not follow e%d", e.SeqNum, e.ParentSeqNum, parent))
		case e.Name == "" || e.ClientID == "" || e.SessionID == "":
			return no("it has no name, client id or session id")
		case e.Args != nil && !e.Args.IsValid():
			return no("its arguments are not JSON")
		case size > b.limits.Bytes:
			return no(fmt.Sprintf("it has %d bytes, and an event may have %d", size, b.limits.Bytes))
		}
		if b.reject != nil {
			if err := b.reject(storeID, e); err != nil {
				return no(err.Error())
			}
		}
		parent = e.SeqNum
	}
	if total > b.limits.Bytes {
		return &provider.RejectedError{
			StoreID: storeID,
			Why:     fmt.Sprintf("it has %d bytes, and a push may hold %d", total, b.limits.Bytes),
		}
	}
	return nil
}

func newLog(storeID string, resets int) *log {
	return &log{id: fmt.Sprintf("backend-%d-of-%s", resets+1, storeID), resets: resets, changed: make(chan struct{})}
}

func (l *log) head() int64 { return int64(len(l.events)) }

func (l *log) append(events []event.Global) {
	if len(events) == 0 {
		return
	}
	l.events = append(l.events, events...)
	l.wake()
}

func (l *log) wake() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// page returns what fits into one page of what comes after a number, at least one event when there is one.
func (l *log) page(after int64, limits provider.Limits) []event.Global {
	after = max(0, after)
	if after >= l.head() {
		return nil
	}
	rest := l.events[after:]
	n, bytes := 0, 0
	for n < len(rest) && n < limits.Events {
		bytes += wire.GlobalSize(rest[n])
		if n > 0 && bytes > limits.Bytes {
			break
		}
		n++
	}
	return slices.Clone(rest[:n])
}
