package todotxt_test

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/livestore-go/livestore/examples/todo/todotxt"
)

func TestShippedFileRoundTrip(t *testing.T) {
	want, err := os.ReadFile("../todo.txt")
	if err != nil {
		t.Fatal(err)
	}
	tasks, err := todotxt.Read(bytes.NewReader(want), "todo.txt")
	if err != nil {
		t.Fatal(err)
	}
	if len(tasks) < 300 {
		t.Errorf("the file that ships holds %d tasks", len(tasks))
	}
	var got bytes.Buffer
	if err := todotxt.Write(&got, tasks); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Error("the file changed between reading and writing")
	}
}

func TestReadLineBreaks(t *testing.T) {
	tasks, err := todotxt.Read(strings.NewReader("\ufeffone\r\n\r\n  \ntwo \r\nthree"), "todo.txt")
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := todotxt.Write(&got, tasks); err != nil {
		t.Fatal(err)
	}
	if want := "one\ntwo \nthree\n"; got.String() != want {
		t.Errorf("got %q, want %q", got.String(), want)
	}
}

func TestReadNamesTheLine(t *testing.T) {
	for text, want := range map[string]todotxt.LineError{
		"one\ntwo\x00\n":   {File: "f", Line: 2, Err: todotxt.ErrNUL},
		"one\n\ncaf\xe9\n": {File: "f", Line: 3, Err: todotxt.ErrEncoding},
		"one\n" + strings.Repeat("a", todotxt.MaxLine+1): {File: "f", Line: 2, Err: todotxt.ErrTooLong},
		"one\rtwo\n": {File: "f", Line: 1, Err: todotxt.ErrNewline},
	} {
		tasks, err := todotxt.Read(strings.NewReader(text), "f")
		got, ok := errors.AsType[*todotxt.LineError](err)
		if !ok || *got != want || tasks != nil {
			t.Errorf("%.20q: %v, %v; want %v", text, tasks, err, &want)
		}
	}
}

func TestReadAndWriteReportTheirFile(t *testing.T) {
	broken := errors.New("broken")
	if _, err := todotxt.Read(iotest.ErrReader(broken), "f"); !errors.Is(err, broken) {
		t.Errorf("read: %v", err)
	}
	if err := todotxt.Write(full{}, []todotxt.Task{{Text: "one"}}); err == nil {
		t.Error("a full disk went unnoticed")
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }
