//go:build race

package sim_test

// schedules is how many seeds run when -seeds does not say.
const schedules = 120

// fleetSchedules is the same for -fleets.
const fleetSchedules = 10
