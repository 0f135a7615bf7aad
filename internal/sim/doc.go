// Package sim runs a whole client from one seed: three sessions and a leader, the real step machines on real files that lose power, and
// a sync backend in memory to which other clients write as well.
//
// [Run] is one schedule. It draws actions from a seeded generator: commits, the delivery of one message, a foreign event, a crash, a
// restart, another schema. Messages lie in queues until the schedule takes them, late, twice or never. There is no goroutine and no clock,
// so a seed replays exactly; [Result.Hash] is over everything that happened.
//
// After each action the session that moved is looked at as a watcher would: no commit may be half there. In the end faults stop, what is
// under way is delivered until nothing moves any more, and everything is compared: sessions, leader, a rebuild from the log, the backend's
// log, and what each receipt said.
//
// [RunFleet] is a schedule of the whole system: three such clients with two sessions each, and the server between them, which is the real
// room of one store on a log that outlives it. Their connections carry frames of the protocol in both dialects, and are slow, drop, become
// half open, or end with either process. The sync provider and the driver of the leader's backend steps are imitated (peer): what waits for
// what is as it is there, and when a timer runs out the schedule says. Some others only pull, and check each event they get. In the end all
// clients must be equal to the server and to each other, and each commit be in its log once, or set aside.
//
// The tests run some hundred schedules; this runs ten thousand, in about ten minutes on two cores, and then one again with all its trace:
//
//	go test ./internal/sim -run TestSchedules -seeds 10000 -timeout 60m
//	go test ./internal/sim -run TestSeed -seed 7183 -v
//	go test ./internal/sim -run TestFleets -fleets 5000 -timeout 60m
//	go test ./internal/sim -run TestFleet$ -seed 85 -v
package sim
