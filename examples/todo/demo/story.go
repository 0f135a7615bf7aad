package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/livestore-go/livestore/examples/todo/machine"
	"github.com/livestore-go/livestore/examples/todo/screen"
)

// story is the one of two machines and a server.
type story struct {
	out   *screen.Terminal
	dir   string
	pause time.Duration

	programs      machine.Programs
	server        *machine.Server
	laptop, phone *machine.Client
	own           [2][]string // events of laptop and phone that were committed without a server
}

// tell tells the story from beginning to end.
func (s *story) tell(ctx context.Context) (err error) {
	if s.programs, err = machine.Build(ctx, filepath.Join(s.dir, "bin")); err != nil {
		return err
	}
	s.programs.Today = today
	defer s.stop()
	for _, part := range []func(context.Context) error{s.begin, s.together, s.apart, s.crash, s.merge, s.verify} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *story) stop() {
	for _, c := range []*machine.Client{s.laptop, s.phone} {
		if c != nil {
			c.Close()
		}
	}
	if s.server != nil {
		s.server.Kill()
	}
}

// begin starts a server and two machines with empty disks.
func (s *story) begin(ctx context.Context) (err error) {
	s.title("A server and two machines, each a process of its own, with nothing on disk")
	if err := s.serve(ctx, "127.0.0.1:0"); err != nil {
		return err
	}
	if s.laptop, err = s.start(ctx, "laptop"); err != nil {
		return err
	}
	s.phone, err = s.start(ctx, "phone")
	return err
}

// together shows that what one writes down, the other has at once.
func (s *story) together(ctx context.Context) error {
	s.title("1  Connected: what one writes down, the other has at once")
	for _, c := range []*machine.Client{s.laptop, s.phone} {
		if _, err := c.Until(ctx, 0, isSynced(0)); err != nil {
			return err
		}
	}
	for _, step := range []struct {
		on      *machine.Client
		command string
	}{
		{s.laptop, "add (B) Order the roof tiles +house"},
		{s.laptop, "add Buy milk @groceries"},
		{s.phone, "add Call Mom @phone"},
	} {
		if err := s.run(ctx, step.on, step.command); err != nil {
			return err
		}
		// A machine that writes down the next task before it has seen this one is told in the next chapter.
		if err := s.synced(ctx); err != nil {
			return err
		}
	}
	return s.picture(ctx)
}

// apart kills the server, and lets both change the same tasks.
func (s *story) apart(ctx context.Context) error {
	s.title("2  The server is gone: both go on, on the same tasks")
	base, err := s.laptop.Do(ctx, "dump")
	if err != nil {
		return err
	}
	marks := []int{s.laptop.Mark(), s.phone.Mark()}
	s.server.Kill()
	s.line("server", fmt.Sprintf("killed with -9 (process %d)", s.server.PID()))
	for i, c := range []*machine.Client{s.laptop, s.phone} {
		if _, err := c.Until(ctx, marks[i], func(line string) bool { return strings.HasPrefix(line, "not connected") }); err != nil {
			return err
		}
	}
	for _, step := range []struct {
		on      *machine.Client
		command string
	}{
		{s.laptop, "pri 1 A"},
		{s.phone, "pri 1 C"},
		{s.laptop, "done 2"},
		{s.phone, "pri 2 C"},
		{s.laptop, "rm 3"},
		{s.phone, "done 3"},
		{s.laptop, "add Bake bread"},
		{s.phone, "add Feed the cat"},
		{s.phone, "add Water the plants"},
	} {
		if err := s.run(ctx, step.on, step.command); err != nil {
			return err
		}
	}
	for i, c := range []*machine.Client{s.laptop, s.phone} {
		dump, err := c.Do(ctx, "dump")
		if err != nil {
			return err
		}
		s.own[i] = events(dump)[len(events(base)):]
	}
	return s.picture(ctx)
}

// crash kills a machine that has what nobody else has.
func (s *story) crash(ctx context.Context) (err error) {
	s.title("3  The laptop crashes, with changes that nobody else has")
	pid := s.laptop.PID()
	s.laptop.Kill()
	s.line("laptop", fmt.Sprintf("killed with -9 (process %d)", pid))
	if s.laptop, err = s.start(ctx, "laptop"); err != nil {
		return err
	}
	_, err = s.laptop.Until(ctx, 0, func(line string) bool { return strings.HasPrefix(line, "not connected") })
	if err != nil {
		return err
	}
	return s.picture(ctx)
}

