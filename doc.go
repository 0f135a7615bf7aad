// Package livestore gives an application its state, its persistence and its offline mode out of one idea: the app commits
// events, the eventlog keeps and orders them, materializers derive state (SQLite) from them, and live queries follow
// that state.
//
// A [Store] is what an app opens: one eventlog per store id. [Store.Commit] admits events, all or nothing, and returns a
// [Receipt] that tells how far the commit has come. Everything else reads:
//
//   - [Get] reads once, [Watch] iterates over the results as they change, [Subscribe] calls a function with them. [WatchDiff] says how
//     the rows of a list change, and [Store.View] reads several sources from one state.
//   - All of them take any [Source]: a query of package state, a client document, a live query ([Query], [QueryFunc]), a
//     [Computed] or a signal ([NewSignal]). The type of the result follows from the source.
//   - Live queries, computeds and signals are declared once, as package variables, and read from any store with the
//     schema. What they depend on is found out by running them. A result is computed when somebody asks for it and
//     something it read has changed, and never otherwise.
//
// With a sync provider, given to the adapter, the leader of the client keeps up with a sync backend in the background: nothing waits for
// the network but [Receipt.Wait] for [Confirmed], and [Open] with InitialSync. [Store.SyncStatus] says how far each side is and why sync
// pauses, [Store.SetAside] lists commits that no longer applied when others were first.
//
// [Store.Boot] says how the state was had when the store opened, and [Store.LiveQueries] what it keeps up to date, how often that ran and
// why.
//
// Reads see the state between two commits, never inside one. Results are shared: do not change them.
//
// # Locking
//
// A store may be used from any goroutine. Functions given to [QueryFunc], [Computed] and [Equal], and materializers, run
// inside the store's lock: they read through what they are given and must not call the store, which would wait for itself.
// Everything else runs outside: the body of a [Watch] loop and the callback of [Subscribe] may do anything, also
// commit and close.
package livestore
