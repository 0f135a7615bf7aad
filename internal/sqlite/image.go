package sqlite

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/util/vfsutil"
	"github.com/ncruces/go-sqlite3/vfs"
)

// Serialize returns the whole database as bytes, as a file of it would hold them. [Conn.Deserialize] takes them.
func (c *Conn) Serialize() (_ []byte, err error) {
	defer rescue(&err)
	c.flush()
	image, err := c.room()
	if err != nil {
		return nil, fmt.Errorf("serialize database %s: %w", c.path, err)
	}
	name, done := images.offer(&image)
	defer done()
	if err := c.raw.Backup("main", name); err != nil {
		return nil, fmt.Errorf("serialize database %s: %w", c.path, err)
	}
	if len(image) >= headerSize {
		// A copy of a file with a write-ahead log says so, and could not be opened in memory.
		image[18], image[19] = 1, 1
	}
	return image, nil
}

// Deserialize replaces the content of the connection, which is to be one to a database in memory, by what Serialize
// returned. The bytes are not kept. Bytes that are no database give a *[CorruptError] and change nothing, unless the damage is
// only found later: then the content is lost.
func (c *Conn) Deserialize(data []byte) (err error) {
	defer rescue(&err)
	if c.path != memoryPath {
		return fmt.Errorf("deserialize into %s: it is not a database in memory", c.path)
	}
	if err := checkHeader(data); err != nil {
		return fmt.Errorf("deserialize: %w", &CorruptError{Err: err})
	}
	image := vfsutil.SliceFile(data)
	if data[18] != 1 || data[19] != 1 {
		image = append(vfsutil.SliceFile(nil), data...)
		image[18], image[19] = 1, 1
	}
	name, done := images.offer(&image)
	defer done()
	c.invalidate()
	err = c.raw.Restore("main", name+"&immutable=1")
	if err == nil {
		err = c.raw.Exec("SELECT count(*) FROM sqlite_schema")
	}
	if err != nil {
		if IsCorrupt(err) {
			err = &CorruptError{Err: err}
		}
		return fmt.Errorf("deserialize: %w", err)
	}
	c.log.truncate(Mark{})
	if c.recording {
		return c.ensureCatalog()
	}
	return nil
}

// room returns as much capacity as the database has bytes, so that it does not grow page by page.
func (c *Conn) room() (vfsutil.SliceFile, error) {
	pages := 0
	err := c.each("PRAGMA page_count", func(s *sqlite3.Stmt) { pages = s.ColumnInt(0) })
	return make(vfsutil.SliceFile, 0, pages*pageSize), err
}

const (
	headerSize  = 100
	headerMagic = "SQLite format 3\x00"
)

func checkHeader(data []byte) error {
	if len(data) < headerSize || string(data[:len(headerMagic)]) != headerMagic {
		return errors.New("it does not begin as a database does")
	}
	size := int(binary.BigEndian.Uint16(data[16:]))
	if size == 1 {
		size = 1 << 16
	}
	if size < 512 || size&(size-1) != 0 {
		return fmt.Errorf("a page of %d bytes can not be", size)
	}
	if len(data)%size != 0 {
		return fmt.Errorf("%d bytes are no whole number of pages of %d bytes: it is cut off", len(data), size)
	}
	pages := int64(binary.BigEndian.Uint32(data[28:]))
	if counted := bytes.Equal(data[24:28], data[92:96]); counted && pages*int64(size) > int64(len(data)) {
		return fmt.Errorf("it says that it has %d pages and has %d: it is cut off", pages, len(data)/size)
	}
	return nil
}

// imageFS is the file system through which SQLite copies a database from and to bytes: each file can be opened by its
// name once it was offered.
type imageFS struct {
	files sync.Map // of name to *vfsutil.SliceFile
	last  atomic.Uint64
}

const imageVFS = "livestore-image"

var images = register(imageVFS, &imageFS{})

func register[T vfs.VFS](name string, fs T) T {
	vfs.Register(name, fs)
	return fs
}

// offer makes bytes a file. It returns the URI of it, and what withdraws it.
func (f *imageFS) offer(image *vfsutil.SliceFile) (uri string, done func()) {
	name := strconv.FormatUint(f.last.Add(1), 10)
	f.files.Store(name, image)
	return "file:" + name + "?vfs=" + imageVFS, func() { f.files.Delete(name) }
}

func (f *imageFS) Open(name string, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	file, ok := f.files.Load(name)
	if !ok || flags&vfs.OPEN_MAIN_DB == 0 {
		return nil, flags, sqlite3.CANTOPEN
	}
	return unlocked{file.(*vfsutil.SliceFile)}, flags | vfs.OPEN_MEMORY, nil
}

func (f *imageFS) Delete(string, bool) error { return sqlite3.IOERR_DELETE_NOENT }

func (f *imageFS) Access(string, vfs.AccessFlag) (bool, error) { return false, nil }

func (f *imageFS) FullPathname(name string) (string, error) { return name, nil }

// unlocked is a file that only one connection ever sees.
type unlocked struct{ *vfsutil.SliceFile }

func (unlocked) Lock(vfs.LockLevel) error         { return nil }
func (unlocked) Unlock(vfs.LockLevel) error       { return nil }
func (unlocked) CheckReservedLock() (bool, error) { return false, nil }
