package crashvfs

import (
	"errors"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/livestore-go/livestore/internal/journal"
	"github.com/livestore-go/livestore/internal/journal/faultfs"
	"github.com/livestore-go/livestore/internal/sqlite"
)

var _ journal.FS = (*FS)(nil)

// setting is a way to keep a database.
type setting struct {
	name    string
	opts    sqlite.Options
	pragmas string // on top of the options
}

var durable = []setting{
	{name: "log", opts: sqlite.Options{Sync: sqlite.Full}},
	{name: "log with checkpoints", opts: sqlite.Options{Sync: sqlite.Full}, pragmas: "PRAGMA wal_autocheckpoint=3"},
	{name: "journal truncated", opts: sqlite.Options{Sync: sqlite.Full}, pragmas: "PRAGMA journal_mode=TRUNCATE"},
	{name: "journal deleted", opts: sqlite.Options{Sync: sqlite.Full}, pragmas: "PRAGMA journal_mode=DELETE; PRAGMA synchronous=EXTRA"},
	{name: "journal kept", opts: sqlite.Options{Sync: sqlite.Full}, pragmas: "PRAGMA journal_mode=PERSIST"},
}

// outcome is what became of a database over one or more losses of power.
type outcome struct {
	acknowledged int   // commits that returned
	found        int   // commits that are there
	err          error // the database is not what a whole number of commits would have made
}

// live opens a database on disk, commits until the power goes, and tells how many commits returned. before is how many
// there were.
func live(disk *FS, s setting, before int) (commits int, err error) {
	opts := s.opts
	opts.VFS = disk.Name()
	c, err := sqlite.Open("test.db", &opts)
	if err != nil {
		return before, err
	}
	defer func() {
		if cerr := c.Close(); cerr != nil {
			panic(cerr) // the connection would never be given back
		}
	}()
	if s.pragmas != "" {
		if err := c.Script(s.pragmas); err != nil {
			return before, err
		}
	}
	if err := c.Script("CREATE TABLE IF NOT EXISTS log (n INTEGER PRIMARY KEY, a, b); CREATE TABLE IF NOT EXISTS total (n)"); err != nil {
		return before, err
	}
	for n := range 12 {
		if err := commit(c, before+n+1); err != nil {
			c.Rollback()
			return before + n, err
		}
	}
	return before + 12, nil
}

// commit is three rows of a table, some of them long, and the only row of another.
func commit(c *sqlite.Conn, n int) error {
	return errors.Join(c.Begin(),
		c.Exec(sqlite.Internal, "INSERT INTO log SELECT 3 * ?1 + value, ?1, zeroblob(?1 * 977 % 9000) FROM json_each('[0, 1, 2]')", n),
		c.Exec(sqlite.Internal, "DELETE FROM total"), c.Exec(sqlite.Internal, "INSERT INTO total VALUES (?)", n),
		c.Commit())
}

// inspect counts the commits that are there, and says when they are not whole.
func inspect(disk *FS, s setting) (found int, err error) {
	opts := s.opts
	opts.VFS = disk.Name()
	c, err := sqlite.Open("test.db", &opts)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	if err := c.IntegrityCheck(); err != nil {
		return 0, err
	}
	get := func(sql string) (n int, err error) {
		st, err := c.Prepare(sqlite.Internal, sql)
		if err != nil {
			return 0, err
		}
		rows, err := st.Query(nil)
		if err != nil {
			return 0, err
		}
		if rows.Next() {
			n = int(rows.Int64(0))
		}
		return n, rows.Close()
	}
	if n, err := get("SELECT count(*) FROM sqlite_schema"); err != nil || n < 2 {
		return 0, err // power went before there were tables
	}
	total, err1 := get("SELECT n FROM total")
	rows, err2 := get("SELECT count(*) FROM log WHERE length(b) = a * 977 % 9000")
	if err := errors.Join(err1, err2); err != nil {
		return 0, err
	}
	if rows != 3*total {
		return 0, errors.New(strconv.Itoa(rows) + " rows of " + strconv.Itoa(total) + " commits")
	}
	return total, nil
}

// powerLoss lets the power go again and again, at moments the seed decides, and looks after each.
func powerLoss(s setting, seed uint64) (o outcome) {
	r := rand.New(rand.NewPCG(seed, 0))
	disk := New()
	defer func() { disk.Close() }()
	for range 4 {
		disk.SetFree(16 << 20) // a damaged file makes SQLite write far behind its end
		disk.PowerOffAt(disk.Ops() + 1 + r.IntN(80))
		commits, _ := live(disk, s, o.found)
		o.acknowledged = max(o.acknowledged, commits)
		after := disk.Crash(r)
		disk.Close()
		disk = after
		if r.IntN(3) == 0 { // and again while what is left is recovered
			disk.PowerOffAt(1 + r.IntN(8))
			inspect(disk, s)
			after := disk.Crash(r)
			disk.Close()
			disk = after
		}
		if o.found, o.err = inspect(disk, s); o.err != nil || o.found < o.acknowledged {
			return o
		}
		o.acknowledged = o.found
	}
	return o
}

