// Package sqlitestore keeps the logs of stores in a directory, one SQLite file a store: the storage of a sync backend that is one
// process on one machine.
//
// An append is on the disk when it returns: it survives a loss of power. A directory belongs to one process at a time. While a store is
// open it has three files open and some 300 KB of memory; the server closes a store that nobody is connected to.
//
// # Files
//
// A directory holds "lock" and "owner", by which a second process is kept out, and for each store a file "store-NAME.sqlite". NAME is
// the store id with each capital letter written as "+" and the small letter, so that ids that differ in case are different files
// everywhere; an id whose name would be long ends in "=" and a hash. Beside it lie "-wal" while it is open and after a crash: copy
// both, or none while the server runs. Format version 1 is application id 0x4C535342 ("LSSB") and user version 1, with two tables:
//
//	meta    one row: store_id, backend_id, head
//	events  seq (primary key), parent, name, args, client_id, session_id, created_at; what came over the wire, args byte for byte
//
// A file of a newer version, or of anybody else, is refused with a *[FormatError] and left as it is.
package sqlitestore
