package livestore_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/adapter/local"
	"github.com/livestore-go/livestore/adapter/memory"
	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/provider/providertest"
	"github.com/livestore-go/livestore/state"
)

// Three versions of an app's one event.
type (
	BookedV1 struct {
		ID   string `json:"id"`
		Name string `json:"name"`
		Note string `json:"note"` // gone in version 2
	}
	BookedV2 struct {
		ID    string `json:"id"`
		First string `json:"first"`
		Last  string `json:"last"`
	}
	BookedV3 struct {
		ID    string `json:"id"`
		Guest string `json:"guest"`
		Seats int    `json:"seats"`
	}
)

func (e *BookedV3) SetDefaults() { e.Seats = 1 }

type Booking struct {
	ID    string `db:"id,primarykey"`
	Guest string `db:"guest"`
	Seats int    `db:"seats"`
	As    string `db:"as"` // name of the event in the log
}

var (
	bookings = state.NewTable[Booking]("bookings")
	bookedV1 = event.Synced[BookedV1]("v1.Booked")
	bookedV2 = event.Synced[BookedV2]("v2.Booked", event.Upcast(bookedV1, func(o BookedV1) BookedV2 {
		first, last, _ := strings.Cut(o.Name, " ")
		return BookedV2{o.ID, first, last}
	}))
	bookedV3 = event.Synced[BookedV3]("v3.Booked", event.Upcast(bookedV2, func(o BookedV2) BookedV3 {
		return BookedV3{o.ID, o.Last + ", " + o.First, 1}
	}))
)

// bookingApps are the versions of the app, oldest first.
func bookingApps() []*state.Schema {
	book := func(tx *state.Tx, id, guest string, seats int) error {
		return tx.Exec(bookings.Insert(Booking{id, guest, seats, tx.Event().Name}))
	}
	return []*state.Schema{
		state.MustSchema(bookings, state.On(bookedV1, func(tx *state.Tx, e BookedV1) error { return book(tx, e.ID, e.Name, 0) })),
		state.MustSchema(bookings, state.On(bookedV2, func(tx *state.Tx, e BookedV2) error {
			return book(tx, e.ID, e.First+" "+e.Last, 0)
		})),
		state.MustSchema(bookings, state.On(bookedV3, func(tx *state.Tx, e BookedV3) error { return book(tx, e.ID, e.Guest, e.Seats) })),
	}
}

func booked(t *testing.T, s *livestore.Store) string {
	t.Helper()
	var out []string
	for _, b := range get(t, s, livestore.Query(bookings.OrderBy(state.Asc(&bookings.Row.ID)))) {
		out = append(out, fmt.Sprintf("%s %s %d %s", b.ID, b.Guest, b.Seats, b.As))
	}
	return strings.Join(out, "\n")
}

