//go:build invariants

package syncstate_test

import (
	"testing"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/syncstate"
)

// Under build tag invariants a merge looks at all that is pending, and panics.
func TestViolationPanics(t *testing.T) {
	pending := chain("j", 3)
	h := headsAfter(pending)
	pending[1].Parent = event.SeqNum{Global: 7}
	defer func() {
		if v, ok := recover().(*syncstate.ViolationError); !ok || v.Num != pending[1].Num {
			t.Errorf("got %v, want a panic about %s", v, pending[1].Num)
		}
	}()
	_, err := syncstate.Merge(h, pending, syncstate.Upstream{}, syncstate.SameIdentity)
	t.Errorf("no panic, and the error %v", err)
}
