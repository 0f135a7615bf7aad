package migrate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path/filepath"
	"slices"
	"strings"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/eventlog"
	"github.com/livestore-go/livestore/internal/materialize"
	"github.com/livestore-go/livestore/internal/sqlite"
)

// segment is after how many events a rebuild makes itself safe: a second's work or so.
const segment = 50_000

// Rebuild derives state anew from the log, up to a position, beside whatever is there, and swaps it in when it is complete.
func (s *State) Rebuild(upTo event.SeqNum) (*materialize.Engine, error) {
	return s.rebuild(context.Background(), &rebuilding{State: s, upTo: upTo, tell: func(int) {}})
}

func (s *State) rebuild(ctx context.Context, b *rebuilding) (*materialize.Engine, error) {
	if err := b.run(ctx); err != nil {
		return nil, fmt.Errorf("rebuild state %s: %w", s.path(), err)
	}
	conn, err := sqlite.Open(s.path(), &sqlite.Options{VFS: s.VFS})
	if err != nil {
		return nil, fmt.Errorf("open rebuilt state: %w", err)
	}
	engine, err := materialize.Open(conn, s.Schema, true)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open rebuilt state %s: %w", s.path(), err), conn.Close())
	}
	return engine, nil
}

// rebuilding is a rebuild under way.
//
// The first segment goes into NAME.building, which has neither a journal on disk nor fsync: it is made as fast as a file can be, and
// who finds it deletes it, whatever is in it. When there is more to do, the file is synced at the end of that segment and renamed to
// NAME.part. Under that name it is always a sound database whose rows are those of the head it says, for from there on it has a
// write-ahead log, and each segment is one transaction. Synchronous NORMAL is enough: a process that is killed loses the segment
// it was in, and a loss of power may take back the last ones as well, each as a whole. Then there is more to apply, and nothing wrong.
// A marker beside a file without a journal would not do, since a segment writes over pages of those before, and a rollback journal
// has to be synced whenever memory has no room for such a page.
type rebuilding struct {
	*State

	upTo event.SeqNum
	size int            // events of a segment; 0 for all in one, which can not be gone on with
	tell func(done int) // told where it begins when that is not 0, at least every thousand events, and at the end

	file    string // the one that is written
	conn    *sqlite.Conn
	engine  *materialize.Engine
	unknown func(event.Client) // told of events that are none of the schema's; may be nil
	done    int                // events applied
	resumed int                // of them, those that were there
	keep    bool               // an error leaves the file for the next boot
}

// opening returns the rebuild of a store that opens.
func (s *State) opening(upTo event.SeqNum) *rebuilding {
	size := s.Segment
	if size == 0 {
		size = segment
	}
	return &rebuilding{State: s, upTo: upTo, size: size, tell: s.progress("rebuild")}
}

func (b *rebuilding) run(ctx context.Context) (err error) {
	defer func() { // also when a materializer panics
		if cerr := b.close(); err == nil {
			err = cerr
		}
		if !b.keep {
			err = errors.Join(err, b.scrap())
		}
	}()
	unknown, done := b.tellUnknown()
	defer done()
	b.unknown = unknown
	if b.size > 0 {
		err = b.resume(ctx)
		if ctx.Err() != nil {
			b.keep = true
			return ctx.Err()
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			b.Logger.Warn("an interrupted rebuild of state is begun anew", "file", b.path()+part, "why", err)
		}
	}
	if b.conn == nil {
		if err := b.begin(); err != nil {
			return err
		}
	}
	for {
		more, err := b.apply(ctx)
		if err != nil {
			return b.interrupted(ctx, err)
		}
		if err := b.commit(); err != nil {
			return err
		}
		if !more {
			break
		}
		if err := b.secure(); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			b.keep = true
			return err
		}
		if err := b.conn.Begin(); err != nil {
			return err
		}
	}
	return b.swap()
}

// begin begins with an empty file.
func (b *rebuilding) begin() error {
	if err := b.scrap(); err != nil {
		return err
	}
	b.file = b.name() + building
	var err error
	b.conn, err = sqlite.Open(filepath.Join(b.Dir, b.file), &sqlite.Options{VFS: b.VFS, NoWAL: true, Sync: sqlite.Off})
	if err != nil {
		return err
	}
	if err := b.conn.Begin(); err != nil {
		return err
	}
	b.engine, err = materialize.Create(b.conn, b.Schema, true)
	if err != nil {
		return err
	}
	b.prepare()
	return nil
}

