package sim

import (
	"errors"
	"fmt"
	"sync"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/materialize"
	"github.com/livestore-go/livestore/internal/sqlite"
	"github.com/livestore-go/livestore/provider"
)

// backend is a sync backend as R1 says, and all other clients of the store. Its state is what every client must derive.
type backend struct {
	id      string
	events  []event.Global
	ends    []int64 // of the pushes that made them
	state   *materialize.Engine
	answers int // pushes that were answered, so that a pull knows whether it began after the last one
}

func newBackend(schema int) (*backend, error) {
	b := &backend{id: backendID}
	var err error
	b.state, err = newState(schema)
	return b, err
}

// newState makes an empty state in memory, from an image: to create the tables takes ten times as long.
func newState(schema int) (*materialize.Engine, error) {
	image, err := images[schema]()
	if err != nil {
		return nil, err
	}
	conn, err := sqlite.Open(":memory:", nil)
	if err != nil {
		return nil, err
	}
	if err := conn.Deserialize(image); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	engine, err := materialize.Open(conn, schemas[schema], false)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return engine, nil
}

// images are empty states of the schemas.
var images = []func() ([]byte, error){image(first), image(searched), image(narrow), image(newest)}

func image(schema int) func() ([]byte, error) {
	return sync.OnceValues(func() ([]byte, error) {
		conn, err := sqlite.Open(":memory:", nil)
		if err != nil {
			return nil, err
		}
		defer conn.Close()
		if _, err := materialize.Create(conn, schemas[schema], false); err != nil {
			return nil, err
		}
		return conn.Serialize()
	})
}

func (b *backend) head() int64 { return int64(len(b.events)) }

// push appends a batch as a whole, or not at all.
func (b *backend) push(batch []event.Global) error {
	if batch[0].ParentSeqNum != b.head() {
		return &provider.ServerAheadError{StoreID: storeID, Head: b.head(), Provided: batch[0].ParentSeqNum}
	}
	for i, e := range batch {
		if e.SeqNum != b.head()+1 || e.ParentSeqNum != b.head() {
			return failf("the leader pushes a batch that does not chain: event %d is e%d (parent e%d) at head e%d",
				i, e.SeqNum, e.ParentSeqNum, b.head())
		}
		if err := b.append(e); err != nil {
			return failf("event e%d %s, pushed to the backend, does not apply on the log there: %v", e.SeqNum, e.Name, err)
		}
	}
	return nil
}

func (b *backend) append(e event.Global) error {
	if err := b.state.Apply([]event.Client{e.Client()}); err != nil {
		return err
	}
	b.events = append(b.events, e)
	return b.state.ForgetUndo(e.Client().Num)
}

// failure is what a schedule ends with: something that must never be.
type failure struct{ what string }

func (f *failure) Error() string { return f.what }

func failf(format string, args ...any) error { return &failure{fmt.Sprintf(format, args...)} }
