package sqlite

import (
	"encoding/binary"
	"hash/fnv"

	"github.com/ncruces/go-sqlite3"
)

// Digest begins to add up what becomes of rows, or ends it. Two databases with the same content that get the same changes come to the same
// sum, in whichever order a statement changes its rows. Full-text tables do not count: what they keep depends on when they write it.
func (c *Conn) Digest(on bool) { c.digesting, c.digest = on, 0 }

// Digested returns the sum since Digest was last called.
func (c *Conn) Digested() uint64 { return c.digest }

// addDigest adds a row that is about to change.
func (c *Conn) addDigest(t *table, p *sqlite3.PreUpdateData) {
	h := fnv.New64a()
	b := append([]byte(t.lower), 0, byte(p.Op))
	if !t.withoutRowid {
		b = binary.AppendVarint(b, p.OldRowID)
		b = binary.AppendVarint(b, p.NewRowID)
	}
	value := p.New
	if p.Op == sqlite3.AUTH_DELETE {
		value = p.Old
	}
	for i := range t.names {
		if v, err := value(i); err == nil {
			b = appendOrdered(b, v)
		}
		_, _ = h.Write(append(b, 0)) // it never fails
		b = b[:0]
	}
	c.digest += h.Sum64()
}
