package livestore

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"time"
)

// Options says how to open a store.
type Options struct {
	// StoreID names the store: one eventlog per id. Required; letters, digits, _ and - of ASCII, at most 128.
	StoreID string

	// SyncPayload goes to the sync backend with every connection, for it to decide who may read and write: a token, say. It is anything
	// that encoding/json can encode; nil means none. The sessions of one client share a connection: the one that opens first says it.
	// A provider may have an option of its own that asks for credentials each time it connects.
	SyncPayload any

	// InitialSync is how long Open waits for what the sync backend has: until all of it has been pulled, or sync pauses and needs the
	// app, or this much time has passed. Passing is no error: Open returns the store as it is, and [Store.SyncStatus] says
	// what is missing. 0 means that Open does not wait, and neither it nor the app ever waits for the network.
	InitialSync time.Duration

	// OnBoot is told how opening the store goes on: the stage, and how many of its total events are done. Stage "apply" brings the state
	// to the log, "rebuild" derives it anew; a state that is at the end of the log needs neither. It is told at least every thousand
	// events and at the end of a rebuild: of a new store, whose log is empty, once, with a total of 0. A rebuild that was interrupted,
	// also because the ctx of Open ended, goes on where it was, and so does done. OnBoot is called during Open only, by the first session
	// of a client. [Store.Boot] says afterwards what was done. Nil means nobody is told.
	OnBoot func(stage string, done, total int)

	// Seed fills a new store. Open calls it when the eventlog is empty, after InitialSync, once even if several sessions of a client
	// open at the same moment, and when it fails, Open fails with its error. Make it one commit: after a crash between two, the
	// eventlog is not empty any more and Seed is not called again. Nil means the store starts empty.
	Seed func(*Store) error

	// MaxPending is how many events may wait for the leader to take them. A commit beyond it is a *[PendingFullError].
	// 0 means 100,000.
	MaxPending int

	// WhenHalted says what becomes of commits while an event of the sync backend does not apply here and sync waits for another version
	// of the app, see [PausedEvent]. The default is [AcceptCommits]. Which event that is becomes known
	// soon after the store was opened, also offline; until then commits are admitted. InitialSync waits for that.
	WhenHalted HaltPolicy

	// CheckWrites compares, for each event committed here, what its materializer writes in this session with what it writes at the client's
	// leader, which derives the same state from the same events. Where they differ the materializer is not deterministic, clients will show
	// different things, and an error is logged that names the event. It is for development: it costs a hash of each row that is
	// written, which is lost in the noise of a commit of one row.
	CheckWrites bool

	// Logger gets what nobody can be told by an error. Nil means [slog.Default].
	Logger *slog.Logger
}

const defaultMaxPending = 100_000

// filled returns a copy with defaults in place of zero values, or what is wrong.
func (o *Options) filled() (Options, error) {
	var f Options
	if o != nil {
		f = *o
	}
	if !validStoreID(f.StoreID) {
		return f, &StoreIDError{StoreID: f.StoreID}
	}
	if f.MaxPending < 0 {
		return f, fmt.Errorf("open store %s: MaxPending is %d: it is a number of events, 0 for %d", f.StoreID, f.MaxPending, defaultMaxPending)
	}
	if f.InitialSync < 0 {
		return f, fmt.Errorf("open store %s: InitialSync is %s: it is how long to wait, 0 for not at all", f.StoreID, f.InitialSync)
	}
	if f.WhenHalted > RefuseCommits {
		return f, fmt.Errorf("open store %s: WhenHalted is %s: use AcceptCommits or RefuseCommits", f.StoreID, f.WhenHalted)
	}
	if f.MaxPending == 0 {
		f.MaxPending = defaultMaxPending
	}
	if f.Logger == nil {
		f.Logger = slog.Default()
	}
	return f, nil
}

const maxStoreID = 128

func validStoreID(id string) bool {
	for _, c := range []byte(id) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-':
		default:
			return false
		}
	}
	return id != "" && len(id) <= maxStoreID
}

// StoreIDError says that a store id can not be used: it names files and goes into addresses.
type StoreIDError struct{ StoreID string }

func (e *StoreIDError) Error() string {
	if e.StoreID == "" {
		return "open store: there is no store id: set StoreID in Options"
	}
	return fmt.Sprintf("open store: %q is no store id: use letters, digits, _ and - of ASCII, at most %d", e.StoreID, maxStoreID)
}

// payload returns SyncPayload as JSON, nil when there is none.
func (o *Options) payload() ([]byte, error) {
	if o.SyncPayload == nil {
		return nil, nil
	}
	b, err := json.Marshal(o.SyncPayload)
	if err != nil {
		return nil, fmt.Errorf("open store %s: SyncPayload is no JSON: give it what encoding/json can encode: %w", o.StoreID, err)
	}
	return b, nil
}
