package wsprovider_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/provider"
	"github.com/livestore-go/livestore/provider/providertest"
)

// fake is a backend that speaks the protocol as its description has it, with JSON of its own making: it shares no code with the client. What it stores is in log.
type fake struct {
	log *providertest.Backend

	mu       sync.Mutex
	conns    map[*fakeConn]struct{}
	status   int    // of HTTP, for connections to come; 0 lets them in
	body     string // with status
	mute     bool   // takes everything, and says nothing
	hang     bool   // takes connections, and never answers the upgrade
	attempts []attempt
	frames   []string // that came, in order
	closes   []websocket.StatusCode
	on       func(n *fakeConn, m request) bool // handles a message instead of the fake
	wg       sync.WaitGroup
}

type attempt struct {
	at    time.Time
	query url.Values
	head  http.Header
}

func newFake() *fake {
	return &fake{log: providertest.NewBackend(), conns: map[*fakeConn]struct{}{}}
}

// request is any message of a client.
type request struct {
	Tag       string          `json:"_tag"`
	ID        json.RawMessage `json:"id"`
	RequestID json.RawMessage `json:"requestId"`
	RPC       string          `json:"tag"`
	Payload   struct {
		StoreID string          `json:"storeId"`
		Payload json.RawMessage `json:"payload"`
		Live    bool            `json:"live"`
		Cursor  struct {
			Tag   string `json:"_tag"`
			Value struct {
				BackendID string `json:"backendId"`
				After     int64  `json:"eventSequenceNumber"`
			} `json:"value"`
		} `json:"cursor"`
		Batch     []json.RawMessage `json:"batch"`
		BackendID struct {
			Tag   string `json:"_tag"`
			Value string `json:"value"`
		} `json:"backendId"`
	} `json:"payload"`
}

type fakeConn struct {
	f      *fake
	ws     *websocket.Conn
	ctx    context.Context
	cancel context.CancelFunc
	client provider.Client // of the log

	mu    sync.Mutex
	pulls map[string]*fakePull
}

type fakePull struct {
	cancel context.CancelFunc
	acks   chan struct{}
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.attempts = append(f.attempts, attempt{at: time.Now(), query: r.URL.Query(), head: r.Header})
	status, body, hang := f.status, f.body, f.hang
	f.mu.Unlock()
	if hang {
		<-r.Context().Done()
		return
	}
	if status != 0 {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
		return
	}
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return
	}
	ws.SetReadLimit(2 << 20)
	client, err := f.log.Provider().Client(provider.Config{StoreID: r.URL.Query().Get("storeId"), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		_ = ws.Close(websocket.StatusInternalError, err.Error())
		return
	}
	n := &fakeConn{f: f, ws: ws, client: client, pulls: map[string]*fakePull{}}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	f.mu.Lock()
	f.conns[n] = struct{}{}
	f.wg.Add(1)
	f.mu.Unlock()
	defer f.wg.Done()
	n.serve()
}

func (n *fakeConn) serve() {
	var wg sync.WaitGroup
	defer func() {
		n.cancel()
		wg.Wait()
		_ = n.ws.CloseNow()
		_ = n.client.Close()
		n.f.mu.Lock()
		delete(n.f.conns, n)
		n.f.mu.Unlock()
	}()
	for {
		_, frame, err := n.ws.Read(n.ctx)
		if err != nil {
			n.f.mu.Lock()
			n.f.closes = append(n.f.closes, websocket.CloseStatus(err))
			n.f.mu.Unlock()
			return
		}
		var m request
		if err := json.Unmarshal(frame, &m); err != nil {
			panic(fmt.Sprintf("the client sends %q: %v", frame, err))
		}
		n.f.mu.Lock()
		n.f.frames = append(n.f.frames, string(frame))
		mute, on := n.f.mute, n.f.on
		n.f.mu.Unlock()
		if mute || on != nil && on(n, m) {
			continue
		}
		n.handle(&wg, m)
	}
}

