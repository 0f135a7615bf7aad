package server_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/livestore-go/livestore/internal/wire"
	"github.com/livestore-go/livestore/server"
)

// bystander is a client that wants only its due: whatever others do, its pushes come back to it and are answered.
type bystander struct {
	*peer

	pull wire.ID
	head int64
}

func (w *world) bystander(store string) *bystander {
	w.Helper()
	p := w.dial(wire.E3, store)
	b := &bystander{peer: p, pull: p.peer().pull(0, true)}
	p.events(b.pull, 1, 0)
	return b
}

func (p *peer) peer() *peer { return p }

func (b *bystander) unharmed() {
	b.Helper()
	b.head++
	push := b.push(at(b.head))
	b.events(b.pull, b.head, b.head)
	b.stored(push)
}

// What is no message is answered as such, and what comes after it as if nothing had been.
func TestMalformedFrames(t *testing.T) {
	w := inMemory(t, nil)
	b := w.bystander("s")
	p := w.dial(wire.E4, "s")
	request := func(id, tag, payload string) string {
		return `{"_tag":"Request","id":` + id + `,"tag":"` + tag + `","payload":` + payload + `,"headers":[]}`
	}
	pull := `{"storeId":"s","live":false,"cursor":{"_tag":"None"}}`
	for _, c := range []struct{ frame, want string }{
		{``, `"_tag":"Defect"`},
		{`{`, `"_tag":"Defect"`},
		{`nonsense`, `"_tag":"Defect"`},
		{`{"_tag":"Ping"} {"_tag":"Ping"}`, `"_tag":"Defect"`},
		{`null`, `"_tag":"Defect"`},
		{`7`, `"_tag":"Defect"`},
		{`"Ping"`, `"_tag":"Defect"`},
		{`{}`, `"_tag":"Defect"`},
		{`{"_tag":"Nope"}`, `"_tag":"Defect"`},
		{`{"_tag":null}`, `"_tag":"Defect"`},
		{`{"_tag":"Ping","_tag":"Ping"}`, `"_tag":"Defect"`},
		{"{\"_tag\":\"Ping\",\"x\":\"\xff\"}", `"_tag":"Defect"`},
		{strings.Repeat("[", 100_000), `"_tag":"Defect"`},
		{strings.Repeat(`{"a":`, 50_000), `"_tag":"Defect"`},
		{`{"_tag":"Ack"}`, `"_tag":"Defect"`},
		{`{"_tag":"Interrupt","requestId":{}}`, `"_tag":"Defect"`},
		{request(`null`, "SyncWsRpc.Pull", pull), `"_tag":"Defect"`},
		{request(`{}`, "SyncWsRpc.Pull", pull), `"_tag":"Defect"`},
		{request(`-1`, "SyncWsRpc.Pull", pull), `"_tag":"Defect"`},
		{request(`1.5`, "SyncWsRpc.Pull", pull), `"_tag":"Defect"`},
		{request(`1e300`, "SyncWsRpc.Pull", pull), `"_tag":"Defect"`},
		{request(`"`+strings.Repeat("9", 100_000)+`"`, "SyncWsRpc.Pull", pull), `"_tag":"Defect"`},
		{request(`"1"`, "SyncWsRpc.Nope", pull), `"Unknown request tag: SyncWsRpc.Nope"`},
		{request(`1`, "SyncWsRpc.Nope", pull), `"requestId":1,"exit":{"_tag":"Failure","cause":[{"_tag":"Die"`},
		{request(`2`, "SyncWsRpc.Pull", `{}`), `"requestId":2,"exit":{"_tag":"Failure","cause":[{"_tag":"Die"`},
		{request(`"2"`, "SyncWsRpc.Pull", `{"storeId":"s","live":false}`), `"requestId":"2","exit":{"_tag":"Failure","cause":{"_tag":"Die"`},
		{request(`3`, "SyncWsRpc.Pull", `{"storeId":"s","live":1,"cursor":{"_tag":"None"}}`), `"requestId":3,"exit":{"_tag":"Failure"`},
		{request(`4`, "SyncWsRpc.Push", `{"storeId":"s","batch":{},"backendId":{"_tag":"None"}}`), `"requestId":4,"exit":{"_tag":"Failure"`},
		{request(`5`, "SyncWsRpc.Push", `{"storeId":"s","batch":[7],"backendId":{"_tag":"None"}}`), `"requestId":5,"exit":{"_tag":"Failure"`},
		{request(`6`, "SyncWsRpc.Push", `{"storeId":"s","batch":[{"name":"n","args":{},"seqNum":1.5,"parentSeqNum":0,"clientId":"c",`+
			`"sessionId":"s"}],"backendId":{"_tag":"None"}}`), `"requestId":6,"exit":{"_tag":"Failure"`},
		{request(`7`, "SyncWsRpc.Push", `{"storeId":"s","batch":[{"name":"n","args":{},"seqNum":-1,"parentSeqNum":-2,"clientId":"c",`+
			`"sessionId":"s"}],"backendId":{"_tag":"None"}}`), `"requestId":7,"exit":{"_tag":"Failure"`},
	} {
		p.sendRaw([]byte(c.frame))
		p.receive()
		if !strings.Contains(string(p.raw), c.want) {
			t.Errorf("%.200s\nwas answered by %s, want %s", c.frame, p.raw, c.want)
		}
		p.nothing()
	}
	b.unharmed()
}