// resume goes on with what an interrupted rebuild has left. After an error, which is fs.ErrNotExist when there is nothing, the rebuild
// begins anew: whatever is in doubt is not built upon.
func (b *rebuilding) resume(ctx context.Context) (err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	b.file = b.name() + part
	f, err := b.FS.Open(b.file)
	if err != nil {
		return err
	}
	f.Close()
	if err := b.open(); err != nil {
		return err
	}
	if err := check(b.conn); err != nil {
		return err
	}
	head := b.engine.Head()
	at, ok, err := b.Log.At(head.Num)
	if err != nil {
		return err
	}
	if !ok || head != (materialize.Head{Num: at.Num, ID: at.ID}) {
		return fmt.Errorf("the eventlog does not have the event it ends at, %s", head.Num)
	}
	n, err := b.position(ctx, head.Num)
	if err == nil {
		err = b.conn.Begin()
	}
	if err != nil {
		return err
	}
	b.done, b.resumed = n, n
	b.tell(n)
	return nil
}

// check looks for damage as far as that costs less than applying the events anew.
func check(conn *sqlite.Conn) error {
	found := ""
	if err := each(conn, "PRAGMA quick_check(1)", func(r *sqlite.Rows) { found = r.Text(0) }); err != nil {
		return err
	}
	if found != "ok" {
		return errors.New(found)
	}
	return nil
}

