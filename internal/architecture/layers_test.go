// Package architecture holds the test that keeps the layers apart. Its tables are the rule: a package that is missing here has
// no place yet, and an import that is missing here is not meant to be.
package architecture

// layer is what one package of ours may know.
type layer struct {
	name string   // below the module path; "." is the root, a name that ends in "/..." stands for all below it
	is   string   // what it holds, in a few words
	may  []string // packages of ours it may import, same notation; tests may import more
}

// layers lists every package, the innermost first.
var layers = []layer{
	{name: "event", is: "the vocabulary: definitions, sequence numbers, the shapes of an event"},
	{name: "internal/jsonobject", is: "JSON objects, member by member"},
	{name: "internal/isotime", is: "times as JavaScript writes them"},
	{name: "internal/sqltext", is: "SQL text, read without a database"},
	{name: "state", is: "tables, documents, queries, materializers, the schema", may: []string{"event", "internal/sqltext", "internal/jsonobject", "internal/isotime"}},

	{name: "provider", is: "what a sync provider must do", may: []string{"event"}},
	{name: "provider/providertest", is: "a sync backend in memory, faults, and what every provider must do", may: []string{
		"event", "provider", "internal/wire",
	}},

	{name: "provider/wsprovider", is: "a provider over WebSocket", may: []string{"event", "provider", "internal/wire"}},

	{name: "internal/wire", is: "the messages of the sync protocol, in both dialects", may: []string{"event"}},
	{name: "internal/room", is: "the room of one store in a sync backend: a step machine", may: []string{"event", "internal/wire"}},
	{name: "server", is: "the sync backend as an http.Handler", may: []string{"event", "internal/wire", "internal/room"}},
	{name: "server/storagetest", is: "what every storage must do", may: []string{"event", "server"}},
	{name: "server/memstore", is: "a storage in memory", may: []string{"event", "server"}},
	{name: "internal/storedir", is: "a directory that package sqlitestore uses in place of the system's", may: []string{
		"server", "internal/journal",
	}},
	{name: "server/sqlitestore", is: "a storage in SQLite files", may: []string{"event", "server", "internal/sqlite", "internal/storedir"}},
	{name: "internal/cli", is: "the commands of the program livestore", may: []string{"server/..."}},
	{name: "cmd/livestore", is: "the program", may: []string{"internal/cli"}},

	{name: "internal/sqlite", is: "the one place that names the SQLite library", may: []string{"internal/sqltext"}},
	{name: "internal/sqlite/crashvfs", is: "files that lose power", may: []string{"internal/sqlite", "internal/journal/..."}},
	{name: "internal/reactive", is: "the graph of live queries; knows neither stores nor SQL"},
	{name: "internal/journal", is: "what a session has admitted, on disk", may: []string{"event"}},
	{name: "internal/journal/faultfs", is: "files that fail", may: []string{"internal/journal"}},
	{name: "internal/syncstate", is: "the pure merge core", may: []string{"event"}},
	{name: "internal/eventlog", is: "the log of one store, on disk", may: []string{"event", "internal/sqlite"}},
	{name: "internal/materialize", is: "events into state, and back out of it", may: []string{"event", "state", "internal/sqlite"}},
	{name: "internal/migrate", is: "the state file: opened, brought to the log, rebuilt", may: []string{
		"event", "state", "internal/sqlite", "internal/sqltext", "internal/journal", "internal/eventlog", "internal/materialize",
	}},
	{name: "internal/link", is: "what session and leader say to each other", may: []string{"event"}},
	{name: "internal/breaker", is: "when a loop that gets nowhere waits, and for how long"},
	{name: "internal/touch", is: "which reads a changed row can touch", may: []string{"state", "internal/sqlite"}},
	{name: "internal/session", is: "the machine that admits commits, and its driver", may: []string{
		"event", "state", "internal/sqlite", "internal/journal", "internal/syncstate", "internal/materialize", "internal/link",
		"internal/breaker",
	}},
	{name: "internal/leader", is: "the machine that owns the log and talks upstream, and its driver", may: []string{
		"event", "state", "provider", "internal/sqlite", "internal/journal", "internal/syncstate", "internal/eventlog",
		"internal/materialize", "internal/link", "internal/breaker",
	}},

	{name: ".", is: "what an app calls: Open, Commit, Get, Watch", may: []string{
		"event", "state", "internal/reactive", "internal/touch", "internal/session", "internal/materialize", "internal/link",
	}},

	{name: "internal/client", is: "one client: its leader and the sessions of one process", may: []string{
		"provider", "internal/journal", "internal/eventlog", "internal/migrate", "internal/session", "internal/leader",
	}},
	{name: "livestoretest", is: "what an app's own tests use", may: []string{".", "event", "state", "internal/materialize", "internal/sqlite"}},
	{name: "adapter/adaptertest", is: "what every adapter must do", may: []string{".", "event", "state"}},
	{name: "adapter/...", is: "a client on one platform", may: []string{
		"event", "provider", "internal/client", "internal/session", "internal/leader", "internal/journal", "internal/eventlog", "internal/migrate",
		"internal/materialize", "internal/sqlite",
	}},

	{name: "interop/...", is: "official packages beside ours", may: []string{
		".", "event", "state", "provider/...", "adapter/...", "server/...", "interop/...",
	}},
	{name: "internal/sim", is: "the whole system, one thread, from one seed", may: []string{
		"event", "state", "provider", "internal/wire", "internal/room", "internal/sqlite", "internal/sqlite/crashvfs",
		"internal/journal/...", "internal/syncstate", "internal/reactive", "internal/touch",
		"internal/eventlog", "internal/materialize", "internal/migrate", "internal/link", "internal/session", "internal/leader",
		"server", "server/sqlitestore", "internal/storedir",
	}},
	{name: "internal/sim/cmd/simulate", is: "runs seeds until one fails", may: []string{"internal/sim"}},
	{name: "internal/crashtest", is: "real processes, really killed"},
	{name: "internal/bubble", is: "real stores, provider and server on pipes, in virtual time"},
	{name: "internal/architecture", is: "this test"},
}

