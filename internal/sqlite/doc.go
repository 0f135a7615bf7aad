// Package sqlite is the one place that names the SQLite library. It offers what the rest of the module needs of it and
// nothing else: a connection with cached statements, the tables a statement reads and writes, statements of an app
// confined by a [Mode], an undo log, and whole databases as bytes.
//
// A [Conn] belongs to one goroutine at a time; it locks nothing. So do its statements, rows and changes. It reserves
// address space, 1 GB for a database in memory and 256 MB for a file, and uses of it what it needs: some 300 KB when idle.
//
// # Undo log
//
// Between [Conn.Record](true) and [Conn.Record](false) the connection notes each row before it changes. [Conn.Take] hands
// out what was noted since a [Mark]; [Conn.Undo] brings rows, rowids and full-text tables back to exactly what they were.
// What it does not bring back: AUTOINCREMENT counters and the schema. [Conn.Define] refuses tables that would need it.
//
// # The same state everywhere
//
// [Materialize] and [Define] allow the functions whose result depends on their arguments alone, by name. Two things stay
// with the app: a SELECT without ORDER BY whose first rows decide what is written, and a rowid that SQLite chooses at
// random because the largest one, 9223372036854775807, is taken.
package sqlite
