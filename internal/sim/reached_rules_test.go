package sim_test

// The checkers that two hundred schedules of a fleet come to, and those that two thousand do.
var (
	rulesOften = []string{
		"check: R1, the log of the server", "check: R2, heads", "check: R3, fences", "check: R4, each commit once and whole",
		"check: R5, frames", "check: R5, all sessions have what the leader has",
		"check: R6, heads and high-water marks", "check: R6, the log after a loss of power", "check: R6, the state is that of the log",
		"check: R6, the state after a boot",
		"check: R7, committed is journaled", "check: R7, persisted outlives the power", "check: R7, receipts have come to an end",
		"check: R7, receipts of a store that was closed", "check: R7, stages that can not come", "check: R7, the reason of what is set aside",
		"check: R8, nothing taken is gone",
		"check: R9, a client at the head of the server", "check: R9, two clients at one head",
		"check: R10, a commit on a connection that is dead", "check: R10, a commit while the leader owes answers",
		"check: R10, a commit while the server is down", "check: R10, a commit without a connection", "check: R10, one write a commit",
		"check: R10, small steps",
		"check: linearizable",
	}
	rulesRare = []string{"check: R8, confirmed by a log that is no more"}
)
