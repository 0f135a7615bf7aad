// Package faultfs is a directory in memory for tests of what must survive: it loses power, writes short, fills up and fails on demand.
//
// It keeps what was written since the last sync of a file apart from what was synced, and names that changed since the last SyncDir
// apart from those before. [FS.Crash] gives the directory as it may be after a loss of power: of some files nothing unsynced is
// there, of some everything, of the others each unsynced sector of 512 bytes is lost, kept or torn, and each truncation lost or kept,
// each on its own. Each unsynced name is lost or kept.
package faultfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"

	"github.com/livestore-go/livestore/internal/journal"
)

// Sector is the number of bytes that are written together, as on a disk.
const Sector = 512

// ErrPower is the error of every operation after the power went.
var ErrPower = errors.New("faultfs: the power is gone")

// Op is one operation that changes something, about to be done.
type Op struct {
	Kind   string // "create", "rename", "remove", "syncdir", "write", "truncate", "sync"
	Name   string // of the file, as it was opened
	Offset int64  // of a write; the size of a truncate
	Len    int    // of a write, in bytes
}

// FS is a directory. The zero value is not usable; make one with [New]. It may be used by several goroutines.
type FS struct {
	mu     sync.Mutex
	live   map[string]*inode // as programs see it
	safe   map[string]*inode // as it is on disk
	names  []nameOp          // changes to live since the last SyncDir
	ops    int               // operations so far
	powerN int               // the operation at which the power goes, 0 for never
	free   int64             // bytes left, -1 for no limit
	fault  func(Op) (written int, err error)
}

type inode struct {
	live, safe []byte
	changes    []change // to live since the last sync
}

type change struct {
	truncate bool
	offset   int64 // of data, or the new size
	data     []byte
}

type nameOp struct {
	name string // gets the inode, or is removed when it is nil
	from string // is removed too, for a rename
	node *inode
}

// New makes an empty directory without a limit.
func New() *FS { return &FS{live: map[string]*inode{}, safe: map[string]*inode{}, free: -1} }

var _ journal.FS = (*FS)(nil)

// Ops returns how many changing operations there have been.
func (f *FS) Ops() int { return locked(f, func() int { return f.ops }) }

// PowerOffAt lets the power go at the n-th changing operation from the start, counted from 1: that one is done unsynced, or not at
// all, and it and every operation after it fails with [ErrPower].
func (f *FS) PowerOffAt(n int) { locked(f, func() int { f.powerN = n; return 0 }) }

// SetFree sets how many bytes files may still grow together; less than 0 is no limit. A write that does not fit is done as far as it fits.
func (f *FS) SetFree(n int64) { locked(f, func() int { f.free = n; return 0 }) }

// SetFault sets a function that is asked before each changing operation, nil for none. With an error the operation fails; of a write, the
// first written bytes are done nevertheless. With written > 0 and no error a write is silently short.
func (f *FS) SetFault(fault func(Op) (written int, err error)) {
	locked(f, func() int { f.fault = fault; return 0 })
}

// Snapshot returns the content of a file as programs see it, nil when there is none.
func (f *FS) Snapshot(name string) []byte {
	return locked(f, func() []byte {
		if n, ok := f.live[name]; ok {
			return slices.Clone(n.live)
		}
		return nil
	})
}

// Put replaces or makes a file that is on disk with all its content.
func (f *FS) Put(name string, data []byte) {
	locked(f, func() int {
		n := &inode{live: slices.Clone(data), safe: slices.Clone(data)}
		f.live[name], f.safe[name] = n, n
		return 0
	})
}

func locked[T any](f *FS, do func() T) T {
	f.mu.Lock()
	defer f.mu.Unlock()
	return do()
}

// Crash returns the directory as it may be when the power has gone now and come back. f itself stays as it is.
func (f *FS) Crash(r *rand.Rand) *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	names := maps.Clone(f.safe)
	for _, op := range f.names {
		if r.IntN(2) == 0 {
			continue
		}
		if op.from != "" {
			delete(names, op.from)
		}
		if op.node != nil {
			names[op.name] = op.node
		} else {
			delete(names, op.name)
		}
	}
	after := New()
	for _, name := range slices.Sorted(maps.Keys(names)) { // sorted: a seed gives one result
		after.Put(name, names[name].crash(r))
	}
	return after
}

