// Package eventlog keeps the eventlog of one client: the events in their order, and everything that must change in the same
// transaction as they do: heads, the generation, how far each journal has been taken, and what is set aside.
//
// It is the only source of truth (rule R6). A [Log.Commit] that returned is on disk. A file of a newer release, of another store or of
// something else is refused and left as it is.
//
// # Format, version 2
//
// An SQLite database in WAL mode with application_id 0x4C53454C ("LSEL") and the version of the format in user_version.
//
//	meta              one row: client id, store id, generation, head of what the backend confirmed, id of the backend, carried
//	slots             slot number → session id
//	journals          journal id → highest ordinal taken; events name a journal by its row
//	events            position in the log (1, 2, …, without a gap) → the event
//	set_aside         identity of the commit → error and time
//	set_aside_events  the events of those commits
//	archive           events of other clients that left the log, because the backend it was brought onto lacks them
//	waiting           events of the backend that come next and do not apply in this version of the app, and the backend they are of
//
// A sequence number is three columns: global, client and generation. args and sync_meta are JSON text exactly as it came.
// The identity of an event is journal, ordinal and idx, all NULL for an event of another client.
//
// Version 1 had neither archive nor waiting.
package eventlog
