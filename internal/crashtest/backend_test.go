package crashtest

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/provider"
)

// backend is a sync backend in memory. It is another machine: it goes on when the power goes here.
type backend struct {
	log []event.Global
}

const backendID = "backend"

var errHung = errors.New("the connection broke before an answer came")

// push stores a batch that chains, or nothing.
func (b *backend) push(batch []event.Global) error {
	head := int64(len(b.log))
	for i, e := range batch {
		if e.ParentSeqNum != head+int64(i) || e.SeqNum != e.ParentSeqNum+1 {
			return &provider.ServerAheadError{Head: head}
		}
	}
	b.log = append(b.log, batch...)
	return nil
}

// foreign adds n events of another client. One in four claims a key.
func (b *backend) foreign(n int) {
	for range n {
		k := len(b.log)
		id := label{session: foreign, commit: k, events: 1, claim: k%4 == 3}
		args, name := any(Fact{ID: id.String(), Pad: "pad foreign"}), added.Definition().Name()
		if id.claim {
			// A key that this client may have claimed meanwhile, but no other event of the backend has.
			key := strconv.Itoa(k % keys)
			if b.taken(key) {
				key = "foreign " + strconv.Itoa(k)
			}
			args, name = Claim{ID: id.String(), Key: key}, claimed.Definition().Name()
		}
		raw, err := json.Marshal(args)
		if err != nil {
			panic(err)
		}
		b.log = append(b.log, event.Global{
			Name: name, Args: raw, SeqNum: int64(k) + 1, ParentSeqNum: int64(k), ClientID: "foreign", SessionID: "foreign",
		})
	}
}

func (b *backend) taken(key string) bool {
	for _, e := range b.log {
		if e.Name == claimed.Definition().Name() {
			var c Claim
			if err := json.Unmarshal(e.Args, &c); err != nil {
				panic(fmt.Sprintf("claim %s: %v", e.Args, err))
			}
			if c.Key == key {
				return true
			}
		}
	}
	return false
}

// foreign is the number of the session whose events come from the backend.
const foreign = 1001
