// Package breaker slows down loops that get nowhere, at both boundaries a commit crosses: session and leader, leader and sync backend.
package breaker

import (
	"fmt"
	"time"
)

// When a [Breaker] lets pushes wait, and for how long.
const (
	patience  = 8 // turns in a row that may come to nothing: two that commit all the time win one another's race sooner
	waitFirst = 50 * time.Millisecond
	waitLast  = 3200 * time.Millisecond
)

// Breaker slows down a loop that gets nowhere: what is pending is pushed, refused, rebased onto what was new there, and pushed again. A
// turn is one such round; progress is that the other side has taken something of what is pending, or that nothing is pending any more.
// After eight turns in a row without progress the next push waits, 50 ms at first, and twice as long after each further turn, up to 3.2 s.
//
// It has no clock: it says how long to wait, and its owner waits. The zero value is ready to be used.
type Breaker struct {
	turns int
	wait  time.Duration // the last one
	owed  time.Duration // what the next push has to wait
}

// Turn says that a push has come to nothing and what is pending was rebased, or has to be.
func (b *Breaker) Turn() {
	b.turns++
	if b.turns >= patience {
		b.wait = min(max(waitFirst, 2*b.wait), waitLast)
		b.owed = b.wait
	}
}

// Progress says that something of what is pending was taken, that nothing is pending, or that somebody wants it to be tried at once.
func (b *Breaker) Progress() { *b = Breaker{} }

// Wait returns how long the next push has to wait, 0 when it need not. What it has returned is not owed any more.
func (b *Breaker) Wait() time.Duration {
	d := b.owed
	b.owed = 0
	return d
}

// Open says whether pushes wait.
func (b *Breaker) Open() bool { return b.wait > 0 }

// First says whether the last turn was the first after which a push waits.
func (b *Breaker) First() bool { return b.turns == patience }

// Why says in words why a push waits, empty when it does not. The other side is named by what it would do with what is pending: "taken
// by the leader", say.
func (b *Breaker) Why(taken string) string {
	if !b.Open() {
		return ""
	}
	return fmt.Sprintf("rebased %d times in a row without anything of it being %s: the next push waits %s", b.turns, taken, b.wait)
}
