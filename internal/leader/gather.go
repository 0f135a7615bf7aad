package leader

import (
	"context"
	"time"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/link"
	"github.com/livestore-go/livestore/provider"
)

// gathering is what a pull has brought and the log does not have yet.
type gathering struct {
	u       *uplink
	at      int64 // the last event that the log has been given
	events  []event.Global
	bytes   int
	pending int // events that each step has to rebase
	last    provider.Page
	since   time.Time // when the first of the events came
}

// What is gathered at most before it is merged.
const (
	gatherEvents = 5000
	gatherBytes  = 16 << 20
	gatherTime   = time.Second // of a live pull: what trickles in is shown as it comes
)

// add brings a page into the log. While there is more to come and every step has to rebase what is pending, it gathers as many events
// as are pending first: so the rebases cost no more than all the events together, however far the backend is ahead. A live pull has more
// to come when the backend has refused a push because of it.
func (g *gathering) add(ctx context.Context, page provider.Page, live, reached bool) error {
	if n := len(page.Events); n > 0 {
		u := g.u
		u.say(func(s *link.Uplink) { s.Head = max(s.Head, page.Events[n-1].SeqNum+int64(max(0, page.Remaining))) })
	}
	if len(g.events) == 0 {
		g.since = time.Now()
	}
	g.events = append(g.events, page.Events...) // a copy: the page is the provider's
	for _, e := range page.Events {
		g.bytes += len(e.Args)
	}
	g.last = provider.Page{BackendID: page.BackendID, Remaining: page.Remaining}
	more := !live && !reached
	if n := len(page.Events); live && n > 0 {
		g.u.got.Store(page.Events[n-1].SeqNum)
		if err := g.u.l.do(ctx, func() {
			g.pending = g.u.l.m.pendingEvents()
			more = g.u.l.m.backend.parked > page.Events[n-1].SeqNum && time.Since(g.since) < gatherTime
		}); err != nil {
			return err
		}
	}
	if more && len(g.events) < min(g.pending, gatherEvents) && g.bytes < gatherBytes {
		return nil
	}
	events := g.events
	g.events, g.bytes = nil, 0
	return g.take(ctx, page, events, reached)
}

// flush brings what has been gathered into the log when the pull has ended: or connections that end early would never bring it on.
func (g *gathering) flush(ctx context.Context) error {
	if len(g.events) == 0 {
		return nil
	}
	events := g.events
	g.events, g.bytes = nil, 0
	return g.take(context.WithoutCancel(ctx), g.last, events, false)
}

// take brings events into the log, in steps that sessions can follow (R10): of a hundred events, or of as many as a rebase replays.
func (g *gathering) take(ctx context.Context, page provider.Page, events []event.Global, reached bool) error {
	u := g.u
	for {
		n := min(len(events), max(maxStep, g.pending))
		last := n == len(events)
		var err error
		before := u.l.m.feed.at()
		if derr := u.l.do(ctx, func() {
			u.l.m.BackendAt(g.at + int64(len(events)) + int64(max(0, page.Remaining)))
			err = u.l.m.BackendPulled(page.BackendID, g.at, events[:n], reached && last)
			head := u.l.m.BackendHead()
			g.pending = u.l.m.pendingEvents()
			u.say(func(s *link.Uplink) { s.Head = head })
		}); derr != nil {
			return derr
		}
		if err != nil {
			return err
		}
		if n > 0 {
			g.at = events[n-1].SeqNum
		}
		if u.l.m.feed.at() != before {
			u.pulls.reset()
		}
		if events = events[n:]; last {
			return nil
		}
	}
}
