package syncstate_test

import (
	"fmt"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/syncstate"
)

// chain returns synced events after e0, one a commit. With a journal they are own ones.
func chain(journal string, count int) []event.Client {
	events := make([]event.Client, count)
	head := event.SeqNum{}
	for i := range events {
		e := &events[i]
		e.Num, e.Parent = head.Next(event.ScopeSynced, 0)
		e.Name, e.Args = "v1.TodoCreated", jsontext.Value(`{"id":"`+fmt.Sprint(journal, i)+`","text":"Buy milk"}`)
		e.ClientID, e.SessionID = "c", "s"
		if journal != "" {
			e.ID = event.ID{Commit: event.CommitID{Journal: journal, Ordinal: uint64(i + 1)}}
		}
		head = e.Num
	}
	return events
}

func headsAfter(pending []event.Client) syncstate.Heads {
	return syncstate.Heads{Local: pending[len(pending)-1].Num}
}

// BenchmarkPush pushes one event behind 1 and behind 100,000 pending ones.
func BenchmarkPush(b *testing.B) {
	for _, count := range []int{1, 100_000} {
		b.Run(fmt.Sprintf("pending=%d", count), func(b *testing.B) {
			pending := chain("j", count)
			h := headsAfter(pending)
			batch := make([]event.Client, 1)
			b.ReportAllocs()
			for b.Loop() {
				batch[0].Num, batch[0].Parent = h.Next(event.ScopeSynced)
				if _, err := syncstate.Push(h, batch); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkConfirm confirms 100 of the pending events.
func BenchmarkConfirm(b *testing.B) {
	for _, same := range []syncstate.Same{syncstate.SameIdentity, syncstate.SameGlobal} {
		for _, count := range []int{1_000, 100_000} {
			b.Run(fmt.Sprintf("same=%d/pending=%d", same, count), func(b *testing.B) {
				pending := chain("j", count)
				h := headsAfter(pending)
				up := syncstate.Upstream{Events: pending[:100]}
				b.ReportAllocs()
				for b.Loop() {
					if r, err := syncstate.Merge(h, pending, up, same); err != nil || r.(syncstate.Advance).Confirmed != 100 {
						b.Fatal(r, err)
					}
				}
			})
		}
	}
}

// BenchmarkRebase replays 500 pending events on 500 of others.
func BenchmarkRebase(b *testing.B) {
	for _, same := range []syncstate.Same{syncstate.SameIdentity, syncstate.SameGlobal} {
		b.Run(fmt.Sprintf("same=%d/500on500", same), func(b *testing.B) {
			pending := chain("j", 500)
			h := headsAfter(pending)
			up := syncstate.Upstream{Events: chain("", 500)}
			b.ReportAllocs()
			for b.Loop() {
				res, err := syncstate.Merge(h, pending, up, same)
				if err != nil {
					b.Fatal(err)
				}
				r := res.(syncstate.Rebase)
				for _, commit := range r.Replay {
					r.Next(commit)
					r.Keep()
				}
				if got := r.Renumber.Heads().Local.Global; got != 1000 {
					b.Fatal(got)
				}
			}
		})
	}
}
