package syncstate

import (
	"fmt"

	"github.com/livestore-go/livestore/event"
)

// MaxNum is the largest number a part of a sequence number may have: 2^53 − 1, the largest integer that JavaScript
// clients of the same store hold exactly.
const MaxNum = 1<<53 - 1

// Heads is where one node, a session or a leader, stands. The zero value is an empty log.
type Heads struct {
	// Local is the position of the last event, e0 when there is none.
	Local event.SeqNum
	// Upstream is the position of the last event that upstream has confirmed, at most Local. What lies between the two
	// is pending.
	Upstream event.SeqNum
	// Generation is the counter of rebase generations. It never falls, and every new local event takes it.
	Generation int64
}

// String returns the heads in event notation: local, upstream and counter, such as "e7r1 ↑e5 r2".
func (h Heads) String() string { return fmt.Sprintf("%s ↑%s r%d", h.Local, h.Upstream, h.Generation) }

// Next returns the number and the parent of the next local event in the given scope.
func (h Heads) Next(scope event.Scope) (num, parent event.SeqNum) {
	return h.Local.Next(scope, h.Generation)
}

// scopeOf returns the scope that the number of an event says it has.
func scopeOf(n event.SeqNum) event.Scope {
	if n.IsClientOnly() {
		return event.ScopeClientOnly
	}
	return event.ScopeSynced
}

// follows says whether e is numbered as the event right after head.
func follows(head event.SeqNum, e *event.Client) bool {
	num, parent := head.Next(scopeOf(e.Num), e.Num.Generation)
	return num == e.Num && parent == e.Parent
}

// badNumber says what is wrong with a number by itself, empty when nothing is.
func badNumber(n event.SeqNum) string {
	switch least, most := min(n.Global, n.Client, n.Generation), max(n.Global, n.Client, n.Generation); {
	case least < 0:
		return "a part of it is negative"
	case most > MaxNum:
		return "a part of it is beyond 2^53 - 1"
	}
	return ""
}
