package eventlog

// ApplicationID is the application_id of an eventlog file: "LSEL".
const ApplicationID = 0x4C53454C

// Version is the version of the format that this package writes, and the newest it reads.
const Version = 2

// migrations[i] brings a file of version i+1 to version i+2. All that are needed run in one transaction.
var migrations = []string{archiveTable + waitingTable + "ALTER TABLE meta ADD COLUMN carried INTEGER NOT NULL DEFAULT 0;"}

// archiveTable came with version 2.
const archiveTable = `
CREATE TABLE archive (
	id            INTEGER PRIMARY KEY,
	global        INTEGER NOT NULL,
	parent_global INTEGER NOT NULL,
	name          TEXT    NOT NULL,
	args          TEXT    NOT NULL,
	client_id     TEXT    NOT NULL,
	session_id    TEXT    NOT NULL,
	backend_id    TEXT    NOT NULL,
	at            TEXT
);
`

// waitingTable came with version 2.
const waitingTable = `
CREATE TABLE waiting (
	global        INTEGER PRIMARY KEY,
	parent_global INTEGER NOT NULL,
	name          TEXT    NOT NULL,
	args          TEXT    NOT NULL,
	client_id     TEXT    NOT NULL,
	session_id    TEXT    NOT NULL,
	backend_id    TEXT    NOT NULL
);
`

const schema = `
CREATE TABLE meta (
	id                  INTEGER PRIMARY KEY CHECK (id = 1),
	client_id           TEXT    NOT NULL,
	store_id            TEXT    NOT NULL,
	generation          INTEGER NOT NULL DEFAULT 0,
	upstream_global     INTEGER NOT NULL DEFAULT 0,
	upstream_client     INTEGER NOT NULL DEFAULT 0,
	upstream_generation INTEGER NOT NULL DEFAULT 0,
	backend_id          TEXT    NOT NULL DEFAULT '',
	carried             INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE slots (
	slot       INTEGER PRIMARY KEY,
	session_id TEXT    NOT NULL UNIQUE
);
CREATE TABLE journals (
	id      INTEGER PRIMARY KEY,
	journal TEXT    NOT NULL UNIQUE,
	taken   INTEGER NOT NULL DEFAULT 0,
	gone    INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE events (
	position          INTEGER PRIMARY KEY,
	global            INTEGER NOT NULL,
	client            INTEGER NOT NULL,
	generation        INTEGER NOT NULL,
	parent_global     INTEGER NOT NULL,
	parent_client     INTEGER NOT NULL,
	parent_generation INTEGER NOT NULL,
	name              TEXT    NOT NULL,
	args              TEXT    NOT NULL,
	client_id         TEXT    NOT NULL,
	session_id        TEXT    NOT NULL,
	journal           INTEGER,
	ordinal           INTEGER,
	idx               INTEGER,
	cause             TEXT    NOT NULL DEFAULT '',
	schema_hash       TEXT    NOT NULL DEFAULT '',
	sync_meta         TEXT
);
CREATE UNIQUE INDEX events_number ON events (global, client);
CREATE UNIQUE INDEX events_identity ON events (journal, ordinal, idx) WHERE journal IS NOT NULL;
CREATE TABLE set_aside (
	journal INTEGER NOT NULL REFERENCES journals (id),
	ordinal INTEGER NOT NULL,
	error   TEXT    NOT NULL,
	at      TEXT,
	PRIMARY KEY (journal, ordinal)
);
CREATE TABLE set_aside_events (
	global            INTEGER NOT NULL,
	client            INTEGER NOT NULL,
	generation        INTEGER NOT NULL,
	parent_global     INTEGER NOT NULL,
	parent_client     INTEGER NOT NULL,
	parent_generation INTEGER NOT NULL,
	name              TEXT    NOT NULL,
	args              TEXT    NOT NULL,
	client_id         TEXT    NOT NULL,
	session_id        TEXT    NOT NULL,
	journal           INTEGER NOT NULL,
	ordinal           INTEGER NOT NULL,
	idx               INTEGER NOT NULL,
	cause             TEXT    NOT NULL DEFAULT '',
	schema_hash       TEXT    NOT NULL DEFAULT '',
	sync_meta         TEXT,
	PRIMARY KEY (journal, ordinal, idx),
	FOREIGN KEY (journal, ordinal) REFERENCES set_aside (journal, ordinal) ON DELETE CASCADE
);
` + archiveTable + waitingTable

// eventColumns are the columns of an event in both tables, in the order of bind and scan.
const eventColumns = `global, client, generation, parent_global, parent_client, parent_generation, name, args,
	client_id, session_id, journal, ordinal, idx, cause, schema_hash, sync_meta`
