package wire_test

import (
	"errors"
	"net/url"
	"reflect"
	"testing"

	"github.com/livestore-go/livestore/internal/wire"
)

// frames gives a fuzzer the captured frames of one direction that are small, each shape of them once or a few times.
func frames(f *testing.F, dir string) {
	for _, lines := range captures(f) {
		for _, l := range lines {
			if l.Dir == dir && len(l.Text) < 1_000 {
				f.Add([]byte(l.Text))
			}
		}
	}
}

// What a frame decodes to is the same after it was written and read again, and every error can be answered.
func FuzzDecodeClient(f *testing.F) {
	frames(f, "c2s")
	f.Fuzz(func(t *testing.T, frame []byte) {
		messages, err := wire.DecodeClient(frame)
		requests, lost := wire.Faults(err)
		if (err != nil) != (len(requests) > 0 || lost != nil) {
			t.Fatalf("error without a type: %v", err)
		}
		for _, e := range requests {
			a := wire.AppendServer(nil, e.Message())
			if _, err := wire.DecodeServer(a); err != nil || e.ID.IsZero() || len(a) > 5_000 {
				t.Fatalf("answer %s to %v: %v", a, e, err)
			}
		}
		if lost != nil {
			a := wire.AppendServer(nil, lost.Message())
			if _, err := wire.DecodeServer(a); err != nil || len(a) > 5_000 {
				t.Fatalf("answer %s to %v: %v", a, lost, err)
			}
		}
		for _, m := range messages {
			for _, d := range []wire.Dialect{wire.E3, wire.E4} {
				again := wire.AppendClient(nil, d, m)
				back, err := wire.DecodeClient(again)
				if err != nil || len(back) != 1 || !reflect.DeepEqual(back[0], m) {
					t.Fatalf("%#v\nwritten %s\nread %#v, %v", m, again, back, err)
				}
			}
			if p, ok := m.(*wire.Push); ok {
				if cap(p.Batch) > 100+2*len(p.Batch) {
					t.Fatalf("room for %d events, %d there", cap(p.Batch), len(p.Batch))
				}
				for _, e := range p.Batch {
					if !e.Args.IsValid() {
						t.Fatalf("arguments are no JSON: %q", e.Args)
					}
				}
			}
		}
	})
}

func FuzzDecodeServer(f *testing.F) {
	frames(f, "s2c")
	f.Fuzz(func(t *testing.T, frame []byte) {
		messages, err := wire.DecodeServer(frame)
		if _, ok := errors.AsType[*wire.FrameError](err); ok != (err != nil) {
			t.Fatalf("error without a type: %v", err)
		}
		for _, m := range messages {
			again := wire.AppendServer(nil, m)
			back, err := wire.DecodeServer(again)
			if err != nil || len(back) != 1 || !reflect.DeepEqual(back[0], m) {
				t.Fatalf("%#v\nwritten %s\nread %#v, %v", m, again, back, err)
			}
			c, ok := m.(*wire.Chunk)
			if !ok {
				continue
			}
			for _, item := range c.Items {
				if got, want := wire.ItemSize(item), itemBytes(item); got != want {
					t.Fatalf("size %d, is %d", got, want)
				}
				for _, e := range item.Events {
					if !e.Args.IsValid() || e.Metadata != nil && !e.Metadata.IsValid() {
						t.Fatalf("no JSON: %q %q", e.Args, e.Metadata)
					}
				}
			}
		}
	})
}

func FuzzParseQuery(f *testing.F) {
	for _, lines := range captures(f) {
		for _, l := range lines {
			if l.Query != "" {
				f.Add(l.Query)
			}
		}
	}
	f.Add("storeId=%F0%9F%98%80+%2B~*&payload=%2522%252B%2520%257E%2522&transport=ws")
	f.Fuzz(func(t *testing.T, query string) {
		v, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		q, err := wire.ParseQuery(v)
		if err != nil {
			if _, ok := errors.AsType[*wire.QueryError](err); !ok || len(err.Error()) > 500 {
				t.Fatalf("error: %v", err)
			}
			return
		}
		v, err = url.ParseQuery(q.Encode())
		if err != nil {
			t.Fatalf("%s: %v", q.Encode(), err)
		}
		back, err := wire.ParseQuery(v)
		if q.Payload != nil {
			if !q.Payload.IsValid() {
				t.Fatalf("payload is no JSON: %q", q.Payload)
			}
			_ = q.Payload.Compact()
		}
		if err != nil || back.StoreID != q.StoreID || back.Transport != q.Transport || string(back.Payload) != string(q.Payload) {
			t.Fatalf("%#v\nwritten %s\nread %#v, %v", q, q.Encode(), back, err)
		}
	})
}
