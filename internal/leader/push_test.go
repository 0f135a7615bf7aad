package leader_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/journal"
	"github.com/livestore-go/livestore/internal/leader"
	"github.com/livestore-go/livestore/internal/link"
	"github.com/livestore-go/livestore/internal/syncstate"
	"github.com/livestore-go/livestore/state"
)

// identify gives the first commit of a push an identity, and its events theirs.
func identify(r *link.PushRequest, id event.CommitID) {
	r.Commits[0].ID = id
	for i := range r.Commits[0].Events {
		r.Commits[0].Events[i].ID = event.ID{Commit: id, Index: i}
	}
}

func reqs(r ...link.PushRequest) []link.PushRequest { return r }

func TestMachineNeedsRebuildAndNewID(t *testing.T) {
	w := newWorld(t, schema, nil)
	for name, change := range map[string]func(*leader.Config){
		"Rebuild": func(c *leader.Config) { c.Rebuild = nil },
		"NewID":   func(c *leader.Config) { c.NewID = nil },
	} {
		cfg := leader.Config{StoreID: "test", Log: w.log, NewID: func() string { return "id" }}
		change(&cfg)
		if _, err := leader.NewMachine(cfg); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: %v", name, err)
		}
	}
}

// A push that is malformed is refused by itself: those it shares a transaction with are taken.
func TestMalformedPush(t *testing.T) {
	for name, spoil := range map[string]func(*link.PushRequest){
		"no identity":         func(r *link.PushRequest) { identify(r, event.CommitID{}) },
		"no ordinal":          func(r *link.PushRequest) { identify(r, event.CommitID{Journal: "bad"}) },
		"no events":           func(r *link.PushRequest) { r.Commits[0].Events = nil },
		"a commit is missing": func(r *link.PushRequest) { identify(r, event.CommitID{Journal: "bad", Ordinal: 2}) },
		"two journals": func(r *link.PushRequest) {
			second := link.PushRequest{Commits: []link.Commit{{Events: []event.Client{r.Commits[0].Events[0]}}}}
			identify(&second, event.CommitID{Journal: "other", Ordinal: 1})
			e := &second.Commits[0].Events[0]
			e.Num, e.Parent, e.Args = event.SeqNum{Global: 2}, e.Num, jsontext.Value(`{"name":"c"}`)
			r.Commits = append(r.Commits, second.Commits...)
		},
		"event of another commit": func(r *link.PushRequest) { r.Commits[0].Events[0].ID.Commit.Journal = "other" },
		"index":                   func(r *link.PushRequest) { r.Commits[0].Events[0].ID.Index = 1 },
		"no name":                 func(r *link.PushRequest) { r.Commits[0].Events[0].Name = "" },
		"no client":               func(r *link.PushRequest) { r.Commits[0].Events[0].ClientID = "" },
		"no session":              func(r *link.PushRequest) { r.Commits[0].Events[0].SessionID = "" },
		"arguments":               func(r *link.PushRequest) { r.Commits[0].Events[0].Args = jsontext.Value(`{`) },
		"failed, without a name": func(r *link.PushRequest) {
			r.Commits[0].Failed, r.Commits[0].Events[0].Name = "it does not apply", ""
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, schema, nil)
			bad := w.request("bad", "b")
			spoil(&bad)
			results := w.m.Push(reqs(bad, w.request("good", "a")))
			if e, ok := errors.AsType[*leader.PushError](results[0].Err); !ok || e.SessionID != "bad" || results[0].Reply.Taken {
				t.Errorf("the malformed one: %+v", results[0])
			}
			if results[1].Err != nil || !results[1].Reply.Taken {
				t.Errorf("the other one: %+v", results[1])
			}
			w.expect("e1=a", "a", 0)
			if s, _ := w.snapshot(); len(s.SetAside) > 0 {
				t.Errorf("set aside: %v", s.SetAside)
			}
		})
	}
	t.Run("version", func(t *testing.T) {
		w := newWorld(t, schema, nil)
		r := w.request("s", "a")
		r.Version++
		if e, ok := errors.AsType[*leader.VersionError](w.m.Push(reqs(r))[0].Err); !ok || e.Got != link.Version+1 {
			t.Errorf("a session of another version: %v", e)
		}
		if _, err := w.m.Boot(link.BootRequest{}); err == nil {
			t.Error("it gets a snapshot")
		}
	})
}

