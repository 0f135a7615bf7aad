package crashtest

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/adapter/local"
)

// The process that is killed is this test binary, started again with a job in its environment.
const jobEnv = "LIVESTORE_CRASHTEST_JOB"

func TestMain(m *testing.M) {
	if text := os.Getenv(jobEnv); text != "" {
		j, err := parseJob(text)
		if err == nil {
			err = j.run()
		}
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(3)
	}
	goleak.VerifyTestMain(m)
}

// storeID is the one store of these tests.
const storeID = "crash"

// job says what a child does until it is killed.
type job struct {
	what     string // "commit", "rebase" or "sync"
	dir      string // without spaces, as the tests make it
	schema   int    // version
	turn     int    // the how manieth run of the directory this is
	sessions int
	seed     uint64
	budget   int    // events, after which it commits no more, so that checking a directory stays quick
	url      string // of the server, for "sync"
}

func (j job) String() string {
	return fmt.Sprintf("%s %s %d %d %d %d %d %s", j.what, j.dir, j.schema, j.turn, j.sessions, j.seed, j.budget, cmp.Or(j.url, "-"))
}

func parseJob(text string) (j job, err error) {
	_, err = fmt.Sscan(text, &j.what, &j.dir, &j.schema, &j.turn, &j.sessions, &j.seed, &j.budget, &j.url)
	return j, err
}

// run does the job. It only returns when something is wrong.
func (j job) run() error {
	go func() { // the end of the parent is the end of the child
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(4)
	}()
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})))
	switch j.what {
	case "commit":
		return j.commit()
	case "rebase":
		return j.rebase()
	case "sync":
		return j.sync()
	}
	return fmt.Errorf("there is no job %q", j.what)
}

// sayf tells the parent of something that has happened. One unbuffered write: what was said is in the pipe, whatever comes next.
func sayf(format string, args ...any) {
	_, err := fmt.Fprintf(os.Stdout, format+"\n", args...)
	if err != nil {
		os.Exit(5)
	}
}

// commit opens sessions and commits as fast as it can. It says
//
//	open                     the first session is open
//	committed LABEL          a commit returned; LABEL is its first event's
//	persisted LABEL          and its receipt became persisted
//	rest                     the budget is used up
func (j job) commit() error {
	adapter := local.New(j.dir, nil)
	var left atomic.Int64
	left.Store(int64(j.budget))
	var done sync.WaitGroup
	failed := make(chan error, j.sessions)
	for s := range j.sessions {
		store, err := livestore.Open(context.Background(), schemaAt(j.schema), adapter, &livestore.Options{StoreID: storeID})
		if err != nil {
			return err
		}
		if s == 0 {
			sayf("open")
		}
		r := rand.New(rand.NewPCG(j.seed, uint64(s)))
		done.Go(func() {
			if err := j.session(store, s, r, &left); err != nil {
				failed <- err
			}
		})
	}
	go func() {
		done.Wait()
		if len(failed) == 0 {
			sayf("rest")
		}
	}()
	return <-failed
}

// session commits in one session. Now and then it waits for a receipt, so that the queue to the leader is of every length.
func (j job) session(store *livestore.Store, s int, r *rand.Rand, left *atomic.Int64) error {
	ctx := context.Background()
	for c := 0; ; c++ {
		l := label{run: j.turn, session: s, commit: c, events: sizes[r.IntN(len(sizes))]}
		if left.Add(-int64(l.events)) < 0 {
			return nil
		}
		receipt, err := store.Commit(ctx, l.drafts()...)
		if err != nil {
			return err
		}
		sayf("committed %s", l)
		if r.IntN(4) == 0 {
			if err := receipt.Wait(ctx, livestore.Persisted); err != nil {
				return err
			}
			sayf("persisted %s", l)
		}
	}
}

// killed is what is known of a child that was killed.
type killed struct {
	opened    time.Duration // after the start, 0 for not yet
	rest      bool          // it was idle by then
	tried     []label       // commits that were begun; only a child that rebases says so
	committed []label       // in the order they were said
	persisted []label
	confirmed []label
	said      []string
}

// moment says when a child is killed: some time after it has started, or after it has said its first commit.
type moment struct {
	boot  bool
	delay time.Duration
}

func (m moment) String() string {
	if m.boot {
		return fmt.Sprintf("%v after the start", m.delay)
	}
	return fmt.Sprintf("%v after the first commit", m.delay)
}

// kill runs a job in a child, ends it with SIGKILL at a moment, and returns what it had said.
func kill(t *testing.T, j job, m moment) killed {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), jobEnv+"="+j.String())
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	// The timer is the experiment itself: the moment is meant to be anywhere.
	shot := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	defer shot.Stop()
	if m.boot {
		shot.Reset(m.delay)
	}
	var k killed
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		line := lines.Text()
		k.said = append(k.said, line)
		word, rest, _ := strings.Cut(line, " ")
		var l label
		if rest != "" {
			if l, err = parseLabel(rest); err != nil {
				t.Errorf("child said %q: %v", line, err)
			}
		}
		switch word {
		case "open":
			k.opened = max(1, time.Since(start))
		case "rest":
			k.rest = true
			if len(k.committed) == 0 {
				shot.Reset(0)
			}
		case "committed":
			if len(k.committed) == 0 && !m.boot {
				shot.Reset(m.delay)
			}
			k.committed = append(k.committed, l)
		case "trying":
			k.tried = append(k.tried, l)
		case "persisted":
			k.persisted = append(k.persisted, l)
		case "confirmed":
			k.confirmed = append(k.confirmed, l)
		}
	}
	err = cmd.Wait()
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() || status.Signal() != syscall.SIGKILL {
		t.Fatalf("child ended by itself (%v), job %s:\n%s", err, j, stderr.String())
	}
	return k
}
