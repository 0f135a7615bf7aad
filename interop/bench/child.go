package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/interop/todomvc"
)

// child is a Go client in a process of its own. It answers the lines that js/client.mjs answers, as far as the measurements need them.
func child(in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s := &servant{ctx: ctx, out: json.NewEncoder(out), sightings: []int64{0}, sighted: make(chan struct{})}
	defer s.wg.Wait()
	defer cancel()
	s.write(map[string]any{"ready": true})
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var r request
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return err
		}
		if err := json.Unmarshal(lines.Bytes(), &r.Options); err != nil {
			return err
		}
		if r.Do == "boot" { // the others need it
			s.answer(r)
			continue
		}
		s.wg.Go(func() { s.answer(r) })
	}
	return lines.Err()
}

// request is a line.
type request struct {
	ID      int             `json:"id"`
	Do      string          `json:"do"`
	Options todomvc.Options `json:"-"`

	Events []todomvc.Event `json:"events"`
	Prefix string          `json:"prefix"`
	N      int             `json:"n"`
	Batch  int             `json:"batch"`
	Count  int             `json:"count"`
	Head   int             `json:"head"`
	Is     *bool           `json:"is"`
}

// servant answers.
type servant struct {
	ctx    context.Context
	wg     sync.WaitGroup
	client *todomvc.Client

	mu        sync.Mutex
	out       *json.Encoder
	sightings []int64       // when the nth row was first seen
	sighted   chan struct{} // closed and made anew when there is another
}

func (s *servant) write(line any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.out.Encode(line); err != nil {
		fmt.Fprintln(os.Stderr, err) // who asks sees the end of the process
	}
}

func (s *servant) answer(r request) {
	ok, err := s.do(r)
	if err != nil {
		s.write(map[string]any{"id": r.ID, "error": err.Error()})
		return
	}
	s.write(map[string]any{"id": r.ID, "ok": ok})
}

// times are when something began and was done, in µs.
type times struct {
	At   int64 `json:"at"`
	Done int64 `json:"done"`
}

func (s *servant) do(r request) (any, error) {
	ctx, cancel := context.WithTimeout(s.ctx, 3*time.Minute)
	defer cancel()
	began := now()
	var err error
	switch r.Do {
	case "boot":
		s.client, err = todomvc.Open(s.ctx, r.Options)
		return nil, err
	case "write":
		err = s.client.Write(ctx, r.Prefix, r.N, r.Batch, 0)
		return times{began, now()}, err
	case "commit":
		err = s.client.Commit(ctx, r.Events...)
		return times{began, now()}, err
	case "rowsReach":
		err = s.client.AwaitRows(ctx, r.Count)
	case "synced":
		err = s.client.Await(ctx, r.Head)
	case "handedOver":
		err = s.client.AwaitStatus(ctx, func(s livestore.SyncStatus) bool { return s.Pending == 0 })
	case "connected":
		err = s.client.AwaitConnected(ctx, r.Is == nil || *r.Is)
	case "watch":
		s.wg.Go(s.watch)
		return nil, nil
	case "sighting":
		return s.sighting(ctx, r.N)
	default:
		return nil, fmt.Errorf("no command %s", r.Do)
	}
	return now(), err
}

// watch notes when each row shows up in a live query.
func (s *servant) watch() {
	for n, err := range s.client.Counts(s.ctx) {
		if err != nil {
			return
		}
		t := now()
		s.mu.Lock()
		for len(s.sightings) <= n {
			s.sightings = append(s.sightings, t)
		}
		close(s.sighted)
		s.sighted = make(chan struct{})
		s.mu.Unlock()
	}
}

// sighting waits until the nth row was seen, and returns when that was.
func (s *servant) sighting(ctx context.Context, n int) (int64, error) {
	for {
		s.mu.Lock()
		have, more := s.sightings, s.sighted
		s.mu.Unlock()
		if len(have) > n {
			return have[n], nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}
