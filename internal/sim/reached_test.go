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
