package leader_test

import (
	"errors"
	"testing"
)

func TestResumeDoesNotMakeAChangedBackendTheOneItWas(t *testing.T) {
	w := newWorld(t, schema, nil)
	w.commit("s", "a")
	w.confirmed()
	w.m.Changed(errors.New("it has another identity"))
	w.unconfirmed(1, 0)
	w.m.Resume()
	w.unconfirmed(1, 0)
}
