package main

import (
	"strings"
	"testing"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/event"
)

// TestStandingNeverClaimsTooMuch takes one thing after another away from a status that is synced.
func TestStandingNeverClaimsTooMuch(t *testing.T) {
	at := event.SeqNum{Global: 7}
	whole := livestore.SyncStatus{LocalHead: at, LeaderHead: at, UpstreamHead: at, BackendHead: at, Connected: true, CaughtUp: true}
	if got := standing(whole); got != "synced at e7" {
		t.Fatalf("a status that is synced reads %q", got)
	}
	for want, change := range map[string]func(*livestore.SyncStatus){
		"not connected (dial tcp: refused)": func(s *livestore.SyncStatus) {
			s.Connected, s.CaughtUp, s.Why = false, false, "store todo: no connection to the sync backend: dial tcp: refused"
		},
		"not connected":                        func(s *livestore.SyncStatus) { s.Connected = false },
		"connected, syncing":                   func(s *livestore.SyncStatus) { s.CaughtUp = false },
		"connected, syncing, 1 event to push":  func(s *livestore.SyncStatus) { s.Unconfirmed = 1 },
		"connected, syncing, 2 events to pull": func(s *livestore.SyncStatus) { s.BackendHead.Global = 9 },
		"paused: another backend (it was set back)": func(s *livestore.SyncStatus) {
			s.Paused, s.Why = livestore.PausedBackend, "store todo: it was set back"
		},
	} {
		s := whole
		change(&s)
		if got := standing(s); got != want || strings.HasPrefix(got, synced) {
			t.Errorf("%+v reads %q, want %q", s, got, want)
		}
	}
	whole.SetAside = 2
	if got, want := standing(whole), "synced at e7, 2 commits set aside"; got != want {
		t.Errorf("commits that are set aside read %q, want %q", got, want)
	}
}
