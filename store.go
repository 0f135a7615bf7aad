package livestore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/materialize"
	"github.com/livestore-go/livestore/internal/reactive"
	"github.com/livestore-go/livestore/internal/session"
	"github.com/livestore-go/livestore/internal/touch"
	"github.com/livestore-go/livestore/state"
)

// ErrClosed says that the store was closed. The errors of a store wrap it and name the store: ask with [errors.Is].
var ErrClosed = session.ErrClosed

// closedError names the store that is closed.
type closedError struct{ storeID string }

func (e *closedError) Error() string { return fmt.Sprintf("store %s: the store is closed", e.storeID) }

func (e *closedError) Unwrap() error { return ErrClosed }

func (s *Store) errClosed() error { return &closedError{s.StoreID()} }

// Store is an open store: one session of it. It may be used from any goroutine.
type Store struct {
	session  *session.Session
	mode     string
	dispatch dispatcher
	status   fanout

	committing atomic.Int64 // commits that wait for the session's lock or hold it
	logger     *slog.Logger
	closed     chan struct{} // closed when Close begins
	once       sync.Once
	result     error // of Close

	// What follows is guarded by the session's lock, which view holds.
	closing bool
	reader  *session.Reader // inside view
	graph   *reactive.Graph
	reads   []touch.Read        // of the query that runs; kept for its space
	signals map[any]signalValue // by signal, those that were set
}

// Open opens a store with a schema, through an adapter. It returns when the state is there to be read; ctx limits how long that
// may take and has no meaning afterwards.
func Open(ctx context.Context, schema *state.Schema, adapter Adapter, opts *Options) (*Store, error) {
	o, err := opts.filled()
	switch {
	case err != nil:
		return nil, err
	case schema == nil:
		return nil, fmt.Errorf("open store %s: the schema is nil: make one with state.NewSchema", o.StoreID)
	case adapter == nil || reflect.ValueOf(adapter).Kind() == reflect.Pointer && reflect.ValueOf(adapter).IsNil():
		return nil, fmt.Errorf("open store %s: the adapter is nil: use one of the packages below adapter", o.StoreID)
	}
	payload, err := o.payload()
	if err != nil {
		return nil, err
	}
	in, err := adapter.Open(ctx, session.Request{
		StoreID: o.StoreID, Schema: schema, MaxPending: o.MaxPending, Logger: o.Logger, OnBoot: o.OnBoot, SyncPayload: payload,
		WhenHalted: o.WhenHalted, CheckWrites: o.CheckWrites,
	})
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", o.StoreID, err)
	}
	s := &Store{
		session: in, mode: adapter.StorageMode(), logger: o.Logger, closed: make(chan struct{}),
		graph: reactive.New(0), signals: make(map[any]signalValue),
	}
	s.dispatch.init()
	s.follow()
	in.OnStatus(s.status.wake)
	if err := s.awaitSync(ctx, o.InitialSync); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := s.sow(ctx, adapter, o.Seed); err != nil {
		return nil, err
	}
	return s, nil
}

// follow has what depends on rows that change marked, and those woken who watch it. All of it runs under the session's lock.
func (s *Store) follow() {
	index := touch.New(func(r touch.Read) {
		if !s.closing {
			s.graph.Invalidate(r)
		}
	})
	s.graph.OnSource(func(key any, used bool) {
		switch r, ok := key.(touch.Read); {
		case !ok:
		case used:
			index.Add(r)
		default:
			index.Remove(r)
		}
	})
	s.session.OnChange(index.Row, func() {
		if !s.closing {
			s.graph.InvalidateAll()
		}
	})
}

// view calls f under the session's lock, with s.reader set.
func (s *Store) view(f func() error) error {
	err := s.session.View(func(r *session.Reader) error {
		if s.closing {
			return ErrClosed
		}
		s.reader = r
		defer func() { s.reader = nil }()
		return f()
	})
	if err == ErrClosed { //nolint:errorlint // the session's own; one that is wrapped names its store
		return s.errClosed()
	}
	return err
}

