package sim_test

// often is what some hundred schedules come to, and rare what some thousand do. TestSchedules fails when one never happens: then the
// simulator no longer looks where it says it does.
var often = []string{
	"action: apply", "action: audit", "action: backend again", "action: backend answer", "action: backend gap",
	"action: backend page", "action: backend pull", "action: backend push", "action: backend reconnect",
	"action: backend round", "action: catch up", "action: commit", "action: deliver", "action: disk fails", "action: drop",
	"action: foreign", "action: full disk", "action: kill", "action: lose answer", "action: lose request", "action: power",
	"action: pull", "action: push", "action: reboot", "action: restart", "action: retry", "action: serve",
	"action: serve push", "action: session close", "action: session crash", "action: undo gone",
	"backend: accepted", "backend: ahead", "backend: answer lost", "backend: gap", "backend: page twice", "backend: push late",
	"backend: push lost",
	"boot: adopt commits", "boot: schema changed",
	"commit: admitted", "commit: does not apply", "commit: lost with the power", "commit: unsure, not there",
	"commit: unsure, there",
	"crash: in backend page", "crash: in backend round", "crash: in commit", "crash: in serve push", "crash: while booting",
	"drop: found",
	"foreign: appended", "foreign: does not apply",
	"full disk: commit refused", "full disk: push refused",
	"leader: advance, confirmed", "leader: advance, confirmed and new", "leader: advance, new", "leader: advance, nothing",
	"leader: doubt", "leader: overlap", "leader: rebase, confirmed", "leader: rebase, new", "leader: rebase, replayed",
	"leader: rebuild in a rebase",
	"log: state did not follow the eventlog; it is brought to it at the next step", "log: state is rebuilt from the eventlog",
	"publish: set aside at a push", "publish: set aside by a rebase",
	"push: group", "push: late", "push: refused", "push: taken", "push: uncertain",
	"receipt: confirmed", "receipt: persisted", "receipt: set aside",
	"retry: admitted",
	"session: advance, confirmed", "session: advance, new", "session: advance, nothing", "session: behind",
	"session: closed idle", "session: closed with commits", "session: old publish", "session: rebase, delivered",
	"session: rebase, new", "session: rebase, replayed", "session: rebase, withdrawn", "session: undo missing",
}

var rare = []string{
	"action: backend late",
	"crash: in drop", "crash: in restart", "crash: in session close", "crash: in session crash",
	"drop: too late",
	"session: rebase, confirmed", "session: rebase, set aside",
}

// fleetOften is what two hundred schedules of a fleet come to, and fleetRare what some thousand do.
var fleetOften = []string{
	"action: answer", "action: begin", "action: behind", "action: burst", "action: client: audit", "action: client: commit",
	"action: client: disk fails", "action: client: drop", "action: client: full disk", "action: client: kill", "action: client: lose answer",
	"action: client: lose request", "action: client: power", "action: client: reboot", "action: client: restart", "action: client: retry",
	"action: client: session close", "action: client: session crash", "action: client: undo gone", "action: dial", "action: drop",
	"action: extra ack", "action: give up", "action: half open", "action: hand", "action: leave", "action: pause", "action: ping",
	"action: pump", "action: read", "action: receive", "action: resume", "action: serve", "action: server crash",
	"action: server disk fails", "action: server gives up", "action: server notices", "action: server start", "action: stalled",
	"action: take", "action: talk", "action: visit", "action: wake", "action: write",
	"boot: adopt commits", "boot: schema changed",
	"commit: admitted", "commit: cut, and set aside in part", "commit: does not apply", "commit: lost with the power",
	"crash: in client: serve push", "crash: in take", "crash: while booting",
	"fault: client ended", "fault: connection dropped", "fault: half open down", "fault: half open up", "fault: server crashed",
	"leader: advance, confirmed", "leader: advance, confirmed and new", "leader: advance, new", "leader: advance, nothing",
	"leader: overlap", "leader: rebase of the rest of a commit", "leader: rebase, confirmed", "leader: rebase, new",
	"leader: rebase, replayed", "leader: rebuild in a rebase",
	"peer: connection ended", "peer: interrupt a pull", "peer: interrupt a push", "peer: lapse", "peer: late answer", "peer: pong",
	"peer: pull again", "peer: pull failed", "peer: push in doubt", "peer: push refused", "peer: push stored",
	"publish: set aside at a push", "publish: set aside by a rebase",
	"push: refused", "push: taken", "push: uncertain",
	"reader: chunk", "reader: pull ended",
	"receipt: confirmed", "receipt: persisted", "receipt: set aside",
	"retry: admitted",
	"server: accepted", "server: append failed", "server: append failed, and was made", "server: died at work", "server: full",
	"server: gives up a connection", "server: stale",
	"session: advance, confirmed", "session: advance, new", "session: advance, nothing", "session: rebase, delivered",
	"session: rebase, new", "session: rebase, replayed", "session: rebase, withdrawn",
	"wire: frame of several messages",
}

var fleetRare = []string{
	"crash: in client: commit", "crash: in burst", "crash: in talk", "reader: pull failed", "commit: unsure, there", "commit: unsure, not there",
	"retry: in two sessions", "session: rebase, confirmed", "session: rebase, set aside", "session: undo missing",
}
