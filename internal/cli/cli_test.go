package cli_test

import (
	"bytes"
	"context"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/livestore-go/livestore/internal/cli"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"livestore": func() { os.Exit(cli.Main()) }})
}

// TestScripts runs the program as a person does; each script in testdata/script is one story.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"usage":   func(ts *testscript.TestScript, _ bool, args []string) { ends(ts, 2, args) },
			"failure": func(ts *testscript.TestScript, _ bool, args []string) { ends(ts, 1, args) },
		},
	})
}

// ends runs a command line in this process and wants an exit code and, on standard error, a message.
func ends(ts *testscript.TestScript, code int, args []string) {
	var out, errs bytes.Buffer
	env := func(name string) (string, bool) { v := ts.Getenv(name); return v, v != "" }
	got := cli.Run(context.Background(), args[1:], &out, &errs, env)
	if got != code || out.Len() > 0 {
		ts.Fatalf("%q ended with %d, want %d\nstdout: %s\nstderr: %s", args[1:], got, code, &out, &errs)
	}
	message := errs.String()
	if !regexp.MustCompile(args[0]).MatchString(message) {
		ts.Fatalf("%q said\n%s, want %q", args[1:], message, args[0])
	}
	if hint := strings.Contains(message, "See 'livestore help'"); hint != (code == 2) {
		ts.Fatalf("%q said\n%s", args[1:], message)
	}
}