func (n *fakeConn) handle(wg *sync.WaitGroup, m request) {
	switch {
	case m.Tag == "Ping":
		n.send(`{"_tag":"Pong"}`)
	case m.Tag == "Ack" || m.Tag == "Interrupt":
		n.mu.Lock()
		p := n.pulls[string(m.RequestID)]
		n.mu.Unlock()
		if p == nil {
			return
		}
		if m.Tag == "Interrupt" {
			p.cancel()
			return
		}
		select {
		case p.acks <- struct{}{}:
		default:
		}
	case m.RPC == "SyncWsRpc.Pull":
		ctx, cancel := context.WithCancel(n.ctx)
		p := &fakePull{cancel: cancel, acks: make(chan struct{}, 1000)}
		n.mu.Lock()
		n.pulls[string(m.ID)] = p
		n.mu.Unlock()
		wg.Go(func() { n.pull(ctx, m, p) })
	case m.RPC == "SyncWsRpc.Push":
		wg.Go(func() { n.push(m) })
	}
}

func (n *fakeConn) pull(ctx context.Context, m request, p *fakePull) {
	from := provider.Cursor{BackendID: m.Payload.Cursor.Value.BackendID, After: m.Payload.Cursor.Value.After}
	initial := true
	for page, err := range n.client.Pull(ctx, from, m.Payload.Live) {
		if err != nil {
			n.exit(m.ID, err)
			return
		}
		n.send(chunk(m.ID, page.BackendID, page.Remaining, page.Events...))
		if initial = initial && page.Remaining > 0; !initial {
			continue
		}
		select {
		case <-p.acks:
		case <-ctx.Done():
		}
	}
	n.send(fmt.Sprintf(`{"_tag":"Exit","requestId":%s,"exit":{"_tag":"Success"}}`, m.ID))
}

func (n *fakeConn) push(m request) {
	batch := make([]event.Global, len(m.Payload.Batch))
	for i, raw := range m.Payload.Batch {
		batch[i] = decodeEvent(raw)
	}
	if err := n.client.Push(n.ctx, m.Payload.BackendID.Value, batch); err != nil {
		n.exit(m.ID, err)
		return
	}
	n.send(fmt.Sprintf(`{"_tag":"Exit","requestId":%s,"exit":{"_tag":"Success","value":{}}}`, m.ID))
}

// exit answers a failure, in the dialect of the id.
func (n *fakeConn) exit(id json.RawMessage, err error) {
	reason := fmt.Sprintf(`{"_tag":"Die","defect":%q}`, err.Error())
	if e, ok := errors.AsType[*provider.ServerAheadError](err); ok {
		reason = fmt.Sprintf(`{"_tag":"Fail","error":{"minimumExpectedNum":%d,"providedNum":%d,"_tag":"ServerAheadError"}}`, e.Head, e.Provided)
	}
	if e, ok := errors.AsType[*provider.IdentityError](err); ok {
		reason = fmt.Sprintf(`{"_tag":"Fail","error":{"expected":%q,"received":%q,"_tag":"BackendIdMismatchError"}}`, e.Backend, e.Received)
	}
	if e, ok := errors.AsType[*provider.RejectedError](err); ok {
		reason = fmt.Sprintf(`{"_tag":"Fail","error":{"cause":{"name":"InvalidBatchError","message":%q},"_tag":"UnknownError"}}`, e.Why)
	}
	if errors.Is(err, context.Canceled) {
		reason = `{"_tag":"Interrupt","fiberId":{"_tag":"None"}}`
	}
	if id[0] != '"' {
		reason = "[" + reason + "]"
	}
	n.send(fmt.Sprintf(`{"_tag":"Exit","requestId":%s,"exit":{"_tag":"Failure","cause":%s}}`, id, reason))
}

func (n *fakeConn) send(frame string) {
	n.f.mu.Lock()
	mute := n.f.mute
	n.f.mu.Unlock()
	if !mute {
		_ = n.ws.Write(n.ctx, websocket.MessageText, []byte(frame)) // the reader sees that the connection is gone
	}
}

