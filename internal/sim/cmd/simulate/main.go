// Simulate runs schedules of the simulator until one fails, or as many or as long as it is told to.
//
//	go run ./internal/sim/cmd/simulate -seeds 20000            seeds 1 to 20,000
//	go run ./internal/sim/cmd/simulate -from 5001 -duration 1h as many as an hour allows
//	go run ./internal/sim/cmd/simulate -resume /tmp/next       goes on where the last run with that file stopped
//	go run ./internal/sim/cmd/simulate -script FILE            a script, with all that happens in it
//
// Every ten seconds it says how it stands. When a seed of a fleet fails it leaves out of the schedule what is not needed for that, and
// prints what is left as a script; a schedule of one client is printed as it is. Then the exit code is 1. Exit code 2 means wrong usage. An
// interrupt ends it when the schedules under way have ended, a second one at once.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/livestore-go/livestore/internal/sim"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal does not wait for the schedules under way
	code := simulate(ctx, os.Args[1:], os.Stdout, os.Stderr, sim.Schedule)
	stop()
	os.Exit(code)
}
