package leader

import (
	"sync"

	"github.com/livestore-go/livestore/internal/link"
)

// What a leader keeps of what it published, for sessions that are a little behind. One that is further behind boots anew.
const (
	keepPublished = 1024
	keepEvents    = 20_000
	keepBytes     = 32 << 20
)

// maxPull is how many events a reply to a pull holds, unless a single publish has more.
const maxPull = 1000

// feed is what the leader has published. It is the one part of the machine that sessions read from their own goroutines.
type feed struct {
	mu     sync.Mutex
	epoch  string // tells this count of publishes from that of another start of a leader
	cursor uint64 // of the last publish
	anew   uint64 // the cursor at the last cut
	kept   []link.Publish
	events int // in kept
	bytes  int // of their arguments
	uplink link.Uplink
	more   chan struct{} // closed at the next publish or change of the uplink
}

func newFeed(epoch string) *feed { return &feed{epoch: epoch, more: make(chan struct{})} }

// publish gives p the next cursor.
func (f *feed) publish(p link.Publish) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cursor++
	p.Cursor = f.cursor
	f.kept = append(f.kept, p)
	f.events += len(p.Events)
	f.bytes += argsLen(p)
	for len(f.kept) > keepPublished || (f.events > keepEvents || f.bytes > keepBytes) && len(f.kept) > 1 {
		f.events -= len(f.kept[0].Events)
		f.bytes -= argsLen(f.kept[0])
		f.kept[0] = link.Publish{}
		f.kept = f.kept[1:]
	}
	close(f.more)
	f.more = make(chan struct{})
}

// cut withdraws everything that was published: whoever has not pulled what comes after it boots anew.
func (f *feed) cut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cursor++
	f.anew = f.cursor
	f.kept, f.events, f.bytes = nil, 0, 0
	close(f.more)
	f.more = make(chan struct{})
}

// setUplink says how the connection to the backend is now.
func (f *feed) setUplink(u link.Uplink) {
	f.mu.Lock()
	defer f.mu.Unlock()
	u.Version = f.uplink.Version
	if u == f.uplink {
		return
	}
	u.Version++
	f.uplink = u
	close(f.more)
	f.more = make(chan struct{})
}

func argsLen(p link.Publish) (n int) {
	for i := range p.Events {
		n += len(p.Events[i].Args)
	}
	return n
}

// at returns the cursor of the last publish.
func (f *feed) at() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.cursor
}

// link returns how the connection to the backend is.
func (f *feed) link() link.Uplink {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.uplink
}

// after returns what was published after a cursor, or a channel that is closed when there is something.
func (f *feed) after(r link.PullRequest) (reply link.PullReply, more <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	behind := f.cursor - r.Cursor
	if r.Epoch != f.epoch || r.Cursor > f.cursor || behind > uint64(len(f.kept)) {
		return link.PullReply{Lost: true, Anew: r.Epoch == f.epoch && r.Cursor < f.anew}, nil
	}
	if r.Uplink != f.uplink.Version {
		u := f.uplink
		reply.Uplink = &u
	} else if behind == 0 {
		return link.PullReply{}, f.more
	}
	events := 0
	for _, p := range f.kept[uint64(len(f.kept))-behind:] {
		if events > 0 && events+len(p.Events) > maxPull {
			break
		}
		events += len(p.Events)
		reply.Published = append(reply.Published, p)
	}
	return reply, nil
}

// Published answers a pull with what was published after its cursor, with nothing when there is nothing yet. It may be called from
// any goroutine.
func (m *Machine) Published(r link.PullRequest) link.PullReply {
	reply, _ := m.feed.after(r)
	return reply
}
