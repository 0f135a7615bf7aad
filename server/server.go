package server

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/livestore-go/livestore/event"
)

// Options changes a server. Nil means the defaults.
type Options struct {
	// Authorize decides who may use a store. It is asked once for each connection, before the store is opened. The text of its error is
	// told to the client, with status 401. The default, nil, lets everybody in. It can not hand anything on: OnPush and OnPull get the
	// same payload and header, and look for themselves.
	Authorize func(ctx context.Context, r AuthRequest) error

	// OnPush is called with each push before anything about it is checked, on a goroutine of its connection: what the same connection asks
	// for later waits for it, nobody else does. Its error refuses the push and is told to the client. A Go client keeps what was refused,
	// says so in its status, asks again once a minute, and pushes nothing that comes after it until then, unless its app sets the commit
	// aside. So refuse what must never happen, or what may be accepted later. The default is nil.
	OnPush func(ctx context.Context, r PushRequest) error

	// OnPull is called with each pull, as OnPush is. The default is nil.
	OnPull func(ctx context.Context, r PullRequest) error

	// Origins are the hosts of web pages that may connect, besides those the server itself is reached at: patterns of [path.Match] such as
	// "app.example.com" or "*.example.com", with a scheme when that matters, and "*" for any. Clients that are no browser send no
	// origin and are not concerned. The default is none.
	Origins []string

	// Limits bounds what clients may use.
	Limits Limits

	// Logger gets what nobody can be told by an error. The default discards it.
	Logger *slog.Logger
}

// Limits bounds what clients may use. A field that is zero has its default.
type Limits struct {
	// Connections is how many there may be at a time; more are refused with status 503. The default is 10,000.
	Connections int

	// FrameBytes is the size of the largest message a client may send. A larger one ends its connection with code 1009. The default is
	// 1 MiB, as in the official backend; clients keep a push within 900,000 bytes.
	FrameBytes int64

	// QueueBytes is how much may wait to be written to a connection before nothing more is read from it. The default is 1 MiB.
	QueueBytes int

	// ReadTimeout is how long one message may take to arrive once it has begun. The default is a minute.
	ReadTimeout time.Duration

	// WriteTimeout is how long one message may take to be written. A client that does not read is cut off after it. The default is
	// 30 seconds.
	WriteTimeout time.Duration

	// PingInterval is how long a connection may be silent before it is asked for a sign of life, by a ping of the WebSocket protocol.
	// Official clients are never silent that long. The default is 30 seconds.
	PingInterval time.Duration

	// PingTimeout is how long the answer may take, before the connection counts as dead. The default is 20 seconds.
	PingTimeout time.Duration

	// IdleRoom is how long a store stays open after its last connection. The default is 30 seconds.
	IdleRoom time.Duration
}

func (l Limits) withDefaults() Limits {
	or(&l.Connections, 10_000)
	or(&l.FrameBytes, 1<<20)
	or(&l.QueueBytes, 1<<20)
	or(&l.ReadTimeout, time.Minute)
	or(&l.WriteTimeout, 30*time.Second)
	or(&l.PingInterval, 30*time.Second)
	or(&l.PingTimeout, 20*time.Second)
	or(&l.IdleRoom, 30*time.Second)
	return l
}

func or[T int | int64 | time.Duration](v *T, otherwise T) {
	if *v <= 0 {
		*v = otherwise
	}
}

// AuthRequest says who wants to use a store.
type AuthRequest struct {
	StoreID    string
	Payload    json.RawMessage // the client's sync payload; nil when there is none
	Header     http.Header     // of the HTTP request; not to be changed
	RemoteAddr string          // as net/http has it
	Transport  string          // "ws"
}

// PushRequest is a push before it is checked.
type PushRequest struct {
	AuthRequest

	Batch []event.Global // not to be changed
}

// PullRequest is a pull before it is answered.
type PullRequest struct {
	AuthRequest

	Live  bool  // whether it stays for what comes later
	After int64 // the last event the client has, 0 for none
}

// Server is a sync backend: an [http.Handler] for the requests of clients, whatever their path. It may be used from any goroutine.
type Server struct {
	opts    Options
	limits  Limits
	logger  *slog.Logger
	storage Storage

	ctx     context.Context // over when a Shutdown ran out of time, or everything is closed
	stop    context.CancelFunc
	stopped chan struct{} // closed when all connections are gone for good

	mu      sync.Mutex
	closing bool
	entered int // connections, and requests that may become one
	conns   map[*conn]struct{}
	hosts   map[string]*host
	used    sync.WaitGroup // as many as entered
	running sync.WaitGroup // hosts
}

// New returns a server over a storage. The storage stays the caller's, to be closed after [Server.Shutdown].
func New(storage Storage, opts *Options) *Server {
	s := &Server{storage: storage, conns: map[*conn]struct{}{}, hosts: map[string]*host{}, stopped: make(chan struct{})}
	if opts != nil {
		s.opts = *opts
	}
	s.limits = s.opts.Limits.withDefaults()
	s.logger = s.opts.Logger
	if s.logger == nil {
		s.logger = slog.New(slog.DiscardHandler)
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s
}

// Shutdown stops the server gracefully: it lets nobody in any more, finishes what clients have asked for so far, ends their connections
// with code 1001, and closes the logs of the stores. Clients reconnect by themselves. One that does not take its answers and its leave
// within three seconds is cut off. When ctx is over first, all connections are cut, what is under way may or may not be stored, and
// the error is that of ctx. Nothing of the server runs any more when it returns. Shutdown of an [net/http.Server] neither waits for nor
// ends WebSockets: call both. The storage is the caller's to close, afterwards.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.closing = true
	conns := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	s.mu.Unlock()
	var finishing sync.WaitGroup
	for _, c := range conns {
		finishing.Go(c.finish)
	}
	gone := make(chan struct{})
	go func() {
		finishing.Wait()
		s.used.Wait()
		close(gone)
	}()
	var err error
	select {
	case <-gone:
	case <-ctx.Done():
		err = ctx.Err()
		s.stop()
		for _, c := range conns {
			c.cut(errCut)
		}
		<-gone
	}
	s.mu.Lock()
	select {
	case <-s.stopped:
	default:
		close(s.stopped)
	}
	s.mu.Unlock()
	s.running.Wait()
	s.stop()
	return err
}

var errCut = errors.New("the server was stopped")

// Close stops the server at once: connections are cut, and pushes that were not answered may or may not be stored.
func (s *Server) Close() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = s.Shutdown(ctx)
	return nil
}
