package sim

import (
	"slices"

	"github.com/livestore-go/livestore/internal/wire"
)

// pipe is a connection between a client and the server. What travels are the frames of the protocol, each way in order. Both ends learn
// that it has ended when the schedule wants them to.
type pipe struct {
	no      int
	dialect wire.Dialect
	log     *backend // that the server had when the connection was made
	seen    *witness // at the client's end
	up      [][]byte // frames of the client that the server has not read
	out     [][]byte // frames of the server that it has not written yet
	down    [][]byte // frames of the server that the client has not read

	deafUp, deafDown bool // what goes this way vanishes
	swallowed        int  // frames the network has taken and nobody will read
	left, shut       bool // the client, the server has ended it
}

// window is how many frames the network takes before the server can write no more.
const window = 3

// send is what a client does to a message.
func (p *pipe) send(m wire.ClientMessage, join bool) {
	p.seen.sent(m)
	if p.deafUp {
		return
	}
	frame := wire.AppendClient(nil, p.dialect, m)
	if n := len(p.up); join && n > 0 && p.dialect == wire.E4 { // a frame of this dialect may hold several
		last := p.up[n-1]
		if last[0] == '[' {
			last = last[1 : len(last)-1]
		}
		p.up[n-1] = slices.Concat([]byte("["), last, []byte(","), frame, []byte("]"))
		return
	}
	p.up = append(p.up, frame)
}

// write lets the network take the next frame of the server, if it can.
func (p *pipe) write() bool {
	if len(p.out) == 0 || !p.left && len(p.down)+p.swallowed >= window {
		return false
	}
	frame := p.out[0]
	p.out = p.out[1:]
	switch {
	case p.left:
	case p.deafDown:
		p.swallowed++
	default:
		p.down = append(p.down, frame)
	}
	return true
}

// over says whether all has been read that the client sent before it ended the connection.
func (p *pipe) over() bool { return p.left && len(p.up) == 0 && !p.deafUp }

// ended is the same for what the server sent.
func (p *pipe) ended() bool { return p.shut && len(p.down) == 0 && !p.deafDown }

// healthy says whether both ends hear each other.
func (p *pipe) healthy() bool { return !p.left && !p.shut && !p.deafUp && !p.deafDown }