// position returns how many events the log has up to one of it.
func (b *rebuilding) position(ctx context.Context, num event.SeqNum) (n int, err error) {
	for _, err := range until(num, b.Log.Read(event.SeqNum{}, 0)) {
		if err := errors.Join(err, ctx.Err()); err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

// open opens the file as one that can be gone on with.
func (b *rebuilding) open() (err error) {
	if b.conn, err = sqlite.Open(filepath.Join(b.Dir, b.file), &sqlite.Options{VFS: b.VFS}); err != nil {
		return err
	}
	if b.engine, err = materialize.Open(b.conn, b.Schema, true); err != nil {
		return err
	}
	b.prepare()
	return nil
}

func (b *rebuilding) prepare() {
	b.engine.KeepUndo(b.Synced)
	b.engine.OnUnknown(b.unknown)
}

func (b *rebuilding) close() error {
	if b.conn == nil {
		return nil
	}
	err := b.conn.Close()
	b.conn = nil
	return err
}

// apply applies the events of a segment, and says whether there are more.
func (b *rebuilding) apply(ctx context.Context) (more bool, err error) {
	read := func(after event.SeqNum, _ int) iter.Seq2[event.Client, error] {
		return until(b.upTo, b.Log.Read(after, b.size))
	}
	before := b.done
	skip := int(b.Log.Count()) - materialize.UndoCap - before
	err = materialize.CatchUp(ctx, b.engine, read, skip, b.Log.Meta().Upstream, func(done int) {
		b.done = before + done
		b.tell(b.done)
	})
	if refused, ok := errors.AsType[*materialize.Error](err); ok && b.mayRefuse(refused.Num) {
		b.Logger.Warn("state is rebuilt up to a pending event that does not apply", "file", b.path(), "event", refused.Num, "err", refused)
		if b.done, err = b.position(ctx, b.engine.Head().Num); err == nil {
			b.tell(b.done)
		}
		return false, err
	}
	if b.Log.Count() == 0 && err == nil {
		b.tell(0)
	}
	return b.size > 0 && b.done > before && b.engine.Head().Num.ComparePosition(b.upTo) < 0, err
}

// interrupted keeps what is applied for the next boot when it is the end of ctx that has ended the rebuild. Any other error may be one of a
// materializer, and when that is mended nothing may be built on half of what it has made.
func (b *rebuilding) interrupted(ctx context.Context, err error) error {
	_, refused := errors.AsType[*materialize.Error](err)
	if refused || b.size == 0 || !errors.Is(err, ctx.Err()) || b.engine.Head() == (materialize.Head{}) {
		return err
	}
	if kerr := errors.Join(b.commit(), b.secure()); kerr != nil {
		return errors.Join(err, kerr)
	}
	b.keep = true
	return err
}

// commit ends a segment.
func (b *rebuilding) commit() error {
	if err := errors.Join(b.engine.TrimUndo(), b.engine.StoreHead()); err != nil {
		return err
	}
	return b.conn.Commit()
}

// secure makes the file one that can be gone on with. No transaction is open.
func (b *rebuilding) secure() error {
	safe := b.name() + part
	if b.file == safe {
		return nil
	}
	if err := errors.Join(b.close(), b.sync()); err != nil {
		return err
	}
	if err := b.FS.Rename(b.file, safe); err != nil {
		return err
	}
	if err := b.FS.SyncDir(); err != nil {
		return err
	}
	b.file = safe
	return b.open()
}

func (b *rebuilding) sync() error {
	f, err := b.FS.Edit(b.file)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// swap puts the complete file in the place of the state.
func (b *rebuilding) swap() error {
	// What is in its write-ahead log comes into the file. Closing would do it as well, and not say when it can not.
	if err := b.conn.Exec(sqlite.Internal, "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		return err
	}
	if err := errors.Join(b.close(), b.sync()); err != nil {
		return err
	}
	// Neither may the new file get the write-ahead log of the old one, nor the old one lose its own. So the old file goes first,
	// for good. A rebuild that can be gone on with is worth keeping from here on.
	b.keep = b.file == b.name()+part
	for _, old := range []string{b.name(), b.name() + "-wal", b.name() + "-shm", b.name() + "-journal"} {
		if err := b.remove(old); err != nil {
			return err
		}
		if err := b.FS.SyncDir(); err != nil {
			return err
		}
	}
	if err := b.FS.Rename(b.file, b.name()); err != nil {
		return err
	}
	b.keep = true
	return b.FS.SyncDir()
}

// mayRefuse says whether an event that does not apply is one that may not: a pending one, of another version of the app. Either that one
// has written events which this one does not know, so that what they made is missing here, or this one knows them, and another that did not
// has brought them onto others. Without either, what was committed here applies here, or the schema is wrong.
func (s *State) mayRefuse(n event.SeqNum) bool {
	meta := s.Log.Meta()
	if !s.Synced || meta.Upstream.ComparePosition(n) >= 0 {
		return false
	}
	if meta.Carried {
		return true
	}
	names, err := s.Log.Names()
	return err == nil && slices.ContainsFunc(names, func(n eventlog.Named) bool {
		_, known := s.Schema.Definition(n.Name)
		return !known
	})
}

// until ends a sequence of events behind a position.
func until(pos event.SeqNum, events iter.Seq2[event.Client, error]) iter.Seq2[event.Client, error] {
	return func(yield func(event.Client, error) bool) {
		for e, err := range events {
			if (err == nil && e.Num.ComparePosition(pos) > 0) || !yield(e, err) {
				return
			}
		}
	}
}

func (s *State) remove(name string) error {
	if err := s.FS.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// isBeside says whether a file is one of a rebuild of this state.
func (s *State) isBeside(file string) bool {
	return strings.HasPrefix(file, s.name()+building) || strings.HasPrefix(file, s.name()+part)
}

// scrap removes what rebuilds of this state have left.
func (s *State) scrap() error {
	names, err := s.FS.List()
	if err != nil {
		return err
	}
	return s.drop(slices.DeleteFunc(names, func(n string) bool { return !s.isBeside(n) }))
}

// drop removes databases and then, when those are gone for good, what lies beside them: none may come back without its log, nor a log be
// taken for that of the next file of the name.
func (s *State) drop(files []string) error {
	if len(files) == 0 {
		return nil
	}
	for _, beside := range []bool{false, true} {
		for _, n := range files {
			if isSide(n) == beside {
				if err := s.remove(n); err != nil {
					return err
				}
			}
		}
		if err := s.FS.SyncDir(); err != nil {
			return err
		}
	}
	return nil
}

// isSide says whether a file belongs to a database of the same name without the end.
func isSide(file string) bool {
	return strings.HasSuffix(file, "-wal") || strings.HasSuffix(file, "-shm") || strings.HasSuffix(file, "-journal")
}
