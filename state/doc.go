// Package state describes what an app derives from its events: tables, client documents, the queries and writes on them,
// and the schema that holds them together with one materializer per event.
//
// A table is a Go struct. Its exported fields are the columns, and the address of a field of [Table.Row] names a column in a
// query, so the compiler checks both the column and the type of the value it is compared with:
//
//	type Todo struct {
//		ID        string     `db:"id,primarykey"`
//		Text      string     `db:"text"`
//		Completed bool       `db:"completed,default:false"`
//		DeletedAt *time.Time `db:"deletedAt"`
//	}
//
//	var todos = state.NewTable[Todo]("todos", state.Index("completed"))
//
//	open := todos.Where(state.Eq(&todos.Row.Completed, false)).OrderBy(state.Asc(&todos.Row.Text))
//
// Reads are values: they are built once, may be shared by goroutines and stores, and carry their error until they are run.
// A read gives one Go value, so it is a [Query] of that type: rows, one row, a number, a column ([Pluck]), some columns as another
// struct ([Project]), or what [Map] makes of them. What joins tables is written as [SQL], with typed rows, or as a [View].
// Writes ([Write]) run inside materializers only: the database refuses any other statement than a SELECT as a read.
//
// # Columns
//
// The tag is db:"name,option,…". Without a name the column is named like the field; db:"-" leaves the field out. Embedded structs
// are flattened. Unexported fields are left out. A field that is a pointer is nullable, any other is NOT NULL.
//
//	Go type                              column                     options that change it
//	bool                                 INTEGER, 0 or 1            text ("true", "false")
//	int, int8 … uint64                   INTEGER, up to 2^63-1      text (decimal; the whole of uint64)
//	float32, float64                     REAL, no NaN
//	string                               TEXT, valid UTF-8          blob
//	[]byte                               BLOB                       text
//	time.Time                            TEXT, as JavaScript's      datetime (the default), datetimeinteger (Unix milliseconds),
//	                                     toISOString                text (RFC 3339 with nanoseconds)
//	encoding.TextMarshaler               TEXT                       integer, real, blob (the underlying Go kind)
//	jsontext.Value, json.RawMessage      TEXT, JSON                 blob (not checked)
//	driver.Valuer and sql.Scanner        as the option says         codec:text, codec:integer, codec:real, codec:blob
//	anything                             TEXT, JSON (option json)
//
// Named types follow their underlying type. Times are kept in UTC, and cut to milliseconds without the option
// text. Numbers and times with the option text can be compared for equality but not ordered by: the text has another order. What
// an encoding.TextMarshaler writes is ordered as text.
//
// With an option codec:TYPE the type says itself how it is stored, by the methods that database/sql knows: Value makes an int64, float64,
// string or []byte of it, or nil for NULL, and Scan reads that. Equal values have to give equal results, on every client and in every
// version of the app. Conditions compare, and OrderBy orders, what is stored. In an SQL read into a struct the field has the same tag.
//
// The other options:
//
//	primarykey      the primary key; on several fields a composite one, in the order of the fields
//	unique          no two rows with the same value
//	nullable        NULL allowed on a field that is no pointer: NULL reads as the zero value; a nil slice, map or interface is
//	                written as NULL, every other value as it is
//	default:VALUE   what a row gets when [Omit] leaves the column out of an insert; a literal of the column's type.
//	                In single quotes it may hold commas: default:'a, b'
//
// Refused, because state has to be the same on every client: autoincrement (its counters do not roll back) and defaults that
// are computed (CURRENT_TIMESTAMP, expressions).
//
// # Tables and views
//
// Tables are STRICT: SQLite itself refuses a value of another type, for [Exec] too. An app adds to a table [Index] and [UniqueIndex],
// partial ones by their Where, [Check], and [ForeignKey] with what follows a delete or an update. A composite foreign key, a trigger, a
// generated column, an index of an expression and a full-text table are written as [DDL]. A foreign key that is deferred there is checked
// after each event, also within a commit: other clients get its events one by one.
//
// A [View] is a SELECT with a name that is part of the schema. It is read like a table, by a row type of its own or that of a table, and
// has no writes.
//
// # NULL in conditions
//
// A nil pointer in [Eq] and [Ne] means IS NULL and IS NOT NULL, and in [In] and [NotIn] it adds that test. Apart from that
// comparisons follow SQL: a NULL in the column makes them neither true nor false, so the row is not found, nor by [Not] of it.
//
// # Older events
//
// A definition that upcasts older ones ([event.Upcast]) brings them into the schema: its materializer is theirs too, and they may have none
// of their own. [Tx.Event] shows such an event as it is in the log. After changing what an upcast or SetDefaults does, give the schema
// another [Version].
//
// # What a synced event's materializer may see
//
// The same log has to give the same state everywhere. A materializer has no clock, no randomness and no way out ([Tx]); tables
// derived from client-only events ([ClientOnly], documents) are out of reach for synced events.
package state