// StoreID returns the id of the store.
func (s *Store) StoreID() string { return s.session.StoreID() }

// ClientID returns the id of the client: one installation sharing local data.
func (s *Store) ClientID() string { return s.session.ClientID() }

// SessionID returns the id of the session: one running instance of the client, with a stable id.
func (s *Store) SessionID() string { return s.session.SessionID() }

// StorageMode says where the store is kept: "memory", which ends with the last session, or "local", files of one process.
func (s *Store) StorageMode() string { return s.mode }

// closeLimit is how long Close waits for the leader.
const closeLimit = 10 * time.Second

// Close closes the store: [Store.Shutdown] with a limit of ten seconds. Only the first call does anything; every call returns
// its result when it is over.
func (s *Store) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeLimit)
	defer cancel()
	return s.Shutdown(ctx)
}

// Shutdown closes the store. Commits and reads are refused from now on, Watch loops end with [ErrClosed], no callback of
// [Subscribe] starts any more; one that runs is not waited for, as it may be the one that closes. Then Shutdown waits until the
// leader has taken what was committed, at most until ctx is done. On a durable adapter, what the leader has not taken
// by then is not lost: it is taken when the store is opened again.
func (s *Store) Shutdown(ctx context.Context) error {
	s.once.Do(func() {
		_ = s.view(func() error {
			s.closing = true
			s.graph, s.signals = nil, nil
			return nil
		})
		close(s.closed)
		s.dispatch.close()
		s.result = s.session.Close(ctx)
	})
	return s.result
}

// Commit admits drafts as one commit, in their order: all or nothing. When it returns, they are in the state, and on a
// durable adapter they survive the end of the process. When it returns an error nothing happened and the store goes
// on: wrong arguments are an *[event.ArgsError], an event that is not in the schema is an *[UnknownEventError], a materializer
// that fails is a *[MaterializeError], a synced event that no sync backend takes is an *[EventTooLargeError], too many pending events
// are a *[PendingFullError], no draft is [ErrEmptyCommit], a closed store is [ErrClosed]; with [RefuseCommits], a commit while an event of
// the backend does not apply is a *[HaltedError].
func (s *Store) Commit(ctx context.Context, drafts ...event.Draft) (*Receipt, error) {
	select {
	case <-s.closed:
		return nil, s.errClosed()
	default:
	}
	s.committing.Add(1)
	defer s.committing.Add(-1)
	c, err := s.session.Commit(ctx, drafts)
	switch {
	case errors.Is(err, ErrClosed): // meanwhile
		return nil, s.errClosed()
	case err != nil:
		return nil, err
	}
	return &Receipt{c}, nil
}

// ErrEmptyCommit says that a commit has no event.
var ErrEmptyCommit = session.ErrEmpty

type (
	// PendingFullError says that at most Max events may wait for the leader: Pending do already, and a commit of Events was one too
	// many. Nothing was committed.
	PendingFullError = session.PendingFullError
	// HaltedError says that Event, an event of the sync backend, does not apply here, and that commits are refused meanwhile because the
	// store was opened with [RefuseCommits]. Why says in words what is wrong. Nothing was committed.
	HaltedError = session.HaltedError
	// UnknownEventError says that Event, the name of a committed event, is not in the schema. Nothing was committed.
	UnknownEventError = session.UnknownEventError
	// OtherDefinitionError says that a committed event has the name of one in the schema, Event, and is another definition. Nothing was
	// committed.
	OtherDefinitionError = session.OtherDefinitionError
	// MaterializeError says that the event Event, numbered Num, does not apply to the state: Err is what its materializer returned, and
	// wraps the error of SQLite. Nothing of its commit happened.
	MaterializeError = materialize.Error
	// EventTooLargeError says that the synced event Event has Bytes, and the sync backend takes at most Max. Nothing was committed.
	EventTooLargeError = session.EventTooLargeError
	// ScopeError says that a materializer of a synced event reads or writes Table, which client-only events write, or the other way
	// round: other clients would derive another state. Nothing of its commit happened.
	ScopeError = materialize.ScopeError
)
