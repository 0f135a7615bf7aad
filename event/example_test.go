package event_test

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/event"
)

type TodoCreated struct {
	ID   string `json:"id"`
	Text string `json:"text"`
}

func (e TodoCreated) Validate() error {
	if e.Text == "" {
		return errors.New("a to-do needs a text")
	}
	return nil
}

var todoCreated = event.Synced[TodoCreated]("v1.TodoCreated")

func Example() {
	args, err := todoCreated.New(TodoCreated{ID: "1", Text: "Buy milk"}).Args("session")
	fmt.Println(string(args), err)

	_, err = todoCreated.New(TodoCreated{ID: "2"}).Args("session")
	fmt.Println(err)
	// Output:
	// {"id":"1","text":"Buy milk"} <nil>
	// event v1.TodoCreated: arguments: a to-do needs a text
}

// The error of wrong arguments names event and field.
func ExampleArgsError() {
	moved := event.Synced[struct {
		To int64 `json:"to"`
	}]("v1.Moved")

	_, err := moved.Decode(jsontext.Value(`{"to":"the left"}`))
	if wrong, ok := errors.AsType[*event.ArgsError](err); ok {
		fmt.Println(wrong.Event, wrong.Field)
	}
	// Output:
	// v1.Moved /to
}

func ExampleParseSeqNum() {
	num, err := event.ParseSeqNum("e5.1r2")
	fmt.Println(num.Global, num.Client, num.Generation, num, err)

	_, err = event.ParseSeqNum("5")
	fmt.Println(err)
	// Output:
	// 5 1 2 e5.1r2 <nil>
	// event: "5" is no sequence number: write it e5, e5.1, e5r2 or e5.1r2
}

func ExampleSeqNum_Next() {
	head := event.SeqNum{Global: 5}
	for _, scope := range []event.Scope{event.ScopeClientOnly, event.ScopeClientOnly, event.ScopeSynced} {
		num, parent := head.Next(scope, 0)
		fmt.Println(scope, num, "after", parent)
		head = num
	}
	// Output:
	// client-only e5.1 after e5
	// client-only e5.2 after e5.1
	// synced e6 after e5
}

// What a client pushed and what the sync backend echoes are compared as JSON.
func ExampleGlobal_Equal() {
	pushed := event.Global{Name: "v1.TodoCreated", Args: jsontext.Value(`{"id":"1","n":1}`), SeqNum: 6, ParentSeqNum: 5}
	echoed := pushed
	echoed.Args = jsontext.Value(`{ "n": 1.0, "id": "1" }`)
	fmt.Println(pushed.Equal(echoed))
	// Output:
	// true
}
