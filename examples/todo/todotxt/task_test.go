package todotxt_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/livestore-go/livestore/examples/todo/todotxt"
)

func ExampleParse() {
	t, err := todotxt.Parse("(A) 2026-11-02 Call the plumber +house @phone due:2026-11-25")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(t.Priority, t.Created, t.Projects(), t.Contexts(), t.Due())
	fmt.Println(t.Complete("2026-11-24"))
	fmt.Println(t.Complete("2026-11-24").Reopen())
	// Output:
	// A 2026-11-02 [house] [phone] 2026-11-25
	// x 2026-11-24 2026-11-02 Call the plumber +house @phone due:2026-11-25 pri:A
	// (A) 2026-11-02 Call the plumber +house @phone due:2026-11-25
}

func TestParse(t *testing.T) {
	type task = todotxt.Task
	for _, c := range []struct {
		line string
		want task
	}{
		// The examples of the format's own description.
		{"(A) Thank Mom for the meatballs @phone ", task{Priority: "A", Text: "Thank Mom for the meatballs @phone "}},
		{"Post signs around the neighborhood +GarageSale", task{Text: "Post signs around the neighborhood +GarageSale"}},
		{"Really gotta call Mom (A) @phone @someday", task{Text: "Really gotta call Mom (A) @phone @someday"}},
		{"(b) Get back to the boss", task{Text: "(b) Get back to the boss"}},
		{"(B)->Submit TPS report", task{Text: "(B)->Submit TPS report"}},
		{"2011-03-02 Document +TodoTxt task format", task{Created: "2011-03-02", Text: "Document +TodoTxt task format"}},
		{"(A) 2011-03-02 Call Mom", task{Priority: "A", Created: "2011-03-02", Text: "Call Mom"}},
		{"(A) Call Mom 2011-03-02", task{Priority: "A", Text: "Call Mom 2011-03-02"}},
		{"x 2011-03-03 Call Mom", task{Done: true, Completed: "2011-03-03", Text: "Call Mom"}},
		{"xylophone lesson", task{Text: "xylophone lesson"}},
		{"X 2012-01-01 Make resolutions", task{Text: "X 2012-01-01 Make resolutions"}},
		{"(A) x Find ticket prices", task{Priority: "A", Text: "x Find ticket prices"}},
		{
			"x 2011-03-02 2011-03-01 Review Tim's pull request +TodoTxtTouch @github",
			task{Done: true, Completed: "2011-03-02", Created: "2011-03-01", Text: "Review Tim's pull request +TodoTxtTouch @github"},
		},
		{
			"x (A) 2016-05-20 2016-04-30 measure space for +chapelShelving @chapel due:2016-05-30",
			task{
				Done: true, Priority: "A", Completed: "2016-05-20", Created: "2016-04-30",
				Text: "measure space for +chapelShelving @chapel due:2016-05-30",
			},
		},

		// What people and programs write as well.
		{"x done without a date", task{Done: true, Text: "done without a date"}},
		{"x", task{Text: "x"}},
		{"x ", task{Done: true}},
		{"(A)", task{Text: "(A)"}},
		{"(A) ", task{Priority: "A"}},
		{"2026-11-24", task{Text: "2026-11-24"}},
		{"2026-11-24 ", task{Created: "2026-11-24"}},
		{"x 2026-11-24", task{Done: true, Text: "2026-11-24"}},
		{"2026-02-30 no such day", task{Text: "2026-02-30 no such day"}},
		{"2026-2-3 not two digits", task{Text: "2026-2-3 not two digits"}},
		{"  (A) indented", task{Text: "  (A) indented"}},
		{"(A)  two spaces", task{Priority: "A", Text: " two spaces"}},
		{"(A) (B) twice", task{Priority: "A", Text: "(B) twice"}},
		{"2026-11-24 2026-11-25 dated", task{Created: "2026-11-24", Text: "2026-11-25 dated"}},
		{"(É) no letter of ours", task{Text: "(É) no letter of ours"}},
		{"牛乳を買う @スーパー", task{Text: "牛乳を買う @スーパー"}},
		{"tab\tinside", task{Text: "tab\tinside"}},
	} {
		got, err := todotxt.Parse(c.line)
		if err != nil || got != c.want {
			t.Errorf("Parse(%q) = %+v, %v\nwant %+v", c.line, got, err, c.want)
		}
		if got.String() != c.line {
			t.Errorf("Parse(%q) is written %q", c.line, got)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for line, want := range map[string]error{
		"":           todotxt.ErrBlank,
		" \t ":       todotxt.ErrBlank,
		"a\nb":       todotxt.ErrNewline,
		"a\rb":       todotxt.ErrNewline,
		"a\x00b":     todotxt.ErrNUL,
		"caf\xe9":    todotxt.ErrEncoding,
		"\ud7ff\xc0": todotxt.ErrEncoding,
	} {
		if got, err := todotxt.Parse(line); !errors.Is(err, want) {
			t.Errorf("Parse(%q) = %+v, %v; want %v", line, got, err, want)
		}
	}
}

func TestWords(t *testing.T) {
	const text = "Learn 2+2 a@b.example +deep.work @café @café due:2026-12-01 rec:+2w see:a:b https://x.example/y:z + @ :x x: "
	task := todotxt.Task{Text: text}
	if got, want := task.Projects(), []string{"deep.work"}; !slices.Equal(got, want) {
		t.Errorf("projects %q, want %q", got, want)
	}
	if got, want := task.Contexts(), []string{"café"}; !slices.Equal(got, want) {
		t.Errorf("contexts %q, want %q", got, want)
	}
	var tags []string
	joined := ""
	for w := range todotxt.Words(text) {
		joined += w.Text
		if w.Kind == todotxt.Tag {
			tags = append(tags, w.Key+"="+w.Value)
		}
	}
	if want := []string{"due=2026-12-01", "rec=+2w"}; !slices.Equal(tags, want) {
		t.Errorf("tags %q, want %q", tags, want)
	}
	if joined != text {
		t.Errorf("the words joined are %q", joined)
	}
	if got := (todotxt.Task{Text: "pay due:soon"}).Due(); got != "" {
		t.Errorf("due:soon is the day %q", got)
	}
}

func TestChanges(t *testing.T) {
	complete := func(t todotxt.Task) todotxt.Task { return t.Complete("2026-11-24") }
	prioritize := func(p todotxt.Priority) func(todotxt.Task) todotxt.Task {
		return func(t todotxt.Task) todotxt.Task { return t.Prioritize(p) }
	}
	for _, c := range []struct {
		name, line string
		change     func(todotxt.Task) todotxt.Task
		want       string
	}{
		{"complete", "2026-11-01 Mow", complete, "x 2026-11-24 2026-11-01 Mow"},
		{"complete without dates", "Mow", complete, "x 2026-11-24 Mow"},
		{"complete keeps the priority as a tag", "(C) Mow", complete, "x 2026-11-24 Mow pri:C"},
		{"complete twice", "x 2026-01-02 Mow", complete, "x 2026-01-02 Mow"},
		{"reopen", "x 2026-11-24 2026-11-01 Mow", todotxt.Task.Reopen, "2026-11-01 Mow"},
		{"reopen brings the priority back", "x 2026-11-24 Mow pri:C", todotxt.Task.Reopen, "(C) Mow"},
		{"reopen with the priority in front", "x (B) 2026-11-24 Mow pri:C", todotxt.Task.Reopen, "(B) Mow pri:C"},
		{"reopen leaves a tag inside the text", "x Mow pri:C soon", todotxt.Task.Reopen, "Mow pri:C soon"},
		{"reopen leaves a tag that is no priority", "x Mow pri:high", todotxt.Task.Reopen, "Mow pri:high"},
		{"reopen an open one", "(C) Mow", todotxt.Task.Reopen, "(C) Mow"},
		{"prioritize", "Mow", prioritize("A"), "(A) Mow"},
		{"prioritize anew", "(B) Mow", prioritize("A"), "(A) Mow"},
		{"no priority", "(B) Mow", prioritize(""), "Mow"},
		{"prioritize a completed one", "x Mow pri:C", prioritize("A"), "x Mow pri:A"},
		{"no priority on a completed one", "x (B) Mow pri:C", prioritize(""), "x Mow"},
	} {
		t.Run(c.name, func(t *testing.T) {
			task, err := todotxt.Parse(c.line)
			if err != nil {
				t.Fatal(err)
			}
			if got := c.change(task).String(); got != c.want {
				t.Errorf("%q becomes %q, want %q", c.line, got, c.want)
			}
		})
	}
}

func TestValidate(t *testing.T) {
	for _, c := range []struct {
		task todotxt.Task
		ok   bool
	}{
		{todotxt.Task{Text: "Mow"}, true},
		{todotxt.Task{Priority: "A", Text: "x ray"}, true},
		{todotxt.Task{Text: "x ray"}, false},
		{todotxt.Task{Text: "(A) Mow"}, false},
		{todotxt.Task{Text: "2026-11-24 Mow"}, false},
		{todotxt.Task{Done: true, Created: "2026-11-24", Text: "Mow"}, false}, // would be the completion date
		{todotxt.Task{Completed: "2026-11-24", Text: "Mow"}, false},
		{todotxt.Task{Created: "soon", Text: "Mow"}, false},
		{todotxt.Task{Priority: "AA", Text: "Mow"}, false},
		{todotxt.Task{}, false},
	} {
		if err := c.task.Validate(); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c.task, err)
		}
	}
}

