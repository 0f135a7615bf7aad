package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/livestore-go/livestore/internal/sim"
)

func ok(seed uint64, _ *sim.Options) sim.Result {
	return sim.Result{Seed: seed, Counts: map[string]int{"fault: storm": 1}}
}

func TestGoesOnWhereItStopped(t *testing.T) {
	file := filepath.Join(t.TempDir(), "next")
	var out, errs bytes.Buffer
	var ran atomic.Int64
	failing := func(seed uint64, o *sim.Options) sim.Result {
		ran.Add(1)
		r := ok(seed, o)
		if seed == 7 {
			r.Err, r.Trace = errors.New("a commit is gone"), []string{"it was here"}
		}
		return r
	}
	args := []string{"-seeds", "20", "-resume", file, "-counts", "-workers", "3"}
	if code := simulate(t.Context(), args, &out, &errs, failing); code != exitFailed {
		t.Errorf("exit code %d", code)
	}
	for _, want := range []string{"seed 7 fails: a commit is gone", "it was here", "-from 7", "fault: storm"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output does not say %q:\n%s", want, out.String())
		}
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "7\n" {
		t.Errorf("the file says %q: %v", b, err)
	}
	ran.Store(0)
	fine := func(seed uint64, o *sim.Options) sim.Result {
		ran.Add(1)
		return ok(seed, o)
	}
	if code := simulate(t.Context(), args, &out, &errs, fine); code != exitOK || ran.Load() != 14 {
		t.Errorf("exit code %d, %d seeds were run", code, ran.Load())
	}
	if code := simulate(t.Context(), args, &out, &errs, fine); code != exitOK || ran.Load() != 14 {
		t.Errorf("all is done, and then: exit code %d, %d seeds were run", code, ran.Load())
	}
	if errs.Len() > 0 {
		t.Error(errs.String())
	}
}

func TestEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var out, errs bytes.Buffer
	var ran atomic.Int64
	code := simulate(ctx, nil, &out, &errs, func(seed uint64, o *sim.Options) sim.Result {
		if ran.Add(1) == 5 {
			cancel()
		}
		return ok(seed, o)
	})
	if code != exitOK || !strings.Contains(out.String(), "seeds from 1 on") {
		t.Errorf("exit code %d\n%s", code, out.String())
	}
}

func TestWrongUsage(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad")
	if err := os.WriteFile(bad, []byte("soon"), 0o600); err != nil {
		t.Fatal(err)
	}
	next := filepath.Join(t.TempDir(), "next")
	if err := os.WriteFile(next, []byte("5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"-seeds", "x"},
		{"more"},
		{"-workers", "0"},
		{"-steps", "-3"},
		{"-weight", "fly=1"},
		{"-weight", "talk=x"},
		{"-weight", "talk=99999"},
		{"-resume", bad},
		{"-resume", next, "-from", "9"},
		{"-resume", filepath.Join(bad, "x")},
		{"-script", bad},
		{"-script", "none"},
	} {
		var out, errs bytes.Buffer
		if code := simulate(t.Context(), args, &out, &errs, ok); code != exitUsage || errs.Len() == 0 {
			t.Errorf("%q: exit code %d, %q", args, code, errs.String())
		}
	}
}

// Two seeds of the simulator itself, and the script of one.
func TestSimulates(t *testing.T) {
	var out, errs bytes.Buffer
	if code := simulate(t.Context(), []string{"-from", "3", "-seeds", "2", "-weight", "drop=0"}, &out, &errs, sim.Schedule); code != exitOK {
		t.Errorf("exit code %d\n%s%s", code, out.String(), errs.String())
	}
	file := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(file, []byte(sim.RunFleet(3, nil).Script.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if code := simulate(t.Context(), []string{"-script", file}, &out, &errs, ok); code != exitOK || !strings.Contains(out.String(), "settle") {
		t.Errorf("exit code %d\n%s%s", code, out.String(), errs.String())
	}
}