// A store is opened by three versions of an app in a row. Each sees all events as its own, and the log holds them as they were committed.
func TestUpcastOverVersions(t *testing.T) {
	dir, apps := t.TempDir(), bookingApps()
	s := openApp(t, apps[0], local.New(dir, nil), nil)
	commit(t, s, bookedV1.New(BookedV1{"1", "Ada Lovelace", "window"}))
	equal(t, "version 1", booked(t, s), "1 Ada Lovelace 0 v1.Booked")
	closed(t, s)

	s = openApp(t, apps[1], local.New(dir, nil), nil)
	commit(t, s, bookedV2.New(BookedV2{"2", "Grace", "Hopper"}), bookedV1.New(BookedV1{"3", "Mary Shelley", ""}))
	equal(t, "version 2", booked(t, s), "1 Ada Lovelace 0 v1.Booked\n2 Grace Hopper 0 v2.Booked\n3 Mary Shelley 0 v1.Booked")
	closed(t, s)

	s = openApp(t, apps[2], local.New(dir, nil), nil)
	commit(t, s, bookedV3.New(BookedV3{"4", "Hypatia", 0}))
	want := "1 Lovelace, Ada 1 v1.Booked\n2 Hopper, Grace 1 v2.Booked\n3 Shelley, Mary 1 v1.Booked\n4 Hypatia 0 v3.Booked"
	equal(t, "version 3", booked(t, s), want)
	log := strings.Join([]string{
		`e1 v1.Booked {"id":"1","name":"Ada Lovelace","note":"window"}`,
		`e2 v2.Booked {"id":"2","first":"Grace","last":"Hopper"}`,
		`e3 v1.Booked {"id":"3","name":"Mary Shelley","note":""}`,
		`e4 v3.Booked {"id":"4","guest":"Hypatia","seats":0}`,
	}, "\n")
	equal(t, "the log", logOf(t, s), log)
	closed(t, s)
	s = openApp(t, apps[2], local.New(dir, nil), nil) // the journal has been taken; its state is read
	equal(t, "version 3 again", booked(t, s), want)

	// Who reads the log reads old arguments the same way.
	var guests []string
	for e, err := range s.Events(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		args, err := bookedV3.Decoder(e.Name)(e.Args)
		if err != nil {
			t.Fatal(err)
		}
		guests = append(guests, args.Guest)
	}
	if diff := cmp.Diff([]string{"Lovelace, Ada", "Hopper, Grace", "Shelley, Mary", "Hypatia"}, guests); diff != "" {
		t.Error(diff)
	}
	closed(t, s)

	// And back again: the older app does not know what came after it, keeps it, and says so.
	var said lines
	s = openApp(t, apps[0], local.New(dir, nil), func(o *livestore.Options) { o.Logger = slog.New(slog.NewTextHandler(&said, nil)) })
	equal(t, "version 1 after an update", booked(t, s), "1 Ada Lovelace 0 v1.Booked\n3 Mary Shelley 0 v1.Booked")
	equal(t, "the log", logOf(t, s), log)
	if n := said.has("does not know an event"); n != 2 {
		t.Errorf("there are %d lines about unknown events", n)
	}
}

// Old events that are still pending after an update of the app are pushed as they are: the new app knows them. An old client takes
// part meanwhile.
func TestUpcastOfPendingEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, apps := providertest.NewBackend(), bookingApps()
		adapter := local.New(t.TempDir(), &local.Options{ClientID: "x", Sync: b.Provider()})
		s := openApp(t, apps[0], adapter, nil)
		if err := s.PauseSync(t.Context()); err != nil {
			t.Fatal(err)
		}
		commit(t, s, bookedV1.New(BookedV1{"1", "Ada Lovelace", "window"}))
		closed(t, s)

		old := openApp(t, apps[0], memory.New(&memory.Options{ClientID: "old", Sync: b.Provider()}), nil)
		commit(t, old, bookedV1.New(BookedV1{"2", "Grace Hopper", ""}))
		synced(t, client{Store: old})

		s = openApp(t, apps[2], adapter, nil)
		commit(t, s, bookedV3.New(BookedV3{"3", "Hypatia", 2}))
		synced(t, client{Store: s})
		synced(t, client{Store: old})
		log := strings.Join([]string{
			`e1 v1.Booked {"id":"2","name":"Grace Hopper","note":""}`,
			`e2 v1.Booked {"id":"1","name":"Ada Lovelace","note":"window"}`,
			`e3 v3.Booked {"id":"3","guest":"Hypatia","seats":2}`,
		}, "\n")
		equal(t, "the backend", logIn(b), log)
		equal(t, "the log", logOf(t, s), log)
		equal(t, "the new client", booked(t, s), "1 Lovelace, Ada 1 v1.Booked\n2 Hopper, Grace 1 v1.Booked\n3 Hypatia 2 v3.Booked")
		equal(t, "the log of the old client", logOf(t, old), log)
		equal(t, "the old client", booked(t, old), "1 Ada Lovelace 0 v1.Booked\n2 Grace Hopper 0 v1.Booked")
		fresh := openApp(t, apps[2], memory.New(&memory.Options{Sync: b.Provider()}), nil)
		synced(t, client{Store: fresh})
		equal(t, "a fresh client", booked(t, fresh), booked(t, s))
	})
}
