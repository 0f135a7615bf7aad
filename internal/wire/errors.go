package wire

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// FrameError is a frame that no request can be blamed for. A server answers it with [FrameError.Message].
type FrameError struct {
	Why    string
	Defect jsontext.Value // as a server tells it to the client
}

func (e *FrameError) Error() string { return "frame of the sync protocol: " + e.Why }

// Message returns the answer of a server.
func (e *FrameError) Message() *Defect { return &Defect{Defect: e.Defect} }

// RequestError is a request that cannot be served. A server answers it with [RequestError.Message].
type RequestError struct {
	ID  ID
	Why string // as a server tells it to the client
}

func (e *RequestError) Error() string {
	return fmt.Sprintf("request %s of the sync protocol: %s", e.ID, e.Why)
}

// Message returns the answer of a server: the request dies.
func (e *RequestError) Message() *Exit {
	return &Exit{ID: e.ID, Failure: []Reason{{Kind: Die, Defect: appendString(nil, e.Why)}}}
}

// Faults takes an error of [DecodeClient] apart: the requests that are wrong, in their order, and what is wrong with the
// frame, nil when nothing is.
func Faults(err error) ([]*RequestError, *FrameError) {
	var requests []*RequestError
	var frame *FrameError
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			if r, ok := errors.AsType[*RequestError](e); ok {
				requests = append(requests, r)
			} else if f, ok := errors.AsType[*FrameError](e); ok {
				frame = f
			}
		}
		return requests, frame
	}
	if r, ok := errors.AsType[*RequestError](err); ok {
		requests = append(requests, r)
	} else if f, ok := errors.AsType[*FrameError](err); ok {
		frame = f
	}
	return requests, frame
}

// ServerAheadError refuses a push that does not start at the head of the backend's eventlog.
type ServerAheadError struct {
	MinimumExpectedNum int64 // the head
	ProvidedNum        int64 // parent of the first event pushed
}

func (e *ServerAheadError) Error() string {
	return fmt.Sprintf("push starts at %d, the backend is at %d: pull and rebase first", e.ProvidedNum, e.MinimumExpectedNum)
}

// BackendIDMismatchError refuses a request that is meant for another backend, or for this one before it lost its data.
type BackendIDMismatchError struct {
	Expected string // id of the backend that answers
	Received string // id the client sent
}

func (e *BackendIDMismatchError) Error() string {
	return fmt.Sprintf("request is for backend %s, this is %s: the backend was reset or replaced", e.Received, e.Expected)
}

// UnknownError is any other error of the server.
type UnknownError struct {
	Cause   jsontext.Value // a string, {"name","message"}, or any JSON
	Note    string         // empty when none
	Payload jsontext.Value // any JSON; nil when none
}

func (e *UnknownError) Error() string {
	if e.Note != "" {
		return fmt.Sprintf("error of the sync backend: %s: %s", e.Note, e.Cause)
	}
	return fmt.Sprintf("error of the sync backend: %s", e.Cause)
}
