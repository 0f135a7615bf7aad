package sim_test

// What the workload and the clients of two hundred fleets come to, and what those of two thousand do.
var (
	workOften = []string{
		"action: clock jumps", "action: disk full", "action: flood", "action: get", "action: set aside rejected", "action: space again",
		"action: upgrade", "action: watch", "action: watch read", "action: watch stop",
		"boot: newer version of the app", "boot: older version of the app",
		"boot: what waited for a newer version of the app applies",
		"check: a client that has stopped", "check: a commit of a process that is gone", "check: a live query that is read",
		"check: a live query that was not marked",
		"commit: event too large", "commit: more bytes than a push",
		"fault: clock of a client jumps", "fault: clock of the server jumps", "fault: disk of a client is full for a while",
		"flood: hundreds of events", "full disk: commit refused", "full disk: push refused",
		"halt: an event does not apply", "halt: hears of more",
		"memory: a process ends with a commit that is not confirmed",
		"rejected: set aside", "rejected: tried again",
		"settle: upgraded", "settle: upgraded, and had stopped",
		"unknown: callback", "watch: result", "watch: the same result",
	}
	workRare = []string{
		"boot: the app is too old for its log", "halt: commit accepted", "halt: commit refused", "unknown: callback for an own event",
		"crash point: between append and publish", "crash point: between log and state", "crash point: between publish and acknowledgement",
		"crash point: in a journal write", "crash point: in a rebase", "crash point: in a rebuild", "crash point: in adoption",
		"crash point: in boot",
		"full disk: boot refused", "full disk: pull refused",
	}
)