// Binary frames and messages in fragments are read as if they were one text.
func TestFrames(t *testing.T) {
	w := inMemory(t, nil)
	p := w.dial(wire.E3, "s")
	ping := []byte(`{"_tag":"Ping"}`)
	if err := p.ws.Write(p.ctx, websocket.MessageBinary, ping); err != nil {
		t.Fatal(err)
	}
	p.pong()
	for _, kind := range []websocket.MessageType{websocket.MessageText, websocket.MessageBinary} {
		out, err := p.ws.Writer(p.ctx, kind)
		if err != nil {
			t.Fatal(err)
		}
		for i := range ping { // a frame a byte, in the middle of everything
			if _, err := out.Write(ping[i : i+1]); err != nil {
				t.Fatal(err)
			}
		}
		if err := out.Close(); err != nil {
			t.Fatal(err)
		}
		p.pong()
	}
	p.sendRaw([]byte(` [ {"_tag":"Ping"} , {"_tag":"Ping"} ] `))
	p.pong()
	p.pong()
	p.nothing()
}

func (p *peer) pong() {
	p.Helper()
	if _, ok := p.receive().(wire.Pong); !ok {
		p.Fatalf("got %s, want a pong", p.raw)
	}
}

// A client that offers compression is answered without it.
func TestCompressionIsNotNegotiated(t *testing.T) {
	w := inMemory(t, nil)
	for _, mode := range []websocket.CompressionMode{websocket.CompressionContextTakeover, websocket.CompressionNoContextTakeover} {
		p, err := w.tryDial(wire.E3, w.address("s", ""), &websocket.DialOptions{CompressionMode: mode, CompressionThreshold: 1})
		if err != nil {
			t.Fatal(err)
		}
		p.send(wire.Ping{})
		p.pong()
		p.nothing()
	}
}

// A message past the limit ends its connection, and says so; one that is just below does not.
func TestOversizedFrames(t *testing.T) {
	w := inMemory(t, nil)
	b := w.bystander("s")
	padded := func(n int) []byte {
		frame := []byte(`{"_tag":"Ping","x":"`)
		return append(append(frame, bytes.Repeat([]byte("x"), n-len(frame)-2)...), `"}`...)
	}
	p := w.dial(wire.E3, "s")
	p.sendRaw(padded(1 << 20))
	p.pong()
	for _, size := range []int{1<<20 + 1, 8 << 20} {
		p := w.dial(wire.E3, "s")
		_ = p.ws.Write(p.ctx, websocket.MessageText, padded(size)) // the server may be gone before it is all written
		if code := p.closed(); code != websocket.StatusMessageTooBig {
			t.Errorf("a message of %d bytes ended the connection with %d", size, code)
		}
	}
	b.unharmed()
}

// rawConn is a client below the WebSocket protocol.
type rawConn struct {
	testing.TB
	net.Conn

	in *bufio.Reader
}

func (w *world) rawDial(store string) *rawConn {
	w.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(conn, "GET /?storeId=%s&transport=ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", store)
	r := &rawConn{TB: w.TB, Conn: conn, in: bufio.NewReader(conn)}
	response, err := http.ReadResponse(r.in, nil) //nolint:bodyclose // what an upgrade answers has no body
	if err != nil || response.StatusCode != http.StatusSwitchingProtocols {
		w.Fatalf("upgrade: %v %v", response, err)
	}
	return r
}