// Two sessions try the same set-aside commit again. It applies once; the second one is set aside and says why.
func TestRetryOfTwoSessions(t *testing.T) {
	w := newWorld(t, schema, nil)
	w.commit("s", "a")
	late := w.request("s", "a")
	if res := w.m.Push(reqs(late))[0]; res.Err != nil || res.Reply.Taken {
		t.Fatalf("a commit that breaks a constraint: %+v", res)
	}
	id := late.Commits[0].ID
	w.published()

	for i, session := range []string{"p", "q"} {
		r := w.request(session, fmt.Sprint("again", i))
		r.Commits[0].Retry = id
		res := w.m.Push(reqs(r))[0]
		if res.Err != nil || res.Reply.Taken != (i == 0) {
			t.Errorf("try of session %s: %+v", session, res)
		}
	}
	w.expect("e1=a e2=again0", "a again0", 0)
	equal(t, "published", said(w.published()), "e2=again0 restored "+id.String()+" backend e0; aside q/1 backend e0")
	s, _ := w.snapshot()
	if len(s.SetAside) != 1 || !strings.Contains(s.SetAside[0].Err, id.String()) {
		t.Errorf("set aside: %+v", s.SetAside)
	}
	// One that was dropped is not tried again either.
	if r, err := w.m.Drop(link.DropRequest{ID: s.SetAside[0].ID}); err != nil || !r.Found {
		t.Errorf("drop: %+v, %v", r, err)
	}
	r := w.request("p", "again2")
	r.Commits[0].Retry = s.SetAside[0].ID
	if res := w.m.Push(reqs(r))[0]; res.Err != nil || res.Reply.Taken {
		t.Errorf("a retry of what was dropped: %+v", res)
	}
	w.expect("e1=a e2=again0", "a again0", 0)
}

// A journal that lies in the wrong directory is not taken.
func TestJournalOfAnotherStoreOrClient(t *testing.T) {
	w := newWorld(t, schema, nil)
	records := []journal.Record{{Ordinal: 1, Events: []journal.Event{{Name: "v1.Added", Args: jsontext.Value(`{"name":"a"}`)}}}}
	for _, h := range []journal.Header{
		{Journal: "j", StoreID: "another", ClientID: "client", SessionID: "s"},
		{Journal: "j", StoreID: "test", ClientID: "another", SessionID: "s"},
	} {
		e, ok := errors.AsType[*leader.JournalError](w.m.Adopt(h, records))
		if !ok || e.Journal != "j" || e.StoreID != h.StoreID || e.ClientID != h.ClientID || e.WantStoreID != "test" || e.WantClientID != "client" {
			t.Errorf("journal of store %s and client %s: %v", h.StoreID, h.ClientID, e)
		}
	}
	w.expect("", "", 0)
}

