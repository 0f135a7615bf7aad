package provider

import (
	"errors"
	"fmt"
)

// ErrClosed says that the client was closed.
var ErrClosed = errors.New("provider: the client is closed")

// OfflineError says that there is no connection to the backend, or that it ended while something was under way.
type OfflineError struct {
	StoreID string
	Err     error
}

func (e *OfflineError) Error() string {
	return fmt.Sprintf("store %s: no connection to the sync backend: %v", e.StoreID, e.Err)
}

func (e *OfflineError) Unwrap() error { return e.Err }

// RefusedError says that the backend does not let this client in: its credentials are missing, wrong or too old.
type RefusedError struct {
	StoreID string
	Status  int    // of HTTP, 0 when there was none
	Why     string // as the backend says it, which may be nothing
}

func (e *RefusedError) Error() string {
	why := e.Why
	if why == "" {
		why = fmt.Sprintf("status %d", e.Status)
	}
	return fmt.Sprintf("store %s: the sync backend refuses the credentials (%s): open the store with others", e.StoreID, why)
}

// ServerAheadError says that the backend has events that the client has not pulled. Nothing was stored.
type ServerAheadError struct {
	StoreID  string
	Head     int64 // of the backend
	Provided int64 // the parent of the first event that was pushed
}

func (e *ServerAheadError) Error() string {
	return fmt.Sprintf("store %s: the sync backend is at e%d, and what was pushed follows e%d: pull first", e.StoreID, e.Head, e.Provided)
}

// IdentityError says that the backend is another one than the client knows.
type IdentityError struct {
	StoreID  string
	Backend  string // identity of the backend
	Received string // identity that the client knows
}

func (e *IdentityError) Error() string {
	return fmt.Sprintf("store %s: the sync backend is %s, and the client has synced with %s", e.StoreID, e.Backend, e.Received)
}

// RejectedError says that the backend will not store an event: it is too large, or a rule of the backend is against it. Nothing of
// its batch was stored.
type RejectedError struct {
	StoreID string
	Num     int64  // global number of the event; 0 when the backend does not say which
	Name    string // of the event
	Why     string
}

func (e *RejectedError) Error() string {
	if e.Num == 0 {
		return fmt.Sprintf("store %s: the sync backend rejects what was pushed: %s", e.StoreID, e.Why)
	}
	return fmt.Sprintf("store %s: the sync backend rejects event e%d %s: %s", e.StoreID, e.Num, e.Name, e.Why)
}

// BackendError says that the backend could not do what it was asked to, for a reason of its own.
type BackendError struct {
	StoreID string
	Why     string
}

func (e *BackendError) Error() string {
	return fmt.Sprintf("store %s: error of the sync backend: %s", e.StoreID, e.Why)
}

// ProtocolError says that what came from the backend is not what a backend sends: malformed, out of order, or with a gap.
type ProtocolError struct {
	StoreID string
	Why     string
}

func (e *ProtocolError) Error() string {
	return fmt.Sprintf("store %s: the sync backend breaks the protocol: %s", e.StoreID, e.Why)
}
