package event_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/adapter/memory"
	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/state"
)

// Three versions of one event. Only the newest has a materializer.
type (
	GuestAddedV1 struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	}
	GuestAddedV2 struct {
		ID    string `json:"id"`
		First string `json:"first"`
		Last  string `json:"last"`
	}
	GuestAddedV3 struct {
		ID    string `json:"id"`
		First string `json:"first"`
		Last  string `json:"last"`
		Seats int    `json:"seats"`
	}
)

type Guest struct {
	ID    string `db:"id,primarykey"`
	Last  string `db:"last"`
	Seats int    `db:"seats"`
}

var (
	guestAddedV1 = event.Synced[GuestAddedV1]("v1.GuestAdded", event.Deprecated("use v3.GuestAdded"))

	guestAddedV2 = event.Synced[GuestAddedV2]("v2.GuestAdded", event.Deprecated("use v3.GuestAdded"),
		event.Upcast(guestAddedV1, func(o GuestAddedV1) GuestAddedV2 {
			first, last, _ := strings.Cut(o.Name, " ")
			return GuestAddedV2{ID: o.ID, First: first, Last: last}
		}))

	guestAdded = event.Synced[GuestAddedV3]("v3.GuestAdded",
		event.Upcast(guestAddedV2, func(o GuestAddedV2) GuestAddedV3 {
			return GuestAddedV3{ID: o.ID, First: o.First, Last: o.Last, Seats: 1}
		}))

	guests = state.NewTable[Guest]("guests")
)

// Events of three versions of an app are in one log, and are one event to its materializer.
func ExampleUpcast() {
	ctx := context.Background()
	schema := state.MustSchema(guests, state.On(guestAdded, func(tx *state.Tx, e GuestAddedV3) error {
		return tx.Exec(guests.Insert(Guest{e.ID, e.Last, e.Seats}))
	}))
	store, err := livestore.Open(ctx, schema, memory.New(nil), &livestore.Options{StoreID: "party", Seed: func(s *livestore.Store) error {
		_, err := s.Commit(ctx, // what older versions of the app have committed
			guestAddedV1.New(GuestAddedV1{ID: "1", Name: "Ada Lovelace"}),
			guestAddedV2.New(GuestAddedV2{ID: "2", First: "Grace", Last: "Hopper"}))
		return err
	}})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	if _, err := store.Commit(ctx, guestAdded.New(GuestAddedV3{ID: "3", First: "Mary", Last: "Shelley", Seats: 2})); err != nil {
		log.Fatal(err)
	}

	rows, err := livestore.Get(store, guests.OrderBy(state.Asc(&guests.Row.ID)))
	for _, g := range rows {
		fmt.Println(g.ID, g.Last, g.Seats)
	}
	fmt.Println(err)
	for e, err := range store.Events(ctx, nil) {
		fmt.Println(e.Num, e.Name, string(e.Args), err)
	}
	// Output:
	// 1 Lovelace 1
	// 2 Hopper 1
	// 3 Shelley 2
	// <nil>
	// e1 v1.GuestAdded {"id":"1","name":"Ada Lovelace"} <nil>
	// e2 v2.GuestAdded {"id":"2","first":"Grace","last":"Hopper"} <nil>
	// e3 v3.GuestAdded {"id":"3","first":"Mary","last":"Shelley","seats":2} <nil>
}

// Decoder reads the arguments of old events where there is no materializer, as in a log that is exported.
func ExampleDef_Decoder() {
	read := guestAdded.Decoder("v1.GuestAdded")
	args, err := read([]byte(`{"id":"1","name":"Ada Lovelace"}`))
	fmt.Println(args.Last, args.Seats, err)
	fmt.Println(guestAdded.Decoder("v1.GuestLeft") == nil)
	// Output:
	// Lovelace 1 <nil>
	// true
}
