package wsprovider

import (
	"encoding/json"
	"errors"
	"slices"

	"github.com/livestore-go/livestore/internal/wire"
	"github.com/livestore-go/livestore/provider"
)

// errInterrupted is what a backend says that is about to close the connection.
var errInterrupted = errors.New("the backend interrupted the request")

// failure says what the failure of a request means. What is not known for sure to have left the
// log as it was is a *provider.BackendError.
func (c *client) failure(reasons []wire.Reason) error {
	if len(reasons) > 0 && !slices.ContainsFunc(reasons, func(r wire.Reason) bool { return r.Kind != wire.Interrupted }) {
		return c.offline(errInterrupted)
	}
	why := "it does not say why"
	for _, r := range reasons {
		switch r.Kind {
		case wire.Fail:
			if err := c.typed(r.Err); err != nil {
				return err
			}
			if r.Err != nil {
				why = clean(r.Err.Error())
			}
		case wire.Die:
			why = describe([]byte(r.Defect))
		}
	}
	return &provider.BackendError{StoreID: c.cfg.StoreID, Why: why}
}

func (c *client) typed(err error) error {
	if e, ok := errors.AsType[*wire.ServerAheadError](err); ok {
		return &provider.ServerAheadError{StoreID: c.cfg.StoreID, Head: e.MinimumExpectedNum, Provided: e.ProvidedNum}
	}
	if e, ok := errors.AsType[*wire.BackendIDMismatchError](err); ok {
		return &provider.IdentityError{StoreID: c.cfg.StoreID, Backend: e.Expected, Received: e.Received}
	}
	e, ok := errors.AsType[*wire.UnknownError](err)
	if !ok {
		return nil
	}
	var cause struct {
		Name    string `json:"name"`
		Message string `json:"message"`
	}
	_ = json.Unmarshal(e.Cause, &cause) // a cause that is no object has no name
	switch cause.Name {
	case "EventTooLargeError", "InvalidBatchError", "RequestRefusedError": // of the server of this project: nothing was stored
		why := clean(cause.Message) // the name adds nothing
		if why == "" {
			why = cause.Name
		}
		return &provider.RejectedError{StoreID: c.cfg.StoreID, Why: why}
	}
	why := describe([]byte(e.Cause))
	if e.Note != "" {
		why += " (" + clean(e.Note) + ")"
	}
	return &provider.BackendError{StoreID: c.cfg.StoreID, Why: why}
}

// describe makes a defect, which may be any JSON, fit for one line of an error.
func describe(defect []byte) string {
	var e struct {
		Name    string `json:"name"`
		Message string `json:"message"`
	}
	if json.Unmarshal(defect, &e) == nil && e.Name+e.Message != "" {
		if e.Message == "" {
			return clean(e.Name)
		}
		return clean(e.Name + ": " + e.Message)
	}
	var s string
	if json.Unmarshal(defect, &s) == nil {
		return clean(s)
	}
	return clean(string(defect))
}
