package providertest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/provider"
	"github.com/livestore-go/livestore/provider/providertest"
)

const store = "todos"

// next makes n events that follow a head.
func next(head int64, n int) []event.Global {
	batch := make([]event.Global, n)
	for i := range batch {
		batch[i] = event.Global{
			Name: "v1.Said", Args: jsontext.Value(`{}`),
			SeqNum: head + int64(i) + 1, ParentSeqNum: head + int64(i), ClientID: "me", SessionID: "static",
		}
	}
	return batch
}

// inBubble runs a scenario in virtual time on a backend behind faults.
func inBubble(t *testing.T, run func(t *testing.T, b *providertest.Backend, f *providertest.Faults, c provider.Client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := providertest.NewBackend()
		f := providertest.NewFaults(b.Provider())
		c, err := f.Client(provider.Config{StoreID: store})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}()
		run(t, b, f, c)
	})
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// numbers pulls until an end or an error, and returns the numbers of the events as they come.
func numbers(ctx context.Context, c provider.Client, live bool) (got []int64, last error) {
	for page, err := range c.Pull(ctx, provider.Cursor{}, live) {
		last = err
		for _, e := range page.Events {
			got = append(got, e.SeqNum)
		}
	}
	return got, last
}

func TestLostAnswers(t *testing.T) {
	inBubble(t, func(t *testing.T, b *providertest.Backend, f *providertest.Faults, c provider.Client) {
		f.LoseAnswers(1, true)
		if err := c.Push(t.Context(), "", next(0, 2)); !is[*provider.OfflineError](err) || b.Head(store) != 2 {
			t.Errorf("push whose answer is lost: %v, head %d", err, b.Head(store))
		}
		f.LoseAnswers(2, false)
		for range 2 {
			if err := c.Push(t.Context(), "", next(2, 1)); !is[*provider.OfflineError](err) || b.Head(store) != 2 {
				t.Errorf("push that is lost: %v, head %d", err, b.Head(store))
			}
		}
		if err := c.Push(t.Context(), "", next(2, 1)); err != nil || b.Head(store) != 3 {
			t.Errorf("push after all faults: %v", err)
		}
		why := &provider.BackendError{StoreID: store, Why: "disk full"}
		f.FailPushes(why, nil)
		if err := c.Push(t.Context(), "", next(3, 1)); !errors.Is(err, error(why)) || b.Head(store) != 3 {
			t.Errorf("push that fails: %v", err)
		}
		for range 2 {
			if err := c.Push(t.Context(), "", next(b.Head(store), 1)); err != nil {
				t.Errorf("push after all faults: %v", err)
			}
		}
	})
}

func TestPagesThatGoWrong(t *testing.T) {
	for name, c := range map[string]struct {
		fault func(f *providertest.Faults)
		want  []int64
	}{
		"none":   {func(*providertest.Faults) {}, []int64{1, 2, 3, 4}},
		"double": {func(f *providertest.Faults) { f.DoublePages(1) }, []int64{1, 2, 1, 2, 3, 4}},
		"lost":   {func(f *providertest.Faults) { f.LosePages(1) }, []int64{3, 4}},
		"swap":   {func(f *providertest.Faults) { f.SwapPages(1) }, []int64{3, 4, 1, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *providertest.Backend, f *providertest.Faults, client provider.Client) {
				b.SetLimits(provider.Limits{Events: 2, Bytes: 1000})
				b.Append(store, make([]event.Global, 4)...)
				c.fault(f)
				got, err := numbers(t.Context(), client, false)
				if err != nil || !equal(got, c.want) {
					t.Errorf("pulled %v (%v), want %v", got, err, c.want)
				}
				got, err = numbers(t.Context(), client, false)
				if err != nil || !equal(got, []int64{1, 2, 3, 4}) {
					t.Errorf("pulled %v (%v) after the fault", got, err)
				}
			})
		})
	}
}

