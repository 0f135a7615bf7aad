package link

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/livestore-go/livestore/event"
)

func genNum(t *rapid.T) event.SeqNum {
	n := rapid.Int64Range(0, 1<<53-1)
	return event.SeqNum{Global: n.Draw(t, "global"), Client: n.Draw(t, "client"), Generation: n.Draw(t, "generation")}
}

func genID(t *rapid.T) event.CommitID {
	return event.CommitID{Journal: rapid.StringMatching(`[A-Za-z0-9_-]+`).Draw(t, "journal"), Ordinal: rapid.Uint64().Draw(t, "ordinal")}
}

func genEvents(t *rapid.T) []event.Client {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) event.Client {
		return event.Client{
			Num: genNum(t), Parent: genNum(t), Name: rapid.String().Draw(t, "name"),
			Args:     rapid.SampledFrom([][]byte{[]byte(`{"a":1,"b":[1.0,"\u00e9"]}`), []byte(`null`), []byte(`"x"`)}).Draw(t, "args"),
			ClientID: rapid.String().Draw(t, "client"), SessionID: rapid.String().Draw(t, "session"),
			ID:    event.ID{Commit: genID(t), Index: rapid.IntRange(0, 1e6).Draw(t, "index")},
			Cause: rapid.String().Draw(t, "cause"), SchemaHash: rapid.String().Draw(t, "hash"),
		}
	}), 1, 4).Draw(t, "events")
}

// Every message comes out of the codec as it went in, arguments byte for byte.
func TestCodecRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		to := genNum(t)
		roundTrip(t, Snapshot{
			Head: genNum(t), HeadID: event.ID{Commit: genID(t)}, Generation: 3, BackendHead: genNum(t), Cursor: rapid.Uint64().Draw(t, "cursor"),
			State: rapid.SliceOfN(rapid.Byte(), 1, 50).Draw(t, "state"), Taken: []event.CommitID{genID(t)}, Events: genEvents(t),
			SetAside: []SetAside{{ID: genID(t), Events: genEvents(t), Err: rapid.String().Draw(t, "err")}},
		})
		roundTrip(t, PushRequest{
			Version: Version, SessionID: "s", Base: genNum(t), BaseID: event.ID{Commit: genID(t)},
			Commits: []Commit{{ID: genID(t), Events: genEvents(t), Failed: rapid.String().Draw(t, "failed"), Retry: genID(t)}},
		})
		roundTrip(t, PullReply{Published: []Publish{{
			Cursor: 7, RollbackTo: &to, Events: genEvents(t), Restored: []event.CommitID{genID(t)}, BackendHead: genNum(t), Generation: 2,
		}}})
		roundTrip(t, PullReply{Lost: true})
		roundTrip(t, SyncReply{Synced: true, Epoch: "e", Cursor: rapid.Uint64().Draw(t, "at"), Uplink: 3})
		roundTrip(t, ArchiveReply{Events: []Archived{{
			ID: 7, Event: genEvents(t)[0].Global(), BackendID: rapid.String().Draw(t, "backend"), At: time.Unix(1795525200, 5).UTC(),
		}}})
		roundTrip(t, BootRequest{Version: Version, Asks: []Range{{Journal: "j", From: rapid.Uint64().Draw(t, "from")}}})
	})
}

func roundTrip[M Message](t *rapid.T, m M) {
	b, err := Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode[M](b)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(m, got); d != "" {
		t.Fatalf("came out of the codec changed (-in +out):\n%s", d)
	}
}

func TestRetryCause(t *testing.T) {
	id := event.CommitID{Journal: "a-_b", Ordinal: 12}
	if got := RetryOf(RetryCause(id)); got != id {
		t.Errorf("RetryOf(RetryCause(%s)) = %s", id, got)
	}
	for _, cause := range []string{"", "retry", "retry x", "retry x/y", "undo x/1"} {
		if got := RetryOf(cause); !got.IsZero() {
			t.Errorf("RetryOf(%q) = %s, want none", cause, got)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"version":1,"sessionId":"s","base":{"global":1},"commits":[{"id":{"journal":"j","ordinal":1},"events":[]}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Decode[PushRequest](b)
		if err != nil {
			return
		}
		again, err := Encode(m)
		if err != nil {
			t.Fatalf("decoded, but does not encode: %v", err)
		}
		if _, err := Decode[PushRequest](again); err != nil {
			t.Fatalf("encoded, but does not decode: %v", err)
		}
	})
}
