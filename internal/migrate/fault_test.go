package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/eventlog"
	"github.com/livestore-go/livestore/internal/materialize"
	"github.com/livestore-go/livestore/internal/migrate"
	"github.com/livestore-go/livestore/internal/sqlite/crashvfs"
	"github.com/livestore-go/livestore/state"
)

// totals keeps a row for each event, without a key by which one that is applied twice would be noticed.
var totals = state.MustSchema(
	state.DDL("CREATE TABLE total (id INTEGER PRIMARY KEY, n INTEGER, pad TEXT)"),
	state.On(added, func(tx *state.Tx, e named) error {
		return tx.Exec(state.Exec("INSERT INTO total (n, pad) VALUES (1, ?)", e.Name))
	}))

// confirmed appends n events of another client with names of a size, and confirms them.
func (p *place) confirmed(t *testing.T, n, size int) {
	t.Helper()
	head, _ := p.log.Head()
	all := make([]event.Client, n)
	for i := range all {
		num, parent := head.Next(event.ScopeSynced, 0)
		head = num
		all[i] = event.Client{
			Num: num, Parent: parent, Name: "v1.Added", ClientID: "c", SessionID: "s",
			Args: jsontext.Value(fmt.Sprintf(`{"name":"%d%s"}`, num.Global, strings.Repeat("x", size))),
		}
	}
	err := p.log.Update(func() error { return errors.Join(p.log.Append(all), p.log.SetUpstream(head)) })
	if err != nil {
		t.Fatal(err)
	}
}

// on opens state of a log on a simulated disk.
func on(disk *crashvfs.FS, log *eventlog.Log) *migrate.State {
	return &migrate.State{FS: disk, Dir: ".", VFS: disk.Name(), Log: log, Schema: totals, Synced: true, Logger: slog.New(slog.DiscardHandler)}
}

// rowsOf opens the state of a log, closes it, and returns how many rows it has.
func rowsOf(t *testing.T, disk *crashvfs.FS, log *eventlog.Log) (int64, error) {
	t.Helper()
	e, err := on(disk, log).Open(context.Background())
	if err != nil {
		return 0, err
	}
	n, err := e.Conn().Integer("SELECT count(*) FROM total")
	return n, errors.Join(err, e.Conn().Close())
}

// The disk is full while state catches up, at whatever place: when there is space again it has each event once.
func TestDiskThatIsFullWhileStateCatchesUp(t *testing.T) {
	p := newPlace(t, 10)
	disk := crashvfs.New()
	t.Cleanup(disk.Close)
	if n, err := rowsOf(t, disk, p.log); err != nil || n != 10 {
		t.Fatalf("%d rows, %v", n, err)
	}
	p.confirmed(t, 3990, 1500)
	for free := int64(1 << 20); free < 12<<20; free += 1 << 20 {
		disk.SetFree(free)
		full, err := rowsOf(t, disk, p.log)
		if err == nil && full != 4000 {
			t.Errorf("with %d bytes state opens with %d rows of 4000", free, full)
		}
		disk.SetFree(-1)
		if n, err := rowsOf(t, disk, p.log); err != nil || n != 4000 {
			t.Errorf("after a disk with %d bytes (%v) state has %d rows of 4000, %v", free, err, n, err)
		}
		names, err := disk.List()
		for _, name := range names {
			err = errors.Join(err, disk.Remove(name))
		}
		var e *materialize.Engine
		if err == nil {
			e, err = on(disk, p.log).Rebuild(event.SeqNum{Global: 10})
		}
		if err == nil {
			err = e.Conn().Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
