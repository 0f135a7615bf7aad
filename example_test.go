package livestore_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/adapter/memory"
	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/state"
)

func ExampleOpen() {
	ctx := context.Background()
	store, err := livestore.Open(ctx, schema, memory.New(nil), &livestore.Options{
		StoreID: "todos",
		Seed: func(s *livestore.Store) error { // the eventlog is empty
			_, err := s.Commit(ctx, todoCreated.New(TodoCreated{ID: "welcome", Text: "Try me"}))
			return err
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()

	rows, err := livestore.Get(store, open)
	fmt.Println(len(rows), rows[0].Text, err)
	// Output: 1 Try me <nil>
}

func ExampleGet() {
	store := exampleStore()
	defer store.Close()

	// Any query of package state, run as it is.
	n, err := livestore.Get(store, todos.Where(state.Like(&todos.Row.Text, "B%")).Count())
	fmt.Println(n, err)

	first, err := livestore.Get(store, todos.OrderBy(state.Asc(&todos.Row.Text)).First())
	fmt.Println(first.Text, err)

	ui, err := livestore.Get(store, uiState.Get(state.SessionID)) // a client document
	fmt.Println(ui.Filter, err)
	// Output:
	// 2 <nil>
	// Bake bread <nil>
	// all <nil>
}

func ExampleWatch() {
	ctx := context.Background()
	store := exampleStore()
	defer store.Close()

	for rows, err := range livestore.Watch(ctx, store, open) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(len(rows), "open")
		if len(rows) == 0 {
			break
		}
		if _, err := store.Commit(ctx, todoCompleted.New(TodoCompleted{ID: rows[0].ID})); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// 2 open
	// 1 open
	// 0 open
}

func ExampleSubscribe() {
	store := exampleStore()
	defer store.Close()

	done := make(chan struct{})
	stop := livestore.Subscribe(store, openCount, func(n int, err error) {
		fmt.Println(n, err)
		close(done)
	})
	<-done
	stop()
	// Output: 2 <nil>
}

func ExampleQueryFunc() {
	store := exampleStore()
	defer store.Close()

	search := livestore.NewSignal("")
	found := livestore.QueryFunc(func(g *livestore.Getter) state.Query[[]string] {
		text := "%" + livestore.Use(g, search) + "%"
		return state.Pluck(todos.Where(state.Like(&todos.Row.Text, text)).OrderBy(state.Asc(&todos.Row.Text)), &todos.Row.Text)
	})

	fmt.Println(livestore.Get(store, found))
	search.Set(store, "milk")
	fmt.Println(livestore.Get(store, found))
	// Output:
	// [Bake bread Buy milk] <nil>
	// [Buy milk] <nil>
}

func ExampleComputed() {
	store := exampleStore()
	defer store.Close()

	all := livestore.Query(todos.Count())
	progress := livestore.Computed(func(g *livestore.Getter) string {
		return fmt.Sprintf("%d of %d open", livestore.Use(g, openCount), livestore.Use(g, all)) // of the same moment
	})

	fmt.Println(livestore.Get(store, progress))
	// Output: 2 of 2 open <nil>
}

func ExampleSignal_Update() {
	store := exampleStore()
	defer store.Close()

	page := livestore.NewSignal(1, livestore.Label("page"))
	page.Update(store, func(n int) int { return n + 1 })
	fmt.Println(livestore.Get(store, page))
	// Output: 2 <nil>
}

func ExampleReceipt_Wait() {
	ctx := context.Background()
	store := exampleStore()
	defer store.Close()

	receipt, err := store.Commit(ctx, todoCreated.New(TodoCreated{ID: "3", Text: "Sleep"}))
	if err != nil {
		log.Fatal(err)
	}
	err = receipt.Wait(ctx, livestore.Persisted)
	if e, ok := errors.AsType[*livestore.StageError](err); ok {
		fmt.Println("never", e.Stage)
	}
	fmt.Println(receipt.Stage(), receipt.Events()[0].Num)
	// Output:
	// never persisted
	// committed e3
}

func ExampleStore_Events() {
	ctx := context.Background()
	store := exampleStore()
	defer store.Close()

	for e, err := range store.Events(ctx, &livestore.EventsOptions{After: event.SeqNum{Global: 1}}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(e.Num, e.Name, e.Args)
	}
	// Output: e2 v1.TodoCreated {"id":"2","text":"Bake bread"}
}

func ExampleRegistry() {
	ctx := context.Background()
	registry := livestore.NewRegistry(schema, memory.New(nil), nil)
	defer registry.Close()

	store, release, err := registry.Open(ctx, "user-17") // opened once, and shared by all who open it
	if err != nil {
		log.Fatal(err)
	}
	defer release()
	fmt.Println(store.StoreID())
	// Output: user-17
}

// exampleStore opens a store in memory with two to-dos.
func exampleStore() *livestore.Store {
	ctx := context.Background()
	store, err := livestore.Open(ctx, schema, memory.New(nil), &livestore.Options{StoreID: "todos"})
	if err != nil {
		log.Fatal(err)
	}
	_, err = store.Commit(ctx,
		todoCreated.New(TodoCreated{ID: "1", Text: "Buy milk"}),
		todoCreated.New(TodoCreated{ID: "2", Text: "Bake bread"}))
	if err != nil {
		log.Fatal(err)
	}
	return store
}