func chunk(id json.RawMessage, backendID string, remaining int, events ...event.Global) string {
	var b strings.Builder
	fmt.Fprintf(&b, `{"_tag":"Chunk","requestId":%s,"values":[{"batch":[`, id)
	for i, e := range events {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"eventEncoded":{"name":%s,"args":%s,"seqNum":%d,"parentSeqNum":%d,"clientId":%s,"sessionId":%s},`,
			quote(e.Name), e.Args, e.SeqNum, e.ParentSeqNum, quote(e.ClientID), quote(e.SessionID))
		b.WriteString(`"metadata":{"_tag":"Some","value":{"_tag":"SyncMessage.SyncMetadata","createdAt":"2026-11-23T01:01:01.245Z"}}}`)
	}
	info := `{"_tag":"NoMore"}`
	if remaining > 0 {
		info = fmt.Sprintf(`{"_tag":"MoreKnown","remaining":%d}`, remaining)
	}
	fmt.Fprintf(&b, `],"pageInfo":%s,"backendId":%s}]}`, info, quote(backendID))
	return b.String()
}

func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// decodeEvent takes an event apart without touching its arguments.
func decodeEvent(raw json.RawMessage) event.Global {
	var m map[string]json.RawMessage
	var e event.Global
	if err := json.Unmarshal(raw, &m); err != nil {
		panic(err)
	}
	for name, to := range map[string]any{
		"name": &e.Name, "seqNum": &e.SeqNum, "parentSeqNum": &e.ParentSeqNum, "clientId": &e.ClientID, "sessionId": &e.SessionID,
	} {
		if err := json.Unmarshal(m[name], to); err != nil {
			panic(err)
		}
	}
	e.Args = append(e.Args, m["args"]...)
	return e
}

func (f *fake) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// drop cuts all connections.
func (f *fake) drop() {
	f.mu.Lock()
	conns := make([]*fakeConn, 0, len(f.conns))
	for n := range f.conns {
		conns = append(conns, n)
	}
	f.mu.Unlock()
	for _, n := range conns {
		n.cancel()
	}
}

// sent returns what clients have sent so far.
func (f *fake) sent() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.frames...)
}

func (f *fake) times() []time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	times := make([]time.Time, len(f.attempts))
	for i, a := range f.attempts {
		times[i] = a.at
	}
	return times
}

// onPipes serves the fake without sockets, as a synctest bubble needs it, and returns a client that reaches it.
func (f *fake) onPipes(t *testing.T) *network {
	t.Helper()
	l := &network{conns: make(chan net.Conn), closed: make(chan struct{})}
	srv := &http.Server{Handler: f, ReadHeaderTimeout: time.Minute, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)}
	var wg sync.WaitGroup
	wg.Go(func() { _ = srv.Serve(l) })
	t.Cleanup(func() {
		_ = srv.Close()
		f.drop()
		f.wg.Wait()
		wg.Wait()
	})
	return l
}

// network is a listener in memory, and a dialer to it.
type network struct {
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}

	mu    sync.Mutex
	down  error                   // why no connection is made
	dials []time.Time             // attempts to connect
	wrap  func(net.Conn) net.Conn // around the client's end
}

func (l *network) client() *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: l.dial, DisableKeepAlives: true}}
}

func (l *network) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	l.mu.Lock()
	l.dials = append(l.dials, time.Now())
	down, wrap := l.down, l.wrap
	l.mu.Unlock()
	if down != nil {
		return nil, down
	}
	here, there := net.Pipe()
	select {
	case l.conns <- there:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-l.closed:
		return nil, net.ErrClosed
	}
	if wrap != nil {
		here = wrap(here)
	}
	return here, nil
}

func (l *network) set(change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change()
}

func (l *network) dialed() []time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]time.Time(nil), l.dials...)
}

func (l *network) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *network) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *network) Addr() net.Addr { return &net.UnixAddr{Name: "memory", Net: "unix"} }
