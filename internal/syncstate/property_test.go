package syncstate_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/syncstate"
)

// TestWorlds plays random histories of several clients, each with several sessions, over one backend. In every step each node
// keeps R2 and its generation does not fall; a number never comes back for another event; and when everything has arrived,
// all logs are the same, nothing is lost, nothing is there twice, and nothing client-only left its client (R3, R4, R5).
func TestWorlds(t *testing.T) {
	for i := range 10 { // a rapid.Check is a hundred worlds
		t.Run(fmt.Sprint(i), func(t *testing.T) { rapid.Check(t, worlds) })
	}
}

func worlds(t *rapid.T) {
	w := newWorld(rapid.IntRange(1, 3).Draw(t, "clients"), rapid.IntRange(1, 3).Draw(t, "sessions"))
	w.seed = fmt.Sprint(rapid.Uint32().Draw(t, "seed"))
	w.rate = rapid.SampledFrom([]uint32{0, 2, 5, 20}).Draw(t, "rate")
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *wrong:
			t.Fatal(r)
		default:
			panic(r)
		}
	}()
	t.Repeat(w.actions())
	w.settle()
	w.converged()
}

// TestOutside merges what upstream never would say. The answer is a typed error that changes nothing, or keeps R2; a panic or a
// violation it never is. And however few pending events Merge is offered, it decides as with all of them or asks for more.
func TestOutside(t *testing.T) { rapid.Check(t, outside) }

func FuzzOutside(f *testing.F) { f.Fuzz(rapid.MakeFuzz(outside)) }

func outside(t *rapid.T) {
	n := anyNode(t)
	up := anyUpstream(t, n)
	pending := n.pending()
	want, err := syncstate.Merge(n.heads, pending, up, n.same)
	if err != nil {
		if !fromOutside(err) {
			t.Fatalf("%s and %s: %v", n.heads, show(up.Events), err)
		}
		return
	}
	for k := range pending {
		got, err := syncstate.Merge(n.heads, pending[:k], up, n.same)
		if errors.Is(err, syncstate.ErrMore) {
			continue
		}
		if err != nil {
			t.Fatalf("with %d of %d pending: %v", k, len(pending), err)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(syncstate.Renumber{})); diff != "" {
			t.Fatalf("with %d of %d pending (-all +some):\n%s", k, len(pending), diff)
		}
	}
	if r, ok := want.(syncstate.Rebase); ok {
		if _, err := n.undo(r.RollbackTo); err != nil { // a position that this log never had; the driver finds out
			return
		}
		checkParts(t, pending, r)
	}
	if _, err := n.merge(up, len(pending)); err != nil {
		t.Fatal(err)
	}
}

// checkParts checks R4: each pending event of before is confirmed, kept, delivered, set aside or replayed, and only one of these.
func checkParts(t *rapid.T, pending []event.Client, r syncstate.Rebase) {
	parts := map[event.ID]int{}
	for _, e := range pending[:r.Confirmed+r.Kept] {
		parts[e.ID]++
	}
	for _, id := range r.Delivered {
		parts[id]++
	}
	for _, commit := range r.Replay {
		for _, e := range commit {
			parts[e.ID]++
		}
	}
	for _, id := range r.SetAside {
		for _, e := range pending[r.Confirmed+r.Kept:] {
			if e.ID.Commit == id && parts[e.ID] == 0 {
				parts[e.ID]++
			}
		}
	}
	for _, e := range pending {
		if parts[e.ID] != 1 {
			t.Fatalf("pending event %s %s went to %d places", e.Num, e.ID, parts[e.ID])
		}
	}
}

func fromOutside(err error) bool {
	_, gap := errors.AsType[*syncstate.GapError](err)
	_, repeat := errors.AsType[*syncstate.RepeatError](err)
	_, rollback := errors.AsType[*syncstate.RollbackError](err)
	_, number := errors.AsType[*syncstate.NumberError](err)
	return gap || repeat || rollback || number
}

