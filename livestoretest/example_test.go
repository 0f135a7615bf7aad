package livestoretest_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/livestoretest"
	"github.com/livestore-go/livestore/state"
)

// printer is a test that prints its errors. An app has a *testing.T.
type printer struct{ testing.TB }

func (printer) Helper() {}

func (printer) Errorf(format string, args ...any) { fmt.Printf(format+"\n", args...) }

// A version of the app that changes the type of a member, where logs have events with the old type.
func ExampleCheckEvolution() {
	type Moved struct {
		ID string `json:"id"`
		To int    `json:"to"`
	}
	type MovedWrongly struct {
		ID string `json:"id"`
		To string `json:"to"`
	}
	temp, err := os.MkdirTemp("", "events")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(temp)
	wd, err := os.Getwd()
	if err := errors.Join(err, os.Chdir(temp)); err != nil {
		fmt.Println(err)
		return
	}
	defer os.Chdir(wd)
	t := printer{}

	// LIVESTORE_UPDATE=1 go test writes testdata/events/v1.Moved.json, once.
	os.Setenv(livestoretest.UpdateEnv, "1")
	livestoretest.CheckEvolution(t, state.MustSchema(state.NoState(event.Synced[Moved]("v1.Moved"))), "testdata/events")
	raw, err := os.ReadFile(filepath.Join("testdata", "events", "v1.Moved.json"))
	fmt.Println(strings.Contains(string(raw), `"to"`), err)

	// From there on, go test compares.
	os.Unsetenv(livestoretest.UpdateEnv)
	livestoretest.CheckEvolution(t, state.MustSchema(state.NoState(event.Synced[MovedWrongly]("v1.Moved"))), "testdata/events")
	// Output:
	// true <nil>
	// event v1.Moved: what is in logs, as golden file testdata/events/v1.Moved.json has it, does not fit
	// 	/to: was integer (int64) and is string
	// Leave its arguments as they were, give the changed event a new name such as v2.Moved, and let that upcast the old one with event.Upcast. If no log has the old form, delete the file and write it anew with LIVESTORE_UPDATE=1 go test
}
