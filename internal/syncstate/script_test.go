package syncstate_test

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/syncstate"
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
		blocks := parseScript(t, file, string(text))
		for _, b := range blocks {
			if b.command == "new" {
				scenarios++
			}
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			s := &script{}
			var out strings.Builder
			for _, b := range blocks {
				got := b.expect
				if b.command != "" {
					got = s.run(t, &b)
				}
				if got != b.expect && !*rewrite {
					t.Errorf("%s:%d: %s\ngot:\n%swant:\n%s", file, b.line, b.head, got, b.expect)
				}
				b.write(&out, got)
			}
			if *rewrite && out.String() != string(text) {
				if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
	if scenarios < 50 {
		t.Errorf("%d scenarios, want at least 50", scenarios)
	}
}

// block is one command of a script, or the comments and empty lines before one.
type block struct {
	line    int
	text    string // comments and empty lines
	head    string // command with its arguments
	command string
	args    map[string]string
	words   []string // arguments without a value
	input   []string
	expect  string
}

func (b *block) write(out *strings.Builder, got string) {
	out.WriteString(b.text)
	if b.command == "" {
		return
	}
	fmt.Fprintln(out, b.head)
	for _, l := range b.input {
		fmt.Fprintln(out, l)
	}
	out.WriteString("----\n" + got)
}

// parseScript reads blocks: comments, a command, input, ---- and, up to the next empty line, the output.
func parseScript(t *testing.T, file, text string) []block {
	t.Helper()
	var blocks []block
	lines := strings.SplitAfter(text, "\n")
	for i := 0; i < len(lines); {
		var b block
		for i < len(lines) && (strings.HasPrefix(lines[i], "#") || strings.TrimSpace(lines[i]) == "") {
			b.text += lines[i]
			i++
		}
		if i < len(lines) {
			b.line, b.head = i+1, strings.TrimSpace(lines[i])
			words := strings.Fields(b.head)
			b.command, b.args = words[0], map[string]string{}
			for _, w := range words[1:] {
				if k, v, ok := strings.Cut(w, "="); ok && !strings.HasPrefix(k, "e") {
					b.args[k] = v
				} else {
					b.words = append(b.words, w)
				}
			}
			for i++; i < len(lines) && strings.TrimSpace(lines[i]) != "----"; i++ {
				if strings.TrimSpace(lines[i]) == "" {
					t.Fatalf("%s:%d: %s has no ----", file, i+1, b.command)
				}
				b.input = append(b.input, strings.TrimRight(lines[i], "\n"))
			}
			for i++; i < len(lines) && strings.TrimSpace(lines[i]) != ""; i++ {
				b.expect += lines[i]
			}
		}
		blocks = append(blocks, b)
	}
	return blocks
}

// script is the node that a script plays on.
type script struct {
	n *node
}

func (s *script) run(t *testing.T, b *block) (got string) {
	t.Helper()
	defer func() {
		// Under build tag invariants a violation is a panic; a script shows it the same way.
		if r := recover(); r != nil {
			v, ok := r.(*syncstate.ViolationError)
			if !ok {
				panic(r)
			}
			got = fmt.Sprintf("%T: %v\n", v, v)
		}
	}()
	var out string
	var err error
	switch b.command {
	case "new":
		out, err = s.new(b)
	case "commit":
		out, err = s.commit(b)
	case "push":
		out, err = s.push(b)
	case "merge":
		out, err = s.merge(b)
	case "overlap":
		out, err = s.overlap(b)
	case "check":
		out, err = s.check(b)
	case "renumber":
		out, err = s.renumber(b)
	default:
		t.Fatalf("line %d: no command %s", b.line, b.command)
	}
	if usage, ok := errors.AsType[*usageError](err); ok {
		t.Fatalf("line %d: %s: %v", b.line, b.head, usage)
	}
	if err != nil {
		return fmt.Sprintf("%T: %v\n", err, err)
	}
	return out
}

// usageError says that a script is written wrong.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usage(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

func (b *block) num(key string) (event.SeqNum, error) {
	text, ok := b.args[key]
	if !ok {
		return event.SeqNum{}, nil
	}
	return parseNum(text)
}

func (b *block) int(key string) (int64, error) {
	n, err := strconv.ParseInt(cmp.Or(b.args[key], "0"), 10, 64)
	if err != nil {
		return 0, usage("%v", err)
	}
	return n, nil
}

// parseNum reads event notation, and numbers that have none: negative ones, written e(-1,0,0).
func parseNum(text string) (event.SeqNum, error) {
	var n event.SeqNum
	if strings.HasPrefix(text, "e(") {
		if _, err := fmt.Sscanf(text, "e(%d,%d,%d)", &n.Global, &n.Client, &n.Generation); err != nil {
			return n, usage("%q: %v", text, err)
		}
		return n, nil
	}
	n, err := event.ParseSeqNum(text)
	if err != nil {
		return n, usage("%v", err)
	}
	return n, nil
}

// heads reads local=, upstream= and generation=. Without local there is nothing pending.
func (b *block) heads() (h syncstate.Heads, err error) {
	if h.Upstream, err = b.num("upstream"); err != nil {
		return h, err
	}
	h.Local = h.Upstream
	if _, ok := b.args["local"]; ok {
		if h.Local, err = b.num("local"); err != nil {
			return h, err
		}
	}
	h.Generation, err = b.int("generation")
	return h, err
}

var token = regexp.MustCompile(`^(e[^=<]+)(?:<(e[^=]+))?=([A-Z][a-z]*|[a-z]+)([0-9]*)([~!]?)$`)

// events reads event notation with a name: e5=A0 is event 0 of commit A, made here; e5=x is another client's. The parent is the
// one the number has after the event before it, unless written e5<e3=A0. ~ spells the arguments differently, ! changes them.
func parseEvents(head event.SeqNum, lines []string) ([]event.Client, error) {
	var events []event.Client
	for tok := range strings.FieldsSeq(strings.Join(lines, " ")) {
		m := token.FindStringSubmatch(tok)
		if m == nil {
			return nil, usage("%q is no event: write e5=A0 or e5=x", tok)
		}
		var e event.Client
		var err error
		if e.Num, err = parseNum(m[1]); err != nil {
			return nil, err
		}
		e.Parent = head
		if !e.Num.IsClientOnly() {
			e.Parent = event.SeqNum{Global: e.Num.Global - 1}
		}
		if m[2] != "" {
			if e.Parent, err = parseNum(m[2]); err != nil {
				return nil, err
			}
		}
		describe(&e, m[3], m[4])
		switch m[5] {
		case "~":
			e.Args = jsontext.Value(`{"b": 1.0, "a" : "` + e.Name + `"}`)
		case "!":
			e.Args = jsontext.Value(`{"a":"` + e.Name + `","b":2}`)
		}
		events = append(events, e)
		head = e.Num
	}
	return events, nil
}

// describe makes e event index of a commit made here, when the name is upper case, or an event of another client.
func describe(e *event.Client, name, index string) {
	e.Name, e.ClientID, e.SessionID = name+index, "other", "s"
	e.Args = jsontext.Value(`{"a":"` + e.Name + `","b":1}`)
	if name[0] >= 'A' && name[0] <= 'Z' {
		e.ClientID = "here"
		e.ID.Commit = commitID(name)
		e.ID.Index, _ = strconv.Atoi(cmp.Or(index, "0"))
	}
}

func commitID(name string) event.CommitID { return event.CommitID{Journal: name, Ordinal: 1} }

func show(events []event.Client) string {
	if len(events) == 0 {
		return "-"
	}
	words := make([]string, len(events))
	for i, e := range events {
		words[i] = e.Num.String() + "=" + e.Name
	}
	return strings.Join(words, " ")
}

// state shows the log, with a bar before what is pending, and the heads.
func (s *script) state() string {
	pending := s.n.pending()
	return fmt.Sprintf("log: %s | %s\nheads: %s\n", show(s.n.log[:len(s.n.log)-len(pending)]), show(pending), s.n.heads)
}

func (s *script) new(b *block) (string, error) {
	h, err := b.heads()
	if err != nil {
		return "", err
	}
	base := syncstate.Heads{Local: h.Upstream, Upstream: h.Upstream, Generation: h.Generation}
	same := syncstate.SameIdentity
	if len(b.words) != 1 || b.words[0] != "session" && b.words[0] != "leader" {
		return "", usage("write new session or new leader")
	}
	if b.words[0] == "leader" {
		same = syncstate.SameGlobal
	}
	s.n = newNode(same, base)
	events, err := parseEvents(base.Local, b.input)
	if err != nil {
		return "", err
	}
	if len(events) > 0 {
		base.Local = events[len(events)-1].Num
		for _, e := range events {
			base.Generation = max(base.Generation, e.Num.Generation)
		}
		if err := s.n.become(base, events); err != nil {
			return "", err
		}
	}
	return s.state(), nil
}

// commit NAME s|c… admits a commit of synced and client-only events.
func (s *script) commit(b *block) (string, error) {
	if len(b.words) < 2 {
		return "", usage("write commit NAME s|c…")
	}
	events := make([]event.Client, len(b.words)-1)
	for i, scope := range b.words[1:] {
		describe(&events[i], b.words[0], strconv.Itoa(i))
		if scope == "c" {
			events[i].Num.Client = 1
		}
	}
	if _, err := s.n.commit(events); err != nil {
		return "", err
	}
	return s.state(), nil
}

func (s *script) push(b *block) (string, error) {
	events, err := parseEvents(s.n.heads.Local, b.input)
	if err != nil {
		return "", err
	}
	if err := s.n.push(events); err != nil {
		return "", err
	}
	return s.state(), nil
}

func (b *block) upstream(h syncstate.Heads) (up syncstate.Upstream, err error) {
	head := h.Upstream
	if _, ok := b.args["rollback"]; ok {
		to, err := b.num("rollback")
		if err != nil {
			return up, err
		}
		up.RollbackTo, head = &to, to
	}
	if up.Generation, err = b.int("generation"); err != nil {
		return up, err
	}
	for name := range strings.SplitSeq(b.args["aside"], ",") {
		if name != "" {
			up.SetAside = append(up.SetAside, commitID(name))
		}
	}
	up.Events, err = parseEvents(head, b.input)
	return up, err
}

// merge [rollback=e4] [aside=A,B] [generation=3] [fails=C] [window=2] carries out what upstream says.
func (s *script) merge(b *block) (string, error) {
	up, err := b.upstream(s.n.heads)
	if err != nil {
		return "", err
	}
	if s.n.same == syncstate.SameGlobal {
		for i, e := range up.Events {
			if !e.Num.IsClientOnly() && e.Num.Generation == 0 { // identities are not on the wire
				up.Events[i] = e.Global().Client()
			}
		}
	}
	fails := strings.Split(b.args["fails"], ",")
	s.n.applies = func(commit []event.Client) bool {
		name := commit[0].ID.Commit.Journal
		return name == "" || !slices.Contains(fails, name)
	}
	window := len(s.n.pending())
	if w, ok := b.args["window"]; ok {
		if window, err = strconv.Atoi(w); err != nil {
			return "", usage("%v", err)
		}
		// Show how a short window is answered instead of asking again.
		if _, err := syncstate.Merge(s.n.heads, s.n.pending()[:window], up, s.n.same); err != nil {
			return "", err
		}
	}
	o, err := s.n.merge(up, window)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	switch r := o.result.(type) {
	case syncstate.Advance:
		fmt.Fprintf(&out, "advance: confirmed %d, new %s\n", r.Confirmed, show(r.New))
	case syncstate.Rebase:
		fmt.Fprintf(&out, "rebase: confirmed %d, kept %d, roll back to %s, new %s\n", r.Confirmed, r.Kept, r.RollbackTo, show(r.New))
		if len(r.Delivered) > 0 {
			var names []string
			for _, id := range r.Delivered {
				names = append(names, fmt.Sprintf("%s%d", id.Commit.Journal, id.Index))
			}
			fmt.Fprintf(&out, "delivered: %s\n", strings.Join(names, " "))
		}
		for _, id := range r.SetAside {
			fmt.Fprintf(&out, "set aside upstream: %s\n", id.Journal)
		}
		for _, commit := range r.Replay {
			fmt.Fprintf(&out, "replay: %s\n", show(commit))
		}
		for _, commit := range o.failed {
			fmt.Fprintf(&out, "set aside here: %s\n", commit[0].ID.Commit.Journal)
		}
	}
	return out.String() + s.state(), nil
}

// overlap compares the known events, up to an input line of its own that holds --, with what a pull sent.
func (s *script) overlap(b *block) (string, error) {
	i := slices.Index(b.input, "--")
	if i < 0 {
		return "", usage("put a line -- between the known events and those of the pull")
	}
	head, err := b.num("after")
	if err != nil {
		return "", err
	}
	known, err := parseEvents(head, b.input[:i])
	if err != nil {
		return "", err
	}
	events, err := parseEvents(head, b.input[i+1:])
	if err != nil {
		return "", err
	}
	rest, err := syncstate.Overlap(known, events, s.n.same)
	if err != nil {
		return "", err
	}
	return "rest: " + show(rest) + "\n", nil
}

// check upstream= local= generation= verifies pending events that may be wrong; with the word merge or push, what those notice.
func (s *script) check(b *block) (string, error) {
	h, err := b.heads()
	if err != nil {
		return "", err
	}
	pending, err := parseEvents(h.Upstream, b.input)
	if err != nil {
		return "", err
	}
	switch {
	case slices.Contains(b.words, "merge"):
		_, err = syncstate.Merge(h, pending, syncstate.Upstream{}, syncstate.SameIdentity)
	case slices.Contains(b.words, "push"):
		_, err = syncstate.Push(h, nil)
	default:
		err = syncstate.Check(h, pending)
	}
	if err != nil {
		return "", err
	}
	return "ok\n", nil
}

// renumber upstream= generation= [fails=A] numbers commits, one a line, on a head they were not made on.
func (s *script) renumber(b *block) (string, error) {
	h, err := b.heads()
	if err != nil {
		return "", err
	}
	r := syncstate.NewRenumber(h)
	var out strings.Builder
	for _, line := range b.input {
		commit, err := parseEvents(h.Local, []string{line})
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&out, "next: %s\n", show(r.Next(commit)))
		if strings.HasPrefix(commit[0].Name, cmp.Or(b.args["fails"], "-")) {
			r.SetAside()
		} else {
			r.Keep()
		}
	}
	r.Keep() // with nothing under way it changes nothing
	fmt.Fprintf(&out, "heads: %s\n", r.Heads())
	return out.String(), nil
}