// merge starts the server again and waits until both are one.
func (s *story) merge(ctx context.Context) error {
	s.title("4  The server is back: both histories become one")
	marks := []int{s.laptop.Mark(), s.phone.Mark()}
	if err := s.serve(ctx, s.server.Address); err != nil {
		return err
	}
	// Each would try again by itself within some seconds. Asked to sync, it does so at once.
	for _, c := range []*machine.Client{s.laptop, s.phone} {
		if err := s.run(ctx, c, "sync"); err != nil {
			return err
		}
	}
	var connected, one time.Time
	for i, c := range []*machine.Client{s.laptop, s.phone} {
		at, err := c.Until(ctx, marks[i], isConnected)
		if err != nil {
			return err
		}
		connected = later(connected, at)
		if at, err = c.Until(ctx, marks[i], isSynced(s.total())); err != nil {
			return err
		}
		one = later(one, at)
	}
	if err := s.picture(ctx); err != nil {
		return err
	}
	s.say(fmt.Sprintf("\n  One history %d ms after both were connected. What came to the server first",
		max(one.Sub(connected), 0).Milliseconds()))
	s.say("  keeps its place, the rest was applied again behind it. The eventlog, on both:\n")
	dump, err := s.laptop.Do(ctx, "dump")
	if err != nil {
		return err
	}
	for _, line := range s.history(dump) {
		s.say("  " + line)
	}
	return s.rest(ctx, s.pause)
}

// history is the eventlog from the end of the server on, with who committed what.
func (s *story) history(dump []string) []string {
	var lines []string
	for i, e := range events(dump) {
		if i < beforehand {
			continue
		}
		who := "laptop"
		if slices.Contains(s.own[1], e) {
			who = "phone"
		}
		name, args, _ := strings.Cut(e, " ")
		lines = append(lines, fmt.Sprintf("e%-3d %-7s %-19s %s", i+1, who, name, about(dump, args)))
	}
	return lines
}

// beforehand is how many events there are before the server is killed.
const beforehand = 3

// total is how many events were committed in all.
func (s *story) total() int { return beforehand + len(s.own[0]) + len(s.own[1]) }

// synced waits until both machines have the same, and all of it.
func (s *story) synced(ctx context.Context) error {
	for _, c := range []*machine.Client{s.laptop, s.phone} {
		n, err := c.Do(ctx, "dump")
		if err != nil {
			return err
		}
		other := s.laptop
		if c == s.laptop {
			other = s.phone
		}
		if _, err := other.Until(ctx, 0, isSynced(len(events(n)))); err != nil {
			return err
		}
	}
	return nil
}

func isSynced(at int) func(string) bool {
	return func(line string) bool { return line == fmt.Sprintf("synced at e%d", at) }
}

func isConnected(line string) bool {
	return strings.HasPrefix(line, "connected") || strings.HasPrefix(line, "synced")
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func (s *story) serve(ctx context.Context, address string) (err error) {
	s.server, err = machine.Serve(ctx, s.programs, address, "sqlite:"+filepath.Join(s.dir, "server"))
	if err == nil {
		s.line("server$", "livestore serve --listen "+s.server.Address+" --storage sqlite:./server")
	}
	return err
}

func (s *story) start(ctx context.Context, name string) (*machine.Client, error) {
	s.line(name+"$", "todo --sync "+s.server.URL()+" shell")
	return machine.Start(ctx, s.programs, name, filepath.Join(s.dir, name), s.server.URL())
}

// run runs a command on a machine and shows it as it is typed.
func (s *story) run(ctx context.Context, c *machine.Client, command string) error {
	s.line(c.Name+"$", "todo "+command)
	if _, err := c.Do(ctx, command); err != nil {
		return err
	}
	return s.rest(ctx, s.pause/4)
}

// picture shows both machines as they are.
func (s *story) picture(ctx context.Context) error {
	var views [2]view
	for i, c := range []*machine.Client{s.laptop, s.phone} {
		list, err := c.Do(ctx, "list --all")
		if err != nil {
			return err
		}
		views[i] = view{name: c.Name, standing: c.Standing(), tasks: brief(list)}
	}
	s.say("")
	for _, line := range panel(s.out, views[0], views[1]) {
		s.say(line)
	}
	return s.rest(ctx, s.pause)
}

func (s *story) rest(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func (s *story) say(line string) { fmt.Fprintln(s.out, line) }

func (s *story) title(text string) { s.say("\n" + s.out.Paint(screen.Strong, text) + "\n") }

func (s *story) line(who, what string) {
	s.say(fmt.Sprintf("  %s %s", s.out.Paint(screen.Cyan, fmt.Sprintf("%-7s", who)), what))
}
