// Package journal keeps what a session has admitted, on disk before Commit returns.
//
// A journal is one file of one session incarnation: every time a session starts it makes a new one, under a new journal id.
// A record is one commit; its identity is the journal id and the ordinal of the record. The journal is the queue to the leader:
// once the eventlog holds a commit, together with the ordinal it came under, the record is no longer needed.
//
// [Create] makes a journal, [Writer.Append] adds a record with one write and no fsync, so a commit that returned survives
// the end of the process; [Writer.Sync] makes it survive a loss of power. [Read] gives the records back, [Reopen] goes on writing.
//
// # Format, version 1
//
// All integers are little-endian; uvarint is the variable-length integer of encoding/binary; a text is its length in bytes as a
// uvarint, then the bytes. Checksums are CRC-32C (Castagnoli).
//
//	file    = magic version length header checksum record*
//	magic   = "LSJOURNL"                      8 bytes
//	version = uint32                          1
//	length  = uint32                          of header, in bytes
//	header  = JSON object                     journal, clientId, sessionId, storeId, created (RFC 3339)
//	checksum= uint32                          of everything before it
//
//	record  = size body checksum
//	size    = uint32                          of body, in bytes; never 0
//	body    = ordinal cause schemaHash count event{count}
//	ordinal = uvarint                         one more than that of the record before
//	cause, schemaHash = text
//	count   = uvarint                         of events, at least 1
//	event   = flags name args
//	flags   = byte                            1 for a client-only event, 0 for a synced one
//	name, args = text                         args is raw JSON
//	checksum= uint32                          of size and body, continued from the checksum before this record
//
// As each checksum goes on from the one before, a record counts only when everything before it in the file is whole, and a
// record left over from another file or another time is never taken for one of this journal.
//
// The file gets its name when its header is on disk (it is written under the name with [Unfinished] appended, synced and renamed), so
// a journal without a whole header is not a journal. What follows the last whole record is a torn tail: a record whose commit
// never returned, or returned and was not yet synced when the power went. Readers stop before it; [Reopen] and [Repair] cut it off.
package journal