func TestDates(t *testing.T) {
	for _, s := range []string{"", "2026-13-01", "2026-02-29", "26-01-01", "2026-1-1", "2026-01-01T00:00:00Z"} {
		if d, err := todotxt.ParseDate(s); err == nil {
			t.Errorf("ParseDate(%q) = %q", s, d)
		}
	}
	if d := todotxt.Date("2026-12-31").Days("2027-01-02"); d != 2 {
		t.Errorf("two days apart are %d", d)
	}
}

func FuzzParse(f *testing.F) {
	for _, line := range []string{
		"x (A) 2016-05-20 2016-04-30 measure space for +chapelShelving @chapel due:2016-05-30",
		"(A)  two", "2026-11-24 2026-11-24 2026-11-24 ", "x xx x", "x pri:A", "　ideographic space", "\u0085", "(A) \u00a0",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		task, err := todotxt.Parse(line)
		if err != nil {
			return
		}
		if task.String() != line {
			t.Fatalf("%q is written %q", line, task)
		}
		joined := ""
		for w := range todotxt.Words(task.Text) {
			joined += w.Text
		}
		if joined != task.Text {
			t.Fatalf("the words of %q joined are %q", task.Text, joined)
		}
		if done := task.Complete("2026-11-24"); !task.Done && done.Validate() == nil {
			if back := done.Reopen(); back != task && !endsInPriority(task) {
				t.Fatalf("%q completed and reopened is %q", line, back)
			}
		}
	})
}

// endsInPriority says whether a person ended an open task with the tag that completing uses.
func endsInPriority(t todotxt.Task) bool { return t.Priority == "" && t.Complete("").Reopen() != t }
