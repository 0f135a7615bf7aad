package livestore_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/adapter/memory"
	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/livestoretest"
	"github.com/livestore-go/livestore/state"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// openStore opens a store in memory and closes it with the test.
func openStore(t testing.TB) *livestore.Store {
	t.Helper()
	return openOn(t, memory.New(nil))
}

func openOn(t testing.TB, a livestore.Adapter) *livestore.Store {
	t.Helper()
	s, err := livestore.Open(t.Context(), schema, a, &livestore.Options{StoreID: "test", CheckWrites: true, Logger: strict(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ended(t, schema, s) })
	return s
}

// strict is a logger for stores with CheckWrites: it fails the test that has a materializer which is not deterministic.
func strict(t testing.TB) *slog.Logger { return slog.New(strictHandler{slog.DiscardHandler, t}) }

type strictHandler struct {
	slog.Handler

	t testing.TB
}

func (h strictHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelError }

func (h strictHandler) Handle(_ context.Context, r slog.Record) error {
	if strings.Contains(r.Message, "deterministic") {
		h.t.Errorf("%s", r.Message)
	}
	return nil
}

// ended closes a store. One that is still open is first compared with two rebuilds.
func ended(t testing.TB, schema *state.Schema, s *livestore.Store) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.PauseSync(ctx); !errors.Is(err, livestore.ErrClosed) && !t.Failed() && !t.Skipped() {
		for st := range s.WatchSyncStatus(ctx) {
			if st.Pending == 0 { // the leader has it all, and is at rest
				livestoretest.CheckRebuild(t, schema, s)
				break
			}
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func commit(t testing.TB, s *livestore.Store, drafts ...event.Draft) *livestore.Receipt {
	t.Helper()
	r, err := s.Commit(context.Background(), drafts...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func create(id, text string) event.Draft { return todoCreated.New(TodoCreated{ID: id, Text: text}) }

func complete(id string) event.Draft { return todoCompleted.New(TodoCompleted{ID: id}) }

// get reads a source that must not fail.
func get[T any](t testing.TB, s *livestore.Store, src livestore.Source[T]) T {
	t.Helper()
	v, err := livestore.Get(s, src)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func texts(todos []Todo) []string {
	var s []string
	for _, t := range todos {
		s = append(s, t.Text)
	}
	return s
}

// follow collects what a source yields, as text, until stop.
type follow struct {
	seen chan string
	end  chan struct{}
	stop context.CancelFunc
}

func watch[T any](t testing.TB, s *livestore.Store, src livestore.Source[T]) *follow {
	ctx, cancel := context.WithCancel(context.Background())
	f := &follow{seen: make(chan string, 1000), end: make(chan struct{}), stop: cancel}
	go func() {
		defer close(f.end)
		for v, err := range livestore.Watch(ctx, s, src) {
			if err != nil {
				f.seen <- "error: " + err.Error()
			} else {
				f.seen <- fmt.Sprint(v)
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-f.end })
	return f
}

// nothing checks that no result came, when all goroutines of the bubble are at rest.
func (f *follow) nothing(t testing.TB) {
	t.Helper()
	synctest.Wait()
	select {
	case got := <-f.seen:
		t.Errorf("watcher saw %s, want nothing", got)
	default:
	}
}

// expect waits for the next result.
func (f *follow) expect(t testing.TB, want string) {
	t.Helper()
	if got := <-f.seen; got != want {
		t.Errorf("watcher saw %s, want %s", got, want)
	}
}
