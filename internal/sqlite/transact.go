package sqlite

import (
	"errors"
	"fmt"

	"github.com/ncruces/go-sqlite3"
)

// ownStatements are the statements of transaction control, prepared once.
type ownStatements struct {
	begin, commit, rollback        *sqlite3.Stmt
	savepoint, release, rollbackTo *sqlite3.Stmt
}

func (o *ownStatements) close() {
	for _, s := range []*sqlite3.Stmt{o.begin, o.commit, o.rollback, o.savepoint, o.release, o.rollbackTo} {
		s.Close()
	}
	*o = ownStatements{}
}

// run executes a statement of our own, and prepares it the first time.
func (c *Conn) run(s **sqlite3.Stmt, sql string) (err error) {
	defer rescue(&err)
	if *s == nil {
		raw, _, err := c.raw.PrepareFlags(sql, sqlite3.PREPARE_PERSISTENT)
		if err != nil {
			return err
		}
		*s = raw
	}
	return (*s).Exec()
}

var errDeferred = errors.New("a row refers to one that is not there (deferred foreign key)")

// Begin starts a transaction and takes the right to write at once. Savepoints nest in it.
func (c *Conn) Begin() error {
	if err := c.run(&c.own.begin, "BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	c.begun = true
	return nil
}

// Commit ends the transaction and keeps what it did. When it fails the transaction is still open, unless the error is
// [ErrTransactionLost] or the disk failed: [Conn.Rollback] is right in both cases.
func (c *Conn) Commit() error {
	if c.raw.GetAutocommit() {
		c.rolledBack(0)
		return fmt.Errorf("commit: %w", ErrTransactionLost)
	}
	err := c.recorded()
	if err == nil {
		err = c.run(&c.own.commit, "COMMIT")
	}
	if err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	c.ended()
	return nil
}

// ended forgets a transaction that was committed.
func (c *Conn) ended() {
	c.begun, c.depth, c.ddlOpen, c.ddlDepth, c.ftsDirty = false, 0, false, 0, false
}

// recorded makes sure that what is about to be kept was recorded.
func (c *Conn) recorded() error {
	if c.recording {
		c.flush()
	}
	return c.log.err
}

// Rollback ends the transaction and undoes all of it. It is no error when SQLite has done so already.
func (c *Conn) Rollback() error {
	if !c.raw.GetAutocommit() {
		if err := c.run(&c.own.rollback, "ROLLBACK"); err != nil && !c.raw.GetAutocommit() {
			return fmt.Errorf("roll back: %w", err)
		}
	}
	c.rolledBack(0)
	return nil
}

// rolledBack forgets what was done beyond the given number of open savepoints.
func (c *Conn) rolledBack(depth int) {
	schema := c.ddlOpen && (c.ddlDepth > depth || c.raw.GetAutocommit())
	c.ftsDirty, c.depth, c.ddlDepth = false, depth, min(c.ddlDepth, depth)
	if c.raw.GetAutocommit() {
		c.begun, c.ddlOpen, c.ddlDepth = false, false, 0
	}
	if schema {
		c.invalidate()
	}
}

// Savepoint starts a part of a transaction, or a transaction when there is none, that can be undone by itself.
func (c *Conn) Savepoint() error {
	if err := c.run(&c.own.savepoint, "SAVEPOINT livestore"); err != nil {
		return fmt.Errorf("set savepoint: %w", err)
	}
	c.ftsDirty = false // setting a savepoint makes full-text tables write what they hold back
	c.depth++
	return nil
}

// Deferred is an error when a row refers to one that is not there yet: by a deferred foreign key.
func (c *Conn) Deferred() error {
	if c.catalog == nil || !c.catalog.hasKeys {
		return nil
	}
	if n, _, err := c.raw.Status(sqlite3.DBSTATUS_DEFERRED_FKS, false); err != nil || n == 0 {
		return nil //nolint:nilerr // the commit finds it out
	}
	return fmt.Errorf("%w: %w", sqlite3.CONSTRAINT_FOREIGNKEY, errDeferred)
}

// Release ends the innermost savepoint and keeps what was done since. A row that refers to one that is not there is an
// error here and not later at the commit, and leaves the savepoint open.
func (c *Conn) Release() error {
	if c.begun || c.depth > 1 {
		if err := c.Deferred(); err != nil {
			return fmt.Errorf("release savepoint: %w", err)
		}
	}
	err := c.recorded()
	if err == nil {
		err = c.run(&c.own.release, "RELEASE livestore")
	}
	if err != nil {
		if c.raw.GetAutocommit() {
			err = errors.Join(ErrTransactionLost, err)
		}
		return fmt.Errorf("release savepoint: %w", err)
	}
	if c.depth = max(c.depth-1, 0); c.depth == 0 && !c.begun {
		c.ended()
	}
	c.ddlDepth = min(c.ddlDepth, c.depth)
	return nil
}

// RollbackTo undoes what was done since the innermost savepoint and ends it. When SQLite has rolled the whole transaction
// back already the error is [ErrTransactionLost], unless the savepoint was all of it.
func (c *Conn) RollbackTo() error {
	if c.raw.GetAutocommit() {
		lost := c.begun || c.depth > 1
		c.rolledBack(0)
		if lost {
			return fmt.Errorf("roll back to savepoint: %w", ErrTransactionLost)
		}
		return nil
	}
	if err := c.run(&c.own.rollbackTo, "ROLLBACK TO livestore"); err != nil {
		return fmt.Errorf("roll back to savepoint: %w", err)
	}
	if err := c.run(&c.own.release, "RELEASE livestore"); err != nil {
		return fmt.Errorf("release savepoint: %w", err)
	}
	c.rolledBack(max(c.depth-1, 0))
	return nil
}
