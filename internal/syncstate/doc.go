// Package syncstate is the pure merge core: what a session does with the word of its leader, and a leader with the word of
// its sync backend. It has no disk, no network, no clock, no goroutine and no randomness. It looks at numbers and
// answers what is to be done; the caller does it.
//
// # A node
//
// A session or a leader is a log of events in which upstream has confirmed a prefix. [Heads] say where that prefix ends
// (Upstream), where the log ends (Local), and which rebase generation new numbers take. What lies between the heads is
// pending. The log itself, and what is pending, stay with the caller.
//
//	          Upstream        Local
//	             ↓              ↓
//	e1 e2 e2.1 e3 │ e4 e4.1 e5r1
//	confirmed     │ pending
//
// Three things happen to a node:
//
//   - [Push] puts new events at the end: a commit at its session, a session's commits at the leader. They must chain on the
//     local head, all of them, or nothing is taken.
//   - [Merge] takes what upstream says in one step ([Upstream]): events that follow what it had confirmed, perhaps after it
//     withdrew some of those, and commits it has set aside. The answer is an [Advance], when nothing here has to move, or a
//     [Rebase].
//   - [Overlap] compares what a pull repeats with what is known, before it is merged.
//
// # What is the same
//
// Between session and leader ([SameIdentity]) an event is known by its identity, and confirmed in place if it also has the
// number it has here. Between leader and backend ([SameGlobal]) identities are not on the wire: an event is confirmed
// when it is equal there, number and parent included. The number that the log here has is not changed by that: e5r2 stays e5r2
// when the backend confirms e5.
//
// # Merge, by identity
//
// Upstream's events are the leader's log as it grows, client-only events included.
//
//   - As long as they equal the first pending events, by identity and number, they confirm them. When that is all: Advance.
//   - Others with nothing left pending: Advance, with New.
//   - Others with something left pending, be it a foreign event or an own one under another number: Rebase. Undo to the last
//     confirmed event, apply upstream's, apply again what is left of pending. An own event that is among upstream's is
//     confirmed by that and not replayed; of a commit of which upstream has only a part, the rest is.
//   - RollbackTo: upstream rebased. Rebase: undo all after it, confirmed events too; apply upstream's events; replay what is pending
//     and not among them. A RollbackTo that is the upstream head withdraws nothing and changes nothing above.
//   - SetAside: a commit that is pending leaves it, and what is pending behind it is rebased; what is before it stays where it is unless
//     the step moves it anyway. One that the same step confirms or delivers stays; one that is not here is passed over,
//     for every session is told.
//   - Generation: when pending is of a generation before upstream's counter and nothing else in the step moves it, it is rebased where it
//     stands, for upstream would never take it.
//
// # Merge, on the wire
//
// Upstream's events are the synced ones of all clients, with plain global numbers. Pending mixes synced and client-only.
//
//   - Equal synced events confirm. Client-only events confirm with the synced ones around them: those before a confirmed one, and
//     those after it up to the next synced event that is pending.
//   - So a client-only event with no synced one pending before it is confirmed by anything the backend says. When a foreign e6 comes
//     while e5.1 is all that is pending, e5.1 stays where it is and e6 follows it: a total order, and R2 holds, as a synced
//     event's parent is the synced event before it. A client-only event by itself never causes a rebase.
//   - But client-only events of a commit whose next synced event is still pending wait for it, and move with it: a commit moves
//     whole and is set aside whole.
//   - Another event than the next synced pending one: Rebase from there on, client-only events behind it included.
//   - SetAside: a commit that the backend will not have leaves pending, and what is behind it is rebased. What is before it stays where it
//     is: it may be at the backend already.
//   - A backend never withdraws: a RollbackTo below the upstream head is a *[RollbackError].
//
// # Generations
//
// Each Rebase numbers what it replays in one new generation: one more than the counter, the local head's, and all that
// upstream sent. So the counter never falls, and no number that a node gave is given by it a second time. Events of other
// clients have generation 0 at the leader. Two nodes may well give one number to two events, and a foreign e5 may stand where
// e5 was withdrawn: only number and identity together name an event.
//
// # A step is atomic
//
// The caller carries out a result as a whole, state, log and heads, or not at all. An error means that nothing has changed. What
// comes from outside is checked before anything else and is never more than a typed error: [GapError], [RepeatError],
// [RollbackError], [NumberError], [RejectError], [MismatchError]. A [ViolationError] is a defect of this program; under build tag
// invariants it is a panic, and everything is checked in each step instead of what is cheap.
package syncstate
