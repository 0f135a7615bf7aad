package main

import (
	"fmt"
	"strings"

	"github.com/livestore-go/livestore"
)

// synced is how a line begins that says so.
const synced = "synced"

// standing says in a line how the list stands with the server. It says synced only when everything that is known of is on both sides.
func standing(s livestore.SyncStatus) string {
	var parts []string
	switch {
	case s.Synced():
		parts = append(parts, fmt.Sprintf(synced+" at e%d", s.UpstreamHead.Global))
	case s.Paused != "":
		parts = append(parts, "paused: "+string(s.Paused))
	case s.Connected:
		parts = append(parts, "connected, syncing")
	default:
		parts = append(parts, "not connected")
	}
	if s.Unconfirmed > 0 {
		parts = append(parts, count(s.Unconfirmed, "event")+" to push")
	}
	if n := s.BackendHead.Global - s.UpstreamHead.Global; n > 0 {
		parts = append(parts, count(int(n), "event")+" to pull")
	}
	if s.SetAside > 0 {
		parts = append(parts, count(s.SetAside, "commit")+" set aside")
	}
	line := strings.Join(parts, ", ")
	if !s.Synced() && s.Why != "" {
		line += " (" + reason(s.Why) + ")"
	}
	return line
}

// reason leaves out of an error what the line that shows it says already: which store it is, and that there is no connection.
func reason(why string) string {
	if _, rest, ok := strings.Cut(why, ": "); ok && strings.HasPrefix(why, "store ") {
		why = rest
	}
	return strings.TrimPrefix(why, "no connection to the sync backend: ")
}
