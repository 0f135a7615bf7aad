package room

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/wire"
)

var rewrite = flag.Bool("rewrite", false, "write what the scripts under testdata come to into them")

// TestScripts plays the scripts under testdata; testdata/README.md is their manual.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	scenarios := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		scenarios += strings.Count(string(text), "\nnew")
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			var out strings.Builder
			s := &script{t: t}
			lines := strings.SplitAfter(string(text), "\n")
			for i := 0; i < len(lines); {
				command, line := lines[i], i+1
				out.WriteString(command)
				i++
				if command == "" || command == "\n" || command[0] == '#' {
					continue
				}
				want := ""
				for ; i < len(lines) && strings.HasPrefix(lines[i], "\t"); i++ {
					want += lines[i]
				}
				s.out.Reset()
				s.run(strings.Fields(command), strings.TrimSpace(command))
				got := s.out.String()
				if got != want && !*rewrite {
					t.Errorf("%s:%d: %sgot:\n%swant:\n%s", file, line, command, got, want)
				}
				out.WriteString(got)
			}
			if *rewrite && out.String() != string(text) {
				if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
	if scenarios < 40 {
		t.Errorf("%d scenarios, want at least 40", scenarios)
	}
}

// script is a room, and the driver that a script plays: it writes at once what a connection is sent, unless the connection is held.
type script struct {
	t      *testing.T
	log    *memoryLog
	room   *Room
	held   map[Conn]bool
	flight map[Conn]int
	out    strings.Builder
}

func (s *script) run(words []string, line string) {
	ctx, now := context.Background(), time.Date(2026, 11, 23, 1, 1, 1, 245e6, time.UTC)
	args := map[string]string{}
	var plain []string
	for _, w := range words {
		if k, v, ok := strings.Cut(w, "="); ok {
			args[k] = v
		} else {
			plain = append(plain, w)
		}
	}
	number := func(key string, def int) int {
		if v, ok := args[key]; ok {
			return s.number(v)
		}
		return def
	}
	text := func(key, def string) string {
		if v, ok := args[key]; ok {
			return v
		}
		return def
	}
	arg := func(i int) string { return append(plain, "", "", "", "")[i] }
	switch plain[0] {
	case "new":
		s.log = &memoryLog{most: number("most", 0)}
		s.log.grow(number("events", 0), number("bytes", 0))
		s.room = New(Config{StoreID: "shop", Log: s.log, Limits: Limits{
			Window: number("window", 0), Replies: number("replies", 0), Pulls: number("pulls", 0),
			PushEvents: number("pushevents", 0), CacheBytes: number("cache", 0),
		}})
		s.held, s.flight = map[Conn]bool{}, map[Conn]int{}
		return
	case "join":
		s.room.Join(arg(1))
	case "leave":
		s.room.Leave(arg(1))
	case "hold":
		s.held[arg(1)] = true
	case "drain":
		c := Conn(arg(1))
		n := s.flight[c]
		if arg(2) == "all" {
			s.held[c] = false
		} else {
			n = min(n, s.number(arg(2)))
		}
		s.flight[c] -= n
		s.room.Drained(c, n)
	case "elsewhere":
		s.log.grow(s.number(arg(1)), number("bytes", 0))
	case "lose":
		s.log.events = s.log.events[:len(s.log.events)-s.number(arg(1))]
	case "wake":
		s.room.Wake(ctx)
	case "fail":
		switch arg(1) {
		case "append":
			s.log.failAppend = arg(2)
		case "head":
			s.log.failHead = true
		case "read":
			s.log.failRead = true
		default:
			s.t.Fatalf("unknown failure %q", line)
		}
	case "heal":
		s.log.failAppend, s.log.failHead, s.log.failRead = "", false, false
	case "show":
		fmt.Fprintf(&s.out, "\thead %d, log %d, stale %v, conns %d\n", s.room.Head(), len(s.log.events), s.room.Stale(), s.room.Conns())
	case "full":
		fmt.Fprintf(&s.out, "\t%v\n", s.room.Full(arg(1)))
	case "reads":
		fmt.Fprintf(&s.out, "\t%d\n", s.log.reads)
		s.log.reads = 0
	default:
		c := Conn(plain[0])
		var m wire.ClientMessage
		switch arg(1) {
		case "pull":
			p := &wire.Pull{ID: testID(arg(2)), StoreID: text("store", "shop"), Live: slices.Contains(plain, "live"), HTTP: slices.Contains(plain, "http")}
			if _, ok := args["after"]; ok {
				p.Cursor = &wire.Cursor{BackendID: text("backend", testBackend), After: int64(number("after", 0))}
			}
			m = p
		case "push":
			p := &wire.Push{ID: testID(arg(2)), StoreID: text("store", "shop"), BackendID: text("backend", "")}
			for _, w := range plain[3:] {
				p.Batch = append(p.Batch, s.events(w, number("bytes", 0))...)
			}
			for i := range p.Batch {
				e := &p.Batch[i]
				e.Name, e.ClientID, e.SessionID = text("name", e.Name), text("client", e.ClientID), text("session", e.SessionID)
				if text("args", "") == "none" {
					e.Args = nil
				}
			}
			m = p
		case "ack":
			m = &wire.Ack{ID: testID(arg(2))}
		case "interrupt":
			m = &wire.Interrupt{ID: testID(arg(2))}
		case "httpping":
			m = &wire.HTTPPing{ID: testID(arg(2))}
		case "ping":
			m = wire.Ping{}
		case "eof":
			m = wire.Eof{}
		case "refuse":
			s.room.Refuse(c, testID(arg(2)), fmt.Errorf("the hook says %s", arg(3)))
		case "frame":
			messages, err := wire.DecodeClient([]byte(line[strings.Index(line, "frame ")+len("frame "):]))
			for _, m := range messages {
				s.room.Receive(ctx, c, m, now)
			}
			s.room.Malformed(c, err)
		default:
			s.t.Fatalf("unknown command %q", line)
		}
		if m != nil {
			s.room.Receive(ctx, c, m, now)
		}
	}
	for more := true; more; {
		more = s.room.Pump(ctx)
		for _, e := range s.room.Effects() {
			fmt.Fprintf(&s.out, "\t%v %s\n", e.Conn, showEffect(s.t, &e))
			if e.Close != nil {
				delete(s.held, e.Conn)
				delete(s.flight, e.Conn)
			} else if s.held[e.Conn] {
				s.flight[e.Conn]++
			} else {
				s.room.Drained(e.Conn, 1)
				more = true
			}
		}
	}
}

