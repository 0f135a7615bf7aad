package interop_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"testing"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/interop/official"
)

// number is a sequence number as js/notation.mjs has it.
type number struct {
	Global     int64 `json:"global"`
	Client     int64 `json:"client"`
	Generation int64 `json:"generation"`
}

type question struct {
	Write *number `json:"write,omitempty"`
	Read  string  `json:"read,omitempty"`
}

// TestNotation asks the official packages how they write sequence numbers, and what they read out of texts.
func TestNotation(t *testing.T) {
	in, err := official.Find()
	if errors.Is(err, official.ErrNotInstalled) && os.Getenv("LIVESTORE_INTEROP") != "required" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	var questions []question
	for _, g := range []int64{0, 1, 12, 1 << 40} {
		for _, c := range []int64{0, 1, 30} {
			for _, r := range []int64{0, 1, 20} {
				questions = append(questions, question{Write: &number{g, c, r}})
			}
		}
	}
	texts := []string{"e0", "e1", "e5.1", "e5r2", "e5.1r2", "e10.20r30", "5", "e", "e-1", "e1.", "e1r", "e1.x", "x1", "e1e2"}
	for _, s := range texts {
		questions = append(questions, question{Read: s})
	}
	var input bytes.Buffer
	lines := json.NewEncoder(&input)
	for _, q := range questions {
		if err := lines.Encode(q); err != nil {
			t.Fatal(err)
		}
	}
	cmd := in.Node(t.Context(), "notation.mjs")
	cmd.Stdin = &input
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewScanner(bytes.NewReader(out))
	for _, q := range questions {
		var a struct {
			Text   string  `json:"text"`
			Number *number `json:"number"`
			Error  string  `json:"error"`
		}
		if !answers.Scan() {
			t.Fatal("too few answers")
		}
		if err := json.Unmarshal(answers.Bytes(), &a); err != nil {
			t.Fatal(err)
		}
		if q.Write != nil {
			ours := event.SeqNum{Global: q.Write.Global, Client: q.Write.Client, Generation: q.Write.Generation}
			if a.Text != ours.String() {
				t.Errorf("%+v is %q there and %q here", *q.Write, a.Text, ours)
			}
			continue
		}
		ours, err := event.ParseSeqNum(q.Read)
		switch {
		case err == nil && (a.Number == nil || *a.Number != number{ours.Global, ours.Client, ours.Generation}):
			t.Errorf("%q is %+v there (%s) and %+v here", q.Read, a.Number, a.Error, ours)
		case err != nil && a.Number != nil:
			t.Logf("%q is refused here and read as %+v there", q.Read, *a.Number) // ours is stricter
		}
	}
}