func equal(a, b []int64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestSilence(t *testing.T) {
	inBubble(t, func(t *testing.T, b *providertest.Backend, f *providertest.Faults, c provider.Client) {
		pulled := make(chan int64, 100)
		ended := make(chan error, 1)
		go func() {
			for page, err := range c.Pull(t.Context(), provider.Cursor{}, true) {
				if err != nil {
					ended <- err
					return
				}
				for _, e := range page.Events {
					pulled <- e.SeqNum
				}
			}
		}()
		synctest.Wait()
		f.Silent(true)
		b.Append(store, make([]event.Global, 3)...)
		pushed := make(chan error, 1)
		go func() { pushed <- c.Push(t.Context(), "", next(3, 1)) }()
		time.Sleep(time.Hour)
		if len(pulled)+len(ended)+len(pushed) != 0 || b.Head(store) != 3 {
			t.Error("something came through")
		}
		if status, _ := c.Status(); !status.Connected {
			t.Error("a half-open connection says that it is one")
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.Ping(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("ping: %v", err)
		}
		f.Silent(false)
		if err := <-pushed; err != nil {
			t.Errorf("push that waited: %v", err)
		}
		for want := range int64(4) {
			if got := <-pulled; got != want+1 {
				t.Errorf("e%d came, want e%d", got, want+1)
			}
		}

		f.Silent(true)
		go func() { pushed <- c.Push(t.Context(), "", next(4, 1)) }()
		synctest.Wait()
		f.Drop()
		if err := <-pushed; !is[*provider.OfflineError](err) || b.Head(store) != 4 {
			t.Errorf("push on a connection that was silent and is dropped: %v", err)
		}
		if err := <-ended; !is[*provider.OfflineError](err) {
			t.Errorf("pull on it: %v", err)
		}
		f.Silent(false)
	})
}

func TestOfflineAndRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, b *providertest.Backend, f *providertest.Faults, c provider.Client) {
		_, changed := c.Status()
		f.Offline(true)
		<-changed
		status, changed := c.Status()
		if status.Connected || !is[*provider.OfflineError](status.Err) {
			t.Errorf("status offline: %+v", status)
		}
		if err := c.Ping(t.Context()); !is[*provider.OfflineError](err) {
			t.Errorf("ping offline: %v", err)
		}
		pushed := make(chan error, 1)
		go func() { pushed <- c.Push(t.Context(), "", next(0, 1)) }()
		time.Sleep(time.Hour)
		f.Offline(false)
		if err := <-pushed; err != nil {
			t.Errorf("push that waited: %v", err)
		}
		<-changed
		f.Refuse("too old")
		if err := c.Connect(t.Context()); !is[*provider.RefusedError](err) {
			t.Errorf("connect: %v", err)
		}
		f.Refuse("")
		if err := c.Connect(t.Context()); err != nil {
			t.Errorf("connect: %v", err)
		}
		if status, _ := c.Status(); !status.Connected || status.Err != nil {
			t.Errorf("status online: %+v", status)
		}
	})
}

func TestSlowness(t *testing.T) {
	inBubble(t, func(t *testing.T, b *providertest.Backend, f *providertest.Faults, c provider.Client) {
		b.SetLimits(provider.Limits{Events: 1, Bytes: 1000})
		b.Append(store, make([]event.Global, 10)...)
		f.Delay(2 * time.Second)
		f.Slow(3 * time.Second)
		began := time.Now()
		if got, err := numbers(t.Context(), c, false); err != nil || len(got) != 10 {
			t.Errorf("pulled %v (%v)", got, err)
		}
		if d := time.Since(began); d != 52*time.Second {
			t.Errorf("a delayed call with ten delayed and slow pages took %v", d)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.Push(ctx, "", next(10, 1)); !errors.Is(err, context.DeadlineExceeded) || b.Head(store) != 10 {
			t.Errorf("push: %v", err)
		}
	})
}

func TestBackendThatIsSetBack(t *testing.T) {
	inBubble(t, func(t *testing.T, b *providertest.Backend, _ *providertest.Faults, c provider.Client) {
		b.Append(store, make([]event.Global, 5)...)
		id := b.ID(store)
		ended := make(chan error, 1)
		go func() {
			_, err := numbers(t.Context(), c, true)
			ended <- err
		}()
		synctest.Wait()
		b.SetBack(store, 3)
		if err := <-ended; !is[*provider.OfflineError](err) {
			t.Errorf("pull: %v", err)
		}
		if b.ID(store) != id || b.Head(store) != 3 || len(b.Events(store)) != 3 {
			t.Errorf("backend %s at e%d", b.ID(store), b.Head(store))
		}
		if err := c.Push(t.Context(), id, next(3, 1)); !is[*provider.OfflineError](err) || b.Head(store) != 3 {
			t.Errorf("push before it is pulled from: %v", err)
		}
		var err error
		for _, err = range c.Pull(t.Context(), provider.Cursor{BackendID: id, After: 3}, true) {
			if err == nil {
				err = c.Push(t.Context(), id, next(5, 1))
			}
			break
		}
		if e, ok := errors.AsType[*provider.ServerAheadError](err); !ok || e.Head != 3 || e.Provided != 5 {
			t.Errorf("push: %v", err)
		}
	})
}

func TestRulesOfTheBackend(t *testing.T) {
	inBubble(t, func(t *testing.T, b *providertest.Backend, _ *providertest.Faults, c provider.Client) {
		b.Reject(func(_ string, e event.Global) error {
			if e.SeqNum == 2 {
				return errors.New("no second events")
			}
			return nil
		})
		err := c.Push(t.Context(), "", next(0, 3))
		e, ok := errors.AsType[*provider.RejectedError](err)
		if !ok || e.Num != 2 || e.Name != "v1.Said" || e.Why != "no second events" || b.Head(store) != 0 {
			t.Errorf("push: %v, head %d", err, b.Head(store))
		}
		b.Reject(nil)
		if err := c.Push(t.Context(), "", next(0, 3)); err != nil {
			t.Errorf("push: %v", err)
		}
		b.SetDown(true)
		if status, _ := c.Status(); status.Connected {
			t.Error("connected to a backend that is down")
		}
		b.SetDown(false)
		if err := c.Connect(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