func (s *script) number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// events reads 3, 3..5 or 4<2: events by number, and one with another parent.
func (s *script) events(text string, argsBytes int) (out []event.Global) {
	if num, parent, ok := strings.Cut(text, "<"); ok {
		e := numbered(int64(s.number(num)), argsBytes)
		e.ParentSeqNum = int64(s.number(parent))
		return []event.Global{e}
	}
	first, last, ok := strings.Cut(text, "..")
	if !ok {
		last = first
	}
	for n := s.number(first); n <= s.number(last); n++ {
		out = append(out, numbered(int64(n), argsBytes))
	}
	return out
}

// testID reads an id: #1 is of dialect E4, 1 of E3.
func testID(text string) wire.ID {
	if digits, ok := strings.CutPrefix(text, "#"); ok {
		n, _ := strconv.ParseUint(digits, 10, 64)
		return wire.NumberID(n)
	}
	return wire.StringID(text)
}

func showID(id wire.ID) string {
	if id.Dialect() == wire.E4 {
		return "#" + id.String()
	}
	return id.String()
}

// showEffect writes an effect in a line, and checks that its frame is its message.
func showEffect(t testing.TB, e *Effect) string {
	if e.Close != nil {
		return "closed: " + e.Close.Error()
	}
	if got, want := e.AppendFrame(nil), wire.AppendServer(nil, e.Message); !bytes.Equal(got, want) {
		t.Errorf("frame\n%s\nof message\n%s", got, want)
	}
	switch m := e.Message.(type) {
	case *wire.Chunk:
		item := m.Items[0]
		events := "nothing"
		if n := len(item.Events); n > 0 {
			first, last := item.Events[0].SeqNum, item.Events[n-1].SeqNum
			if events = strconv.FormatInt(first, 10); last != first {
				events += fmt.Sprintf("..%d", last)
			}
			if last-first != int64(n-1) {
				t.Errorf("chunk %s with %d events", events, n)
			}
		}
		more := ""
		if item.Page.Kind == wire.MoreKnown {
			more = fmt.Sprintf(", %d more", item.Page.Remaining)
		}
		if item.BackendID != testBackend {
			t.Errorf("backend id %q", item.BackendID)
		}
		return fmt.Sprintf("chunk %s: %s%s", showID(m.ID), events, more)
	case *wire.Exit:
		how := "ok " + string(m.Value)
		for _, r := range m.Failure {
			switch r.Kind {
			case wire.Interrupted:
				how = "interrupted"
			case wire.Die:
				how = "dies: " + string(r.Defect)
			default:
				how = fmt.Sprintf("%T %s", r.Err, r.Err)
			}
		}
		return fmt.Sprintf("exit %s: %s", showID(m.ID), strings.TrimSpace(how))
	case *wire.Defect:
		return "defect " + string(m.Defect)
	default:
		return "pong"
	}
}