// Kill returns the directory as the next process finds it when this one ended without a word: everything that was written is there,
// and what was not synced still is not. f itself stays as it is, for those who have files of it open.
func (f *FS) Kill() *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	after := New()
	copies := map[*inode]*inode{nil: nil}
	node := func(n *inode) *inode {
		if _, ok := copies[n]; !ok {
			copies[n] = &inode{live: slices.Clone(n.live), safe: slices.Clone(n.safe), changes: slices.Clone(n.changes)}
		}
		return copies[n]
	}
	for name, n := range f.live {
		after.live[name] = node(n)
	}
	for name, n := range f.safe {
		after.safe[name] = node(n)
	}
	for _, op := range f.names {
		op.node = node(op.node)
		after.names = append(after.names, op)
	}
	return after
}

func (n *inode) crash(r *rand.Rand) []byte {
	switch r.IntN(8) {
	case 0: // the system had just written everything back by itself
		return slices.Clone(n.live)
	case 1:
		return slices.Clone(n.safe)
	}
	data := slices.Clone(n.safe)
	for _, c := range n.changes {
		if c.truncate {
			if r.IntN(2) == 0 {
				data = resize(data, c.offset)
			}
			continue
		}
		for off, rest := c.offset, c.data; len(rest) > 0; {
			part := rest[:min(int64(len(rest)), Sector-off%Sector)]
			keep := len(part)
			switch r.IntN(3) {
			case 0:
				keep = 0
			case 1:
				keep = r.IntN(len(part) + 1)
			}
			data = put(data, off, part[:keep])
			off += int64(len(part))
			rest = rest[len(part):]
		}
	}
	return data
}

func resize(b []byte, size int64) []byte {
	if size <= int64(len(b)) {
		return b[:size]
	}
	return append(b, make([]byte, size-int64(len(b)))...)
}

func put(b []byte, off int64, data []byte) []byte {
	if len(data) == 0 {
		return b
	}
	if end := off + int64(len(data)); end > int64(len(b)) {
		b = resize(b, end)
	}
	copy(b[off:], data)
	return b
}

// begin counts an operation. It returns how much of a write of that length is to be done, whether the operation is, and its error.
func (f *FS) begin(op Op) (written int, do bool, err error) {
	if f.powerN > 0 && f.ops >= f.powerN {
		return 0, false, ErrPower
	}
	f.ops++
	if f.ops == f.powerN {
		// A sync that is cut off has done nothing for certain; anything else is under way.
		return op.Len, op.Kind != "sync" && op.Kind != "syncdir", ErrPower
	}
	if f.fault != nil {
		n, err := f.fault(op)
		if err != nil {
			return min(n, op.Len), op.Kind == "write", err
		}
		if n > 0 {
			return min(n, op.Len), true, nil
		}
	}
	return op.Len, true, nil
}

func (f *FS) check(op, name string) (*inode, error) {
	if f.powerN > 0 && f.ops >= f.powerN {
		return nil, ErrPower
	}
	n, ok := f.live[name]
	if !ok {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
	}
	return n, nil
}

// Open implements [journal.FS].
func (f *FS) Open(name string) (journal.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.check("open", name)
	if err != nil {
		return nil, err
	}
	return &file{fs: f, name: name, node: n}, nil
}

// Edit implements [journal.FS].
func (f *FS) Edit(name string) (journal.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.check("open", name)
	if err != nil {
		return nil, err
	}
	return &file{fs: f, name: name, node: n, write: true}, nil
}

// Create implements [journal.FS].
func (f *FS) Create(name string) (journal.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.live[name]; ok {
		return nil, &fs.PathError{Op: "create", Path: name, Err: fs.ErrExist}
	}
	_, do, err := f.begin(Op{Kind: "create", Name: name})
	n := &inode{}
	if do {
		f.rename(nameOp{name: name, node: n})
	}
	if err != nil {
		return nil, err
	}
	return &file{fs: f, name: name, node: n, write: true}, nil
}

