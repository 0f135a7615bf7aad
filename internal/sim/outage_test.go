package sim_test

// outageOften is what two hundred schedules of a fleet come to when servers fail and are set back, and outageRare what some thousand do.
var outageOften = []string{
	"action: server dies", "action: server disk full", "action: server has space", "action: server restored", "action: server stop",
	"action: stray",
	"check: log of the server after a start",
	"fault: backend restored from an older backup", "fault: server lost its power",
	"peer: stops, the backend is another one",
	"reader: means another backend",
	"rebase: joined the backend", "rebase: onto another backend",
	"server: a log in SQLite", "server: accepted by SQLite", "server: died between store and publish",
	"server: died in the middle of a pump", "server: full disk refuses a push",
}

var outageRare = []string{
	"action: rebase", "action: reset",
	"crash: in a rebase onto another backend", "crash: in a reset",
	"fault: backend made anew", "fault: backend restored under another id",
	"peer: told that the backend is another one",
	"rebase: archived", "rebase: an event does not apply",
	"reset: commits dropped", "reset: refused",
	"server: died between publish and acknowledgement", "server: died between two publishes", "server: died while starting",
	"server: full disk, and it does not start",
}