// frame writes one frame; first is its first byte: FIN, RSV and opcode.
func (r *rawConn) frame(first byte, masked bool, payload []byte) error {
	out := []byte{first}
	mask := byte(0)
	if masked {
		mask = 0x80
	}
	switch n := len(payload); {
	case n < 126:
		out = append(out, mask|byte(n))
	case n < 1<<16:
		out = binary.BigEndian.AppendUint16(append(out, mask|126), uint16(n))
	default:
		out = binary.BigEndian.AppendUint64(append(out, mask|127), uint64(n))
	}
	if masked {
		key := make([]byte, 4)
		_, _ = rand.Read(key)
		out = append(out, key...)
		for i, b := range payload {
			out = append(out, b^key[i%4])
		}
	} else {
		out = append(out, payload...)
	}
	_, err := r.Write(out)
	return err
}

// ended wants the server to end the connection, and returns the code it gave, 0 for none.
func (r *rawConn) ended() uint16 {
	r.Helper()
	code := uint16(0)
	for {
		var head [2]byte
		if _, err := io.ReadFull(r.in, head[:]); err != nil {
			if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
				r.Fatal("the server did not end the connection")
			}
			return code
		}
		n := int(head[1])
		if n == 126 {
			var long [2]byte
			_, _ = io.ReadFull(r.in, long[:])
			n = int(binary.BigEndian.Uint16(long[:]))
		}
		payload := make([]byte, n)
		_, _ = io.ReadFull(r.in, payload)
		if head[0] == 0x88 && n >= 2 {
			code = binary.BigEndian.Uint16(payload)
			r.half() // as a client does that was told
		}
	}
}

// What breaks the WebSocket protocol ends the connection that does it.
func TestBrokenFrames(t *testing.T) {
	w := inMemory(t, nil)
	b := w.bystander("s")
	ping := []byte(`{"_tag":"Ping"}`)
	for name, c := range map[string]struct {
		send func(r *rawConn)
		code uint16
	}{
		"compressed without having agreed": {func(r *rawConn) { _ = r.frame(0xC1, true, ping) }, 1002},
		"reserved bits":                    {func(r *rawConn) { _ = r.frame(0xB1, true, ping) }, 1002},
		"unknown opcode":                   {func(r *rawConn) { _ = r.frame(0x83, true, ping) }, 1002},
		"continuation of nothing":          {func(r *rawConn) { _ = r.frame(0x80, true, ping) }, 1002},
		"a message in a message": {func(r *rawConn) {
			_ = r.frame(0x01, true, ping)
			_ = r.frame(0x81, true, ping)
		}, 1002},
		"a ping in pieces":    {func(r *rawConn) { _ = r.frame(0x09, true, nil) }, 1002},
		"a ping too long":     {func(r *rawConn) { _ = r.frame(0x89, true, make([]byte, 200)) }, 1002},
		"not masked":          {func(r *rawConn) { _ = r.frame(0x81, false, ping) }, 0},
		"a close of one byte": {func(r *rawConn) { _ = r.frame(0x88, true, []byte{3}) }, 1002},
		"a length past all size": {func(r *rawConn) {
			_, _ = r.Write([]byte{0x81, 0xFF, 0x7F, 255, 255, 255, 255, 255, 255, 255, 1, 2, 3, 4})
			r.half()
		}, 0},
		"half a frame": {func(r *rawConn) {
			_, _ = r.Write([]byte{0x81, 0xFE, 0x10})
			r.half()
		}, 0},
		"noise": {func(r *rawConn) {
			noise := bytes.Repeat([]byte{0xFF, 0x00, 0x37, 0xA5}, 100)
			_, _ = r.Write(noise)
		}, 1002},
	} {
		t.Run(name, func(t *testing.T) {
			r := w.rawDial("s")
			c.send(r)
			if code := r.ended(); code != c.code {
				t.Errorf("it ended with code %d, want %d", code, c.code)
			}
			b.unharmed()
		})
	}
}

// half ends what is sent and keeps receiving.
func (r *rawConn) half() { _ = r.Conn.(*net.TCPConn).CloseWrite() }