// anyNode returns a session or leader with some confirmed events of others, and some commits pending in some generations.
func anyNode(t *rapid.T) *node {
	same := rapid.SampledFrom([]syncstate.Same{syncstate.SameIdentity, syncstate.SameGlobal}).Draw(t, "same")
	n := newNode(same, syncstate.Heads{})
	var foreign []event.Client
	head := event.SeqNum{}
	for i := range rapid.IntRange(0, 3).Draw(t, "confirmed") {
		e := event.Client{Name: fmt.Sprintf("x%d", i), Args: jsontext.Value(`{}`), ClientID: "other", SessionID: "s"}
		e.Num, e.Parent = head.Next(event.ScopeSynced, 0)
		foreign, head = append(foreign, e), e.Num
	}
	if _, err := n.merge(syncstate.Upstream{Events: foreign}, 0); err != nil {
		t.Fatal(err)
	}
	for i := range rapid.IntRange(0, 4).Draw(t, "commits") {
		n.heads.Generation += int64(rapid.IntRange(0, 1).Draw(t, "newer"))
		commit := make([]event.Client, rapid.IntRange(1, 3).Draw(t, "events"))
		for j := range commit {
			id := event.ID{Commit: event.CommitID{Journal: "j", Ordinal: uint64(i + 1)}, Index: j}
			commit[j] = event.Client{Name: id.String(), Args: jsontext.Value(`{}`), ClientID: "here", SessionID: "s", ID: id}
			commit[j].Num.Client = int64(rapid.IntRange(0, 1).Draw(t, "clientOnly"))
		}
		if _, err := n.commit(commit); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// anyUpstream returns events that mostly make sense: own ones or others, at the next number or nearly so.
func anyUpstream(t *rapid.T, n *node) syncstate.Upstream {
	pending := n.pending()
	head := n.heads.Upstream
	up := syncstate.Upstream{Generation: int64(rapid.IntRange(0, 4).Draw(t, "generation"))}
	if rapid.IntRange(0, 3).Draw(t, "rollback") == 0 {
		to := anyNum(t, head)
		up.RollbackTo, head = &to, to
	}
	for i := range rapid.IntRange(0, 5).Draw(t, "events") {
		e := event.Client{Name: fmt.Sprintf("y%d", i), Args: jsontext.Value(`{}`), ClientID: "other", SessionID: "s"}
		if k := rapid.IntRange(0, 9).Draw(t, "own"); len(pending) > 0 && k > 3 {
			e = pending[min(i, len(pending)-1)]
			if k == 9 {
				e = pending[rapid.IntRange(0, len(pending)-1).Draw(t, "which")]
			}
		}
		generation := e.Num.Generation
		if n.same == syncstate.SameGlobal {
			generation = 0
		}
		scope := event.ScopeSynced
		if e.Num.IsClientOnly() {
			scope = event.ScopeClientOnly
		}
		e.Num, e.Parent = head.Next(scope, generation)
		if rapid.IntRange(0, 15).Draw(t, "odd") == 0 {
			e.Num = anyNum(t, e.Num)
		}
		if rapid.IntRange(0, 31).Draw(t, "oddParent") == 0 {
			e.Parent = anyNum(t, e.Parent)
		}
		up.Events, head = append(up.Events, e), e.Num
	}
	for range rapid.IntRange(0, 2).Draw(t, "aside") {
		ordinal := uint64(rapid.IntRange(1, 5).Draw(t, "ordinal"))
		up.SetAside = append(up.SetAside, event.CommitID{Journal: "j", Ordinal: ordinal})
	}
	return up
}

// anyNum returns a number near another one, which may be none at all.
func anyNum(t *rapid.T, near event.SeqNum) event.SeqNum {
	near.Global += int64(rapid.IntRange(-2, 2).Draw(t, "global"))
	near.Client += int64(rapid.IntRange(-1, 1).Draw(t, "client"))
	near.Generation += int64(rapid.IntRange(-1, 1).Draw(t, "generation"))
	return near
}

// TestPushChains pushes batches that are right, and the same batches with one number wrong.
func TestPushChains(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := anyNode(t)
		batch := make([]event.Client, rapid.IntRange(1, 4).Draw(t, "events"))
		for i := range batch {
			batch[i].Num.Client = int64(rapid.IntRange(0, 1).Draw(t, "clientOnly"))
		}
		batch = n.number(batch)
		before := n.heads
		after := syncstate.Heads{Local: batch[len(batch)-1].Num, Upstream: before.Upstream, Generation: before.Generation}
		if heads, err := syncstate.Push(before, batch); err != nil || heads != after {
			t.Fatalf("%s on %s: %v, %s", show(batch), before, err, heads)
		}
		e := &batch[rapid.IntRange(0, len(batch)-1).Draw(t, "wrong")]
		by := rapid.SampledFrom([]int64{-2, -1, 1, 2}).Draw(t, "by")
		switch rapid.IntRange(0, 2).Draw(t, "part") {
		case 0:
			e.Num.Global += by
		case 1:
			e.Parent.Global += by
		case 2:
			e.Num.Generation -= max(by, -by)
		}
		heads, err := syncstate.Push(before, batch)
		if _, ok := errors.AsType[*syncstate.RejectError](err); !ok || heads != before {
			t.Fatalf("%s on %s: %v, %s", show(batch), before, err, heads)
		}
	})
}
