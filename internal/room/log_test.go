package room

import (
	"context"
	"errors"
	"fmt"

	"github.com/livestore-go/livestore/event"
)

const testBackend = "backend-of-21-letters"

var errDisk = errors.New("no space left on device")

// memoryLog is a log in memory that fails on demand.
type memoryLog struct {
	events     []Event
	failAppend string // "": not; "nothing", "stored": fails without or with the batch being stored
	failHead   bool
	failRead   bool
	reads      int
	most       int // events a read returns at most, 0 for what is asked
}

func (l *memoryLog) BackendID() string { return testBackend }

func (l *memoryLog) Head(context.Context) (int64, error) {
	if l.failHead {
		return 0, errDisk
	}
	return int64(len(l.events)), nil
}

func (l *memoryLog) Append(_ context.Context, parent int64, batch []Event) error {
	if head := int64(len(l.events)); head != parent {
		return &HeadError{Head: head}
	}
	if l.failAppend != "nothing" {
		l.events = append(l.events, batch...)
	}
	if l.failAppend != "" {
		return errDisk
	}
	return nil
}

func (l *memoryLog) Read(_ context.Context, after int64, limit, maxBytes int) ([]Event, error) {
	l.reads++
	if l.failRead {
		return nil, errDisk
	}
	if l.most > 0 {
		limit = min(limit, l.most)
	}
	var out []Event
	bytes := 0
	for i := int(after); i < len(l.events) && len(out) < limit; i++ {
		if bytes += EventSize(l.events[i]); bytes > maxBytes && len(out) > 0 {
			break
		}
		out = append(out, l.events[i])
	}
	return out, nil
}

func (l *memoryLog) Close() error { return nil }

// grow appends events as another server would.
func (l *memoryLog) grow(n, argsBytes int) {
	for range n {
		num := int64(len(l.events)) + 1
		l.events = append(l.events, Event{Global: numbered(num, argsBytes), CreatedAt: "2026-11-23T01:01:01.245Z"})
	}
}

// numbered is an event with a number, and arguments of some length.
func numbered(num int64, argsBytes int) event.Global {
	args := fmt.Appendf(nil, "%d", num)
	if argsBytes > len(args)+2 {
		args = fmt.Appendf(nil, `"%0*d"`, argsBytes-2, num)
	}
	return event.Global{
		Name: "v1.TodoCreated", Args: args, SeqNum: num, ParentSeqNum: num - 1,
		ClientID: "clientA", SessionID: "static",
	}
}