// What a session has left in its journal is taken once, as far as it applies, and the sessions that are there hear of it.
func TestAdopt(t *testing.T) {
	w := newWorld(t, schema, nil)
	w.commit("j", "a")
	w.published()
	h := journal.Header{Journal: "j", StoreID: "test", ClientID: "client", SessionID: "gone"}
	rec := func(ordinal uint64, args ...string) journal.Record {
		r := journal.Record{Ordinal: ordinal}
		for _, a := range args {
			name, raw, scope := ev(a)
			r.Events = append(r.Events, journal.Event{Name: name, Args: raw, ClientOnly: scope == event.ScopeClientOnly})
		}
		return r
	}
	unknown := rec(5, "e")
	unknown.Events[0].Name = "v9.New"
	records := []journal.Record{rec(1, "a"), rec(2, "b", "(n)"), rec(3, "c", "a"), rec(4, "d"), unknown}
	for range 2 {
		if err := w.m.Adopt(h, records); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.m.Forget("j"); err != nil {
		t.Fatal(err)
	}
	if err := w.m.Adopt(h, records); err != nil {
		t.Fatal(err)
	}
	w.expect("e1=a e2=b e2.1=n e3=d e4=e", "(n) a b d", 0)
	equal(t, "published", said(w.published()), "e2=b e2.1=n e3=d e4=e aside j/3 backend e0")
}

// Under the policy to stop at unknown events a journal that holds one stays where it is.
func TestAdoptOfAnUnknownEventThatFails(t *testing.T) {
	w := newWorld(t, schemaOf(state.UnknownEvents(state.Fail)), nil)
	h := journal.Header{Journal: "j", StoreID: "test", ClientID: "client", SessionID: "gone"}
	err := w.m.Adopt(h, []journal.Record{{Ordinal: 1, Events: []journal.Event{{Name: "v9.New", Args: jsontext.Value(`{}`)}}}})
	if _, ok := errors.AsType[*state.UnknownEventError](err); !ok {
		t.Errorf("adopt: %v", err)
	}
	w.expect("", "", 0)
	if s, _ := w.snapshot(); len(s.SetAside) > 0 {
		t.Errorf("set aside: %v", s.SetAside)
	}
}

// A session can not ask for all of the log at once.
func TestEventsComeInPages(t *testing.T) {
	w := newWorld(t, schema, nil)
	for i := range 3 {
		var args []string
		for j := range 500 {
			args = append(args, fmt.Sprint(i, "-", j))
		}
		w.commit("s", args...)
	}
	for limit, want := range map[int]int{-1: 1, 0: 1, 1: 1, 700: 700, 1000: 1000, math.MaxInt: 1000} {
		r, err := w.m.Events(link.EventsRequest{Limit: limit})
		if err != nil || len(r.Events) != want {
			t.Errorf("limit %d: %d events, %v", limit, len(r.Events), err)
		}
	}
	r, err := w.m.Events(link.EventsRequest{After: event.SeqNum{Global: 1000}, Limit: 1000})
	if err != nil || len(r.Events) != 500 {
		t.Errorf("after e1000: %d events, %v", len(r.Events), err)
	}
}

// A cursor of another start of a leader is of no use, however near it is.
func TestCursorOfAnotherLeader(t *testing.T) {
	w := newWorld(t, schema, nil)
	w.commit("s", "a")
	for _, r := range []link.PullRequest{{Epoch: "before", Cursor: 0}, {Epoch: "before", Cursor: 1}, {Epoch: "id", Cursor: 2}} {
		if reply := w.m.Published(r); !reply.Lost || len(reply.Published) > 0 {
			t.Errorf("cursor %d of %s: %+v", r.Cursor, r.Epoch, reply)
		}
	}
	s, _ := w.snapshot()
	if reply := w.m.Published(link.PullRequest{Epoch: s.Epoch, Cursor: s.Cursor}); reply.Lost {
		t.Error("a session that has just booted is lost")
	}
}

// A leader without a sync provider rolls nothing back, and keeps nothing to do it with.
func TestNoUndoWithoutProvider(t *testing.T) {
	for synced, want := range map[bool]int64{false: 0, true: 2} {
		var st *world
		var undo func() int64
		st = newWorld(t, schema, func(c *leader.Config) {
			c.Synced = synced
			conn := c.State.Conn()
			undo = func() (n int64) {
				stmt, err := conn.Prepare(0, `SELECT count(*) FROM __livestore_undo`)
				if err != nil {
					t.Fatal(err)
				}
				r, err := stmt.Query(nil)
				if err != nil {
					t.Fatal(err)
				}
				defer r.Close()
				r.Next()
				return r.Int64(0)
			}
		})
		st.commit("s", "a")
		st.commit("s", "b")
		if got := undo(); got != want {
			t.Errorf("synced %t: %d undo entries, want %d", synced, got, want)
		}
	}
}

// What a session pushes at once comes to the others in steps that hold nobody up for long (R10), also when a commit in the middle of it is set
// aside.
func TestLongPushIsPublishedInPieces(t *testing.T) {
	w := newWorld(t, schema, nil)
	r := w.request("s", "0")
	for i := 1; i < 250; i++ {
		c := r.Commits[i-1]
		last := c.Events[0]
		c.ID.Ordinal++
		c.Failed = ""
		heads := syncstate.Heads{Local: last.Num}
		if r.Commits[i-1].Failed != "" { // it takes no number
			heads.Local = last.Parent
		}
		if i == 30 {
			c.Failed = "it does not apply"
		}
		num, parent := heads.Next(event.ScopeSynced)
		name, args, _ := ev(fmt.Sprint(i))
		c.Events = []event.Client{{
			Num: num, Parent: parent, Name: name, Args: args, ClientID: "client", SessionID: "s", ID: event.ID{Commit: c.ID},
		}}
		r.Commits = append(r.Commits, c)
	}
	w.next["s"] = 250
	if res := w.m.Push(reqs(r))[0]; res.Err != nil || !res.Reply.Taken {
		t.Fatalf("%+v", res)
	}
	var pieces []string
	for _, p := range w.published() {
		pieces = append(pieces, fmt.Sprintf("%d to %s, %d set aside", len(p.Events), p.Events[len(p.Events)-1].Num, len(p.SetAside)))
	}
	equal(t, "pieces", strings.Join(pieces, "; "), "100 to e100, 1 set aside; 100 to e200, 0 set aside; 49 to e249, 0 set aside")
}
