package main

import (
	"bytes"
	"context"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/livestore-go/livestore/server"
	"github.com/livestore-go/livestore/server/memstore"
)

// asTodo makes the test program behave as todo, for tests that need processes of their own.
const asTodo = "TODO_TEST_AS_TODO"

func TestMain(m *testing.M) {
	if os.Getenv(asTodo) != "" {
		os.Exit(run())
	}
	testscript.Main(m, map[string]func(){"todo": main})
}

// TestScripts runs the command line as a person does; each script in testdata/script is one story. Each has a server of its own, $SERVER,
// which wants a token for the store private, and an address where no server is, $NOWHERE.
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
			e.Setenv("TODO_WAIT", "1m") // other tests may have the machine
			e.Setenv("SHIPPED", shipped)
			e.Setenv("SERVER", startServer(t, e.Defer))
			e.Setenv("NOWHERE", nowhere(t))
			return nil
		},
	})
}

// startServer starts a server in this process and returns its address.
func startServer(t *testing.T, atEnd func(func())) string {
	t.Helper()
	storage := memstore.New()
	s := server.New(storage, &server.Options{Authorize: func(_ context.Context, r server.AuthRequest) error {
		if r.StoreID == "private" && !bytes.Equal(r.Payload, []byte(`{"authToken":"secret"}`)) {
			return errors.New("no such token")
		}
		return nil
	}})
	web := httptest.NewServer(s)
	atEnd(func() {
		web.CloseClientConnections()
		web.Close()
		if err := errors.Join(s.Close(), storage.Close()); err != nil {
			t.Error(err)
		}
	})
	return "ws" + strings.TrimPrefix(web.URL, "http")
}

// nowhere returns an address of this machine at which nobody listens.
func nowhere(t *testing.T) string {
	t.Helper()
	web := httptest.NewServer(nil)
	defer web.Close()
	return "ws" + strings.TrimPrefix(web.URL, "http")
}