// Rename implements [journal.FS].
func (f *FS) Rename(from, to string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.check("rename", from)
	if err != nil {
		return err
	}
	_, do, err := f.begin(Op{Kind: "rename", Name: from})
	if do {
		f.rename(nameOp{name: to, from: from, node: n})
	}
	return err
}

// Remove implements [journal.FS].
func (f *FS) Remove(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := f.check("remove", name); err != nil {
		return err
	}
	_, do, err := f.begin(Op{Kind: "remove", Name: name})
	if do {
		f.rename(nameOp{name: name})
	}
	return err
}

func (f *FS) rename(op nameOp) {
	if op.from != "" {
		delete(f.live, op.from)
	}
	if op.node != nil {
		f.live[op.name] = op.node
	} else {
		delete(f.live, op.name)
	}
	f.names = append(f.names, op)
}

// List implements [journal.FS].
func (f *FS) List() ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.powerN > 0 && f.ops >= f.powerN {
		return nil, ErrPower
	}
	return slices.Sorted(maps.Keys(f.live)), nil
}

// SyncDir implements [journal.FS].
func (f *FS) SyncDir() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, do, err := f.begin(Op{Kind: "syncdir"})
	if do && err == nil {
		f.safe, f.names = maps.Clone(f.live), nil
	}
	return err
}

type file struct {
	fs    *FS
	name  string
	node  *inode
	write bool
	done  bool
}

func (f *file) usable(write bool) error {
	switch {
	case f.done:
		return fs.ErrClosed
	case write && !f.write:
		return &fs.PathError{Op: "write", Path: f.name, Err: fs.ErrPermission}
	case f.fs.powerN > 0 && f.fs.ops >= f.fs.powerN:
		return ErrPower
	}
	return nil
}

func (f *file) ReadAt(b []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.usable(false); err != nil {
		return 0, err
	}
	if off >= int64(len(f.node.live)) {
		return 0, io.EOF
	}
	n := copy(b, f.node.live[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (f *file) WriteAt(b []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.usable(true); err != nil {
		return 0, err
	}
	n, do, err := f.fs.begin(Op{Kind: "write", Name: f.name, Offset: off, Len: len(b)})
	if !do || n < 0 {
		return 0, err
	}
	if grow := off + int64(n) - int64(len(f.node.live)); grow > 0 && f.fs.free >= 0 {
		if grow > f.fs.free {
			n = int(max(0, int64(n)-(grow-f.fs.free)))
			grow = f.fs.free
			err = errors.Join(err, &fs.PathError{Op: "write", Path: f.name, Err: syscall.ENOSPC})
		}
		f.fs.free -= grow
	}
	f.node.live = put(f.node.live, off, b[:n])
	f.node.changes = append(f.node.changes, change{offset: off, data: slices.Clone(b[:n])})
	return n, err
}

func (f *file) Truncate(size int64) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.usable(true); err != nil {
		return err
	}
	_, do, err := f.fs.begin(Op{Kind: "truncate", Name: f.name, Offset: size})
	if !do {
		return err
	}
	if f.fs.free >= 0 {
		f.fs.free = max(0, f.fs.free+int64(len(f.node.live))-size)
	}
	f.node.live = resize(f.node.live, size)
	f.node.changes = append(f.node.changes, change{truncate: true, offset: size})
	return err
}

func (f *file) Sync() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.usable(false); err != nil {
		return err
	}
	_, do, err := f.fs.begin(Op{Kind: "sync", Name: f.name})
	if do && err == nil {
		for _, c := range f.node.changes {
			if c.truncate {
				f.node.safe = resize(f.node.safe, c.offset)
			} else {
				f.node.safe = put(f.node.safe, c.offset, c.data)
			}
		}
		f.node.changes = nil
	}
	return err
}

func (f *file) Size() (int64, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.usable(false); err != nil {
		return 0, err
	}
	return int64(len(f.node.live)), nil
}

func (f *file) Close() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.done {
		return fmt.Errorf("close %s: %w", f.name, fs.ErrClosed)
	}
	f.done = true
	return nil
}
