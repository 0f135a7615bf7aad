package sim

import (
	"math/rand/v2"

	"github.com/livestore-go/livestore/internal/journal/faultfs"
	"github.com/livestore-go/livestore/internal/sqlite/crashvfs"
)

// disk is where one client keeps its files.
type disk struct {
	*crashvfs.FS
	off  int  // the operation from which on every one fails, 0 for none
	full bool // it is: for as long as one action takes, or in a fleet for longer
}

func newDisk(files *faultfs.FS) *disk { return &disk{FS: crashvfs.Mount(files)} }

// arm lets the disk fail at the n-th operation from now.
func (d *disk) arm(n int) {
	d.off = d.Ops() + n
	d.PowerOffAt(d.off)
}

func (d *disk) disarm() {
	d.off = 0
	d.PowerOffAt(0)
}

// failed says whether the disk has failed.
func (d *disk) failed() bool { return d.off > 0 && d.Ops() >= d.off }

// crash returns what the next process finds. Those who have files of this disk open keep them, and nobody looks at them again. With power
// what was not synced may be gone.
func (d *disk) crash(r *rand.Rand, power bool) *disk {
	defer d.Close()
	if power {
		return newDisk(d.FS.FS.Crash(r))
	}
	return newDisk(d.Kill())
}