const seeds = 60

func TestNoCommitThatReturnedIsLost(t *testing.T) {
	for _, s := range durable {
		t.Run(s.name, func(t *testing.T) {
			commits := 0
			for seed := range uint64(seeds) {
				o := powerLoss(s, seed)
				if o.err != nil || o.found < o.acknowledged {
					t.Fatalf("seed %d: %d commits returned and %d are there: %v", seed, o.acknowledged, o.found, o.err)
				}
				commits += o.found
			}
			if commits < seeds {
				t.Errorf("only %d commits were made: the power went too early to try anything", commits)
			}
		})
	}
}

// Without syncs commits are lost or the file is damaged: the disk is not kinder than a real one.
func TestTheDiskIsNotKind(t *testing.T) {
	for _, tc := range []struct {
		setting
		lost, damaged bool
	}{
		{setting{name: "log, normal", opts: sqlite.Options{Sync: sqlite.Normal}}, true, false},
		{setting{name: "log, checkpoints, off", opts: sqlite.Options{Sync: sqlite.Off}, pragmas: "PRAGMA wal_autocheckpoint=3"}, true, true},
		{setting{name: "journal, off", opts: sqlite.Options{Sync: sqlite.Off}, pragmas: "PRAGMA journal_mode=DELETE"}, true, true},
		{setting{name: "journal in memory", opts: sqlite.Options{Sync: sqlite.Full, NoWAL: true}}, false, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			lost, damaged := 0, 0
			for seed := range uint64(seeds) {
				switch o := powerLoss(tc.setting, seed); {
				case o.err != nil:
					damaged++
				case o.found < o.acknowledged:
					lost++
				}
			}
			if tc.lost && lost == 0 {
				t.Error("no commit was ever lost")
			}
			if tc.damaged != (damaged > 0) {
				t.Errorf("the file was damaged %d times of %d", damaged, seeds)
			}
		})
	}
}

func TestASeedReplaysExactly(t *testing.T) {
	for seed := range uint64(20) {
		if a, b := powerLoss(durable[1], seed), powerLoss(durable[1], seed); a.found != b.found || a.acknowledged != b.acknowledged {
			t.Errorf("seed %d: %+v and then %+v", seed, a, b)
		}
	}
}

func TestAFullDisk(t *testing.T) {
	for _, s := range durable {
		disk := New()
		defer disk.Close()
		commits, err := live(disk, s, 0)
		if err != nil {
			t.Fatal(err)
		}
		for free := int64(0); free < 60_000; free += 3500 {
			disk.SetFree(free)
			n, err := live(disk, s, commits)
			if err != nil && !sqlite.IsFull(err) {
				t.Errorf("%s: %d bytes free: %v, want that the disk is full", s.name, free, err)
			}
			if free == 0 && err == nil {
				t.Errorf("%s: nothing is free, and all went well", s.name)
			}
			commits = n
			disk.SetFree(-1)
			if found, err := inspect(disk, s); err != nil || found != commits {
				t.Errorf("%s: %d bytes were free: %d commits returned, %d are there: %v", s.name, free, commits, found, err)
			}
		}
	}
}

func TestAFileIsForOneConnection(t *testing.T) {
	disk := New()
	defer disk.Close()
	opts := &sqlite.Options{VFS: disk.Name()}
	c, err := sqlite.Open("x.db", opts)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Open("x.db", opts); !sqlite.IsBusy(err) {
		t.Errorf("a second connection: %v, want that it is busy", err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	c, err = sqlite.Open("x.db", opts)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if _, err := sqlite.Open("y.db", &sqlite.Options{VFS: disk.Name(), ReadOnly: true}); err == nil {
		t.Error("a file that is not there was opened for reading")
	}
}

// A full sync is one of the log for each commit, and nothing less.
func TestFullSyncsAtEachCommit(t *testing.T) {
	for sync, want := range map[sqlite.Sync]int{sqlite.Full: 10, sqlite.Normal: 0, sqlite.Off: 0} {
		disk := New()
		c, err := sqlite.Open("x.db", &sqlite.Options{VFS: disk.Name(), Sync: sync})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(c.Script("CREATE TABLE log (n, a, b); CREATE TABLE total (n)"), commit(c, 1)); err != nil {
			t.Fatal(err)
		}
		syncs := 0
		disk.SetFault(func(op faultfs.Op) (int, error) {
			if op.Kind == "sync" && op.Name == "x.db-wal" {
				syncs++
			}
			return 0, nil
		})
		for n := range 10 {
			if err := commit(c, n+2); err != nil {
				t.Fatal(err)
			}
		}
		if syncs != want {
			t.Errorf("sync level %d: %d syncs of 10 commits, want %d", sync, syncs, want)
		}
		c.Close()
		disk.Close()
	}
}
