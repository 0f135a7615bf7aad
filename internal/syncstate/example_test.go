package syncstate_test

import (
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/syncstate"
)

// A session commits while another client's event is under way, and rebases when it comes.
func ExampleMerge() {
	heads := syncstate.Heads{Local: event.SeqNum{Global: 4}, Upstream: event.SeqNum{Global: 4}}

	num, parent := heads.Next(event.ScopeSynced)
	own := event.Client{
		Num: num, Parent: parent, Name: "v1.TodoCreated", Args: jsontext.Value(`{}`),
		ID: event.ID{Commit: event.CommitID{Journal: "j", Ordinal: 1}},
	}
	heads, err := syncstate.Push(heads, []event.Client{own})
	fmt.Println("committed", own.Num, heads, err)

	foreign := event.Client{Num: event.SeqNum{Global: 5}, Parent: event.SeqNum{Global: 4}, Name: "v1.TodoDeleted"}
	up := syncstate.Upstream{Events: []event.Client{foreign}}
	result, err := syncstate.Merge(heads, []event.Client{own}, up, syncstate.SameIdentity)
	if err != nil {
		fmt.Println(err)
		return
	}
	switch r := result.(type) {
	case syncstate.Advance:
		fmt.Println("advance", r.Heads)
	case syncstate.Rebase:
		fmt.Println("undo to", r.RollbackTo)
		for _, e := range r.New {
			fmt.Println("apply", e.Num, e.Name)
		}
		for _, commit := range r.Replay {
			for _, e := range r.Next(commit) {
				fmt.Println("apply", e.Num, e.Name)
			}
			r.Keep()
		}
		fmt.Println("heads", r.Renumber.Heads())
	}
	// Output:
	// committed e5 e5 ↑e4 r0 <nil>
	// undo to e4
	// apply e5 v1.TodoDeleted
	// apply e6r1 v1.TodoCreated
	// heads e6r1 ↑e5 r1
}
