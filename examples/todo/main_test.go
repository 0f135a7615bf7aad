package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// asTodo makes the test program behave as todo, for tests that need processes of their own.
const asTodo = "TODO_TEST_AS_TODO"

func TestMain(m *testing.M) {
	if os.Getenv(asTodo) != "" {
		os.Exit(run())
	}
	testscript.Main(m, map[string]func(){"todo": main})
}

// TestScripts runs the command line as a person does; each script in testdata/script is one story.
func TestScripts(t *testing.T) {
	shipped, err := filepath.Abs("todo.txt")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(e *testscript.Env) error {
			e.Setenv("TODO_TODAY", "2026-11-24")
			e.Setenv("TODO_DIR", filepath.Join(e.WorkDir, "list"))
			e.Setenv("SHIPPED", shipped)
			return nil
		},
	})
}