// never lists what a package must not reach even through others. Tests are not asked.
var never = []struct {
	name string
	not  []string // packages of ours, or any import path
	why  string
}{
	{".", []string{"provider/...", "server/...", "adapter/...", "devtools/..."}, "an app pays for what it names only"},
	{"internal/session", []string{"internal/leader", "provider/..."}, "a session runs without a leader in its process"},
	{"internal/leader", []string{"internal/session", "net/http"}, "a leader serves sessions it does not know"},
	{"internal/syncstate", []string{"os", "net", "time", "math/rand", "math/rand/v2"}, "the merge core is pure"},
	{"internal/reactive", []string{"event", "state", "internal/sqlite"}, "the graph knows neither stores nor SQL"},
	{"server/...", []string{"state", "internal/materialize"}, "a sync backend never runs a materializer"},
	{"server", []string{"internal/sqlite"}, "who has a storage of their own does not pay for SQLite"},
	{"provider/...", []string{"internal/sqlite", "state"}, "a provider knows events, and nothing of what they mean"},
}

// outside lists every import path prefix from other people, and where it may be imported: the core stays small, and what is
// heavy stays in a leaf.
var outside = []struct {
	path  string
	where []string
}{
	{"github.com/ncruces/go-sqlite3", []string{"internal/sqlite/..."}},
	{"github.com/ncruces/go-sqlite3-wasm", []string{"internal/sqlite/..."}},
	{"github.com/go-json-experiment/json", []string{"..."}},
	{"github.com/gofrs/flock", []string{"adapter/local", "server/sqlitestore"}},
	{"github.com/coder/websocket", []string{"server", "provider/wsprovider", "interop/..."}},
	{"github.com/anishathalye/porcupine", []string{"internal/sim"}},
	{"github.com/spf13/cobra", []string{"internal/cli"}},
	{"github.com/spf13/pflag", []string{"internal/cli"}},
	{"charm.land/fang/v2", []string{"internal/cli"}},
}

// inTests lists what tests may import on top, anywhere.
var inTests = []string{
	"github.com/coder/websocket", "github.com/google/go-cmp", "github.com/rogpeppe/go-internal", "go.uber.org/goleak", "pgregory.net/rapid",
}