// heap is what is in use after a collection.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// Tiny frames by the hundred thousand, answered or not, cost time and not memory.
func TestManyTinyFrames(t *testing.T) {
	w := inMemory(t, nil)
	b := w.bystander("s")
	before := heap()
	const frames = 200_000 // of five kinds: a million
	ping := string(wire.AppendClient(nil, wire.E3, wire.Ping{}))
	for name, frame := range map[string]string{
		"pings": ping, "nothing": `{}`, "acks": `{"_tag":"Ack","requestId":"7"}`, "eofs": `{"_tag":"Eof"}`, "empty": "",
	} {
		t.Run(name, func(t *testing.T) {
			r := w.rawDial("s")
			_ = r.SetDeadline(time.Now().Add(3 * patience))
			many := bytes.Repeat(masked(frame), 1000)
			read := make(chan int64, 1)
			go func() {
				n, _ := io.Copy(io.Discard, r.in)
				read <- n
			}()
			for range frames / 1000 {
				if _, err := r.Write(many); err != nil {
					t.Fatalf("write: %v", err)
				}
			}
			b.unharmed()
			if after := heap(); after > before+32<<20 {
				t.Errorf("the heap grew from %d to %d bytes", before, after)
			}
			_ = r.frame(0x88, true, []byte{3, 232})
			n := <-read
			if answered := name == "pings" || name == "nothing" || name == "empty"; answered != (n > frames) {
				t.Errorf("%d bytes of answers came", n)
			}
		})
	}
	// A message that is all messages.
	r := w.dial(wire.E4, "s")
	go func() {
		for {
			if _, _, err := r.ws.Read(r.ctx); err != nil {
				return
			}
		}
	}()
	for range 3 {
		r.sendRaw([]byte("[" + strings.Repeat(ping+",", 60_000) + ping + "]"))
		b.unharmed()
	}
	if after := heap(); after > before+32<<20 {
		t.Errorf("the heap grew from %d to %d bytes", before, after)
	}
}

// masked is a text frame as a client sends it.
func masked(text string) []byte {
	var out bytes.Buffer
	_ = (&rawConn{Conn: sink{Writer: &out}}).frame(0x81, true, []byte(text))
	return out.Bytes()
}

// sink is a connection of which only Write is used.
type sink struct {
	net.Conn
	io.Writer
}

// Write writes to the writer.
func (s sink) Write(b []byte) (int, error) { return s.Writer.Write(b) }

// A client that never reads is cut off. Until then it costs a bounded amount of memory, and nobody else anything.
func TestReaderThatNeverReads(t *testing.T) {
	const each = 100_000
	for name, greedy := range map[string]func(r *rawConn, backend string){
		"live": func(r *rawConn, backend string) {
			_ = r.frame(0x81, true, wire.AppendClient(nil, wire.E3, &wire.Pull{ID: wire.StringID("1"), StoreID: "s", Live: true}))
			for range 1000 {
				_ = r.frame(0x81, true, wire.AppendClient(nil, wire.E3, &wire.Ack{ID: wire.StringID("1")}))
			}
		},
		"many pulls": func(r *rawConn, backend string) {
			for i := range uint64(2000) {
				if r.frame(0x81, true, wire.AppendClient(nil, wire.E4, &wire.Pull{ID: wire.NumberID(i), StoreID: "s", Live: i%2 == 0})) != nil {
					return
				}
			}
		},
		"pings": func(r *rawConn, backend string) {
			many := bytes.Repeat(masked(`{"_tag":"Ping"}`), 1000)
			for range 2000 {
				if _, err := r.Write(many); err != nil {
					return
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := inMemory(t, &server.Options{Limits: server.Limits{WriteTimeout: 500 * time.Millisecond}})
			b := w.bystander("s")
			large := func() {
				b.head++
				e := at(b.head)
				e.Args = []byte(`"` + strings.Repeat("x", each) + `"`)
				push := b.push(e)
				b.chunk(b.pull)
				b.stored(push)
			}
			for range 100 {
				large()
			}
			before := heap()
			r := w.rawDial("s")
			_ = r.SetDeadline(time.Now().Add(6 * patience)) // it is given until it is cut off, however slow this machine is
			done := make(chan struct{})
			go func() {
				defer close(done)
				greedy(r, b.backend)
			}()
			for range 100 {
				large()
			}
			kept := uint64(100 * each) // what the log got meanwhile
			if after := heap(); after > before+kept+24<<20 {
				t.Errorf("the heap grew from %d to %d bytes, of which %d are events", before, after, kept)
			}
			<-done
			// It reads nothing, so what tells that it was cut off is that writing fails.
			for {
				if err := r.frame(0x89, true, nil); err != nil {
					if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
						t.Error("it was not cut off")
					}
					break
				}
				large()
			}
			large()
		})
	}
}

// A peer that is gone without a word is found by a ping it does not answer; one that is only silent is not.
func TestHalfOpenConnections(t *testing.T) {
	w := inMemory(t, &server.Options{Limits: server.Limits{PingInterval: 20 * time.Millisecond, PingTimeout: 200 * time.Millisecond}})
	silent := w.dial(wire.E3, "s")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	reading := silent.ws.CloseRead(ctx) // answers pings
	r := w.rawDial("s")
	if code := r.ended(); code != 0 {
		t.Errorf("it was told %d, and is not there", code)
	}
	if reading.Err() != nil {
		t.Error("a silent client was cut off")
	}
}
