package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/livestore-go/livestore/examples/todo/screen"
)

func TestStory(t *testing.T) {
	var out bytes.Buffer
	s := &story{out: screen.New(&out), dir: t.TempDir()}
	if err := s.tell(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	told := out.String()
	const end = "\nNothing lost, nothing twice, one order.\n"
	if strings.Contains(told, "WRONG") || strings.Count(told, "  ok    ") != 8 || !strings.HasSuffix(told, end) {
		t.Errorf("the demo told another story:\n%s", told)
	}
	for line := range strings.Lines(told) {
		if n := len([]rune(strings.TrimRight(line, "\n"))); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

// TestStoryNoticesLoss shows that each check of the story can fail.
func TestStoryNoticesLoss(t *testing.T) {
	tables := []string{
		`[1,"tiles",0,"A","","2026-11-24","Order the roof tiles +house","","",0]`,
		`[2,"milk",1,"","2026-11-24","2026-11-24","Buy milk @groceries pri:C","","",0]`,
		`[3,"mom",1,"","2026-11-24","2026-11-24","Call Mom @phone","","2026-11-24",1]`,
		`[4,"bread",0,"","","2026-11-24","Bake bread","","",0]`,
		`[5,"cat",0,"","","2026-11-24","Feed the cat","","",0]`,
		"eventlog",
	}
	log := []string{"e1 a", "e2 b", "e3 c", "e4 laptop", `e5 v1.TaskPrioritized {"id":"tiles","priority":"A"}`, "e6 phone"}
	own := [2][]string{{"laptop", `v1.TaskPrioritized {"id":"tiles","priority":"A"}`}, {"phone"}}
	whole := append(append([]string{}, tables...), log...)
	failing := func(change func(lists, dumps *[3][]string)) string {
		s := &story{own: own}
		lists := [3][]string{{"1  a"}, {"1  a"}, {"1  a"}}
		dumps := [3][]string{whole, whole, whole}
		change(&lists, &dumps)
		var wrong strings.Builder
		for i, c := range s.checks(lists, dumps) {
			if !c.ok {
				wrong.WriteByte('0' + byte(i))
			}
		}
		return wrong.String()
	}
	replaced := func(old, with string) func(lists, dumps *[3][]string) {
		return func(_, dumps *[3][]string) {
			text := strings.ReplaceAll(strings.Join(whole, "\n"), old, with)
			for i := range dumps {
				dumps[i] = strings.Split(text, "\n")
			}
		}
	}
	for name, c := range map[string]struct {
		change func(lists, dumps *[3][]string)
		want   string
	}{
		"all is well":               {func(_, _ *[3][]string) {}, ""},
		"another list":              {func(lists, _ *[3][]string) { lists[1] = []string{"1  b"} }, "0"},
		"another dump":              {func(_, dumps *[3][]string) { dumps[2] = whole[1:] }, "1"},
		"an event is lost":          {replaced("\ne6 phone", ""), "23"},
		"an event is twice":         {replaced("e6 phone", "e6 phone\ne7 phone"), "23"},
		"an event of others twice":  {replaced("e3 c", "e3 c\ne4 c"), "2"},
		"another order":             {replaced("e4 laptop\ne5", "e5"), "23"},
		"a priority of nobody":      {replaced(`[1,"tiles",0,"A"`, `[1,"tiles",0,"B"`), "4"},
		"the milk is not completed": {replaced(`[2,"milk",1`, `[2,"milk",0`), "5"},
		"the call is back":          {replaced(`"2026-11-24",1]`, `"",0]`), "6"},
		"two tasks of one number":   {replaced(`[5,"cat"`, `[4,"cat"`), "7"},
	} {
		if got := failing(c.change); got != c.want {
			t.Errorf("%s: the checks that fail are %q, want %q", name, got, c.want)
		}
	}
}
