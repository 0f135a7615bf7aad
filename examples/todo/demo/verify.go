package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/livestore-go/livestore/examples/todo/machine"
	"github.com/livestore-go/livestore/examples/todo/screen"
	"github.com/livestore-go/livestore/examples/todo/tasks"
)

// verify checks everything that the story claims, and gets a third machine to see what the server has.
func (s *story) verify(ctx context.Context) error {
	s.title("5  A new machine gets everything from the server, and all of it is compared")
	s.line("tablet$", "todo --sync "+s.server.URL()+" sync")
	tablet := filepath.Join(s.dir, "tablet")
	if _, err := machine.Once(ctx, s.programs, tablet, s.server.URL(), "sync"); err != nil {
		return err
	}
	var lists, dumps [3][]string
	for i, c := range []*machine.Client{s.laptop, s.phone} {
		var err error
		if lists[i], err = c.Do(ctx, "list --all"); err != nil {
			return err
		}
		if dumps[i], err = c.Do(ctx, "dump"); err != nil {
			return err
		}
	}
	var err error
	if lists[2], err = machine.Once(ctx, s.programs, tablet, s.server.URL(), "list", "--all"); err != nil {
		return err
	}
	if dumps[2], err = machine.Once(ctx, s.programs, tablet, s.server.URL(), "dump"); err != nil {
		return err
	}
	s.say("")
	wrong := 0
	for _, c := range s.checks(lists, dumps) {
		mark := s.out.Paint(screen.Green, "ok   ")
		if !c.ok {
			mark = s.out.Paint(screen.Red, "WRONG")
			wrong++
		}
		s.say("  " + mark + " " + c.claim)
	}
	if wrong > 0 {
		return fmt.Errorf("%d of the claims are wrong; the laptop has\n%s\nand the phone has\n%s",
			wrong, strings.Join(dumps[0], "\n"), strings.Join(dumps[1], "\n"))
	}
	s.say("\nNothing lost, nothing twice, one order.")
	return nil
}

// check is a claim of the story, and whether it holds.
type check struct {
	ok    bool
	claim string
}

// checks compares laptop, phone and tablet, and what became of the tasks that both had changed.
func (s *story) checks(lists, dumps [3][]string) []check {
	log := events(dumps[0])
	tiles, milk, mom := named(dumps[0], "Order the roof tiles"), named(dumps[0], "Buy milk"), named(dumps[0], "Call Mom")
	bread, cat := named(dumps[0], "Bake bread"), named(dumps[0], "Feed the cat")
	last := ""
	for _, e := range log {
		if strings.HasPrefix(e, tasks.Prioritized.Name()+" ") && strings.Contains(e, tiles.id) {
			last = e
		}
	}
	return []check{
		{same(lists), fmt.Sprintf("laptop, phone and tablet show the same list of %d tasks", len(brief(lists[0])))},
		{same(dumps), "the same rows in all tables, and the same eventlog, to the last byte"},
		{len(log) == s.total(), fmt.Sprintf("%d events were committed, and %d are in the eventlog", s.total(), len(log))},
		{
			inOrder(log, s.own[0]) && inOrder(log, s.own[1]),
			fmt.Sprintf("%d of the laptop, %d of the phone, made without a server: once, in order", len(s.own[0]), len(s.own[1])),
		},
		{
			strings.Contains(last, `"priority":"`+tiles.priority+`"`) && tiles.priority != "B",
			fmt.Sprintf("roof tiles, (A) and (C): what comes later in the log holds, (%s)", tiles.priority),
		},
		{milk.done && strings.HasSuffix(milk.text, " pri:C"), "milk, completed and made (C): it is both"},
		{mom.done && mom.removed, "the call, removed and completed: it is removed, and completed below that"},
		{
			min(bread.number, cat.number) == beforehand+1 && bread.number != cat.number,
			fmt.Sprintf("the two tasks that were number 4 are %d (bread) and %d (cat)", bread.number, cat.number),
		},
	}
}

// row is what a dump says of a task.
type row struct {
	number         int
	id             string
	done, removed  bool
	priority, text string
}

// named returns the task whose text begins with a text.
func named(dump []string, text string) row {
	return find(dump, func(r row) bool { return strings.HasPrefix(r.text, text) })
}

// about says what the arguments of an event are about: the text of the task, and its new priority.
func about(dump []string, args string) string {
	var a struct{ ID, Priority string }
	if err := json.Unmarshal([]byte(args), &a); err != nil {
		return args
	}
	text, _, _ := strings.Cut(find(dump, func(r row) bool { return r.id == a.ID }).text, " pri:")
	if a.Priority != "" {
		text = "(" + a.Priority + ") " + text
	}
	return text
}

// find returns the first task of a dump that is asked for.
func find(dump []string, asked func(row) bool) row {
	for _, line := range dump {
		var columns []any
		if json.Unmarshal([]byte(line), &columns) != nil || len(columns) < 10 {
			continue
		}
		number, _ := columns[0].(float64)
		id, _ := columns[1].(string)
		priority, _ := columns[3].(string)
		text, _ := columns[6].(string)
		if r := (row{int(number), id, columns[2] != 0.0, columns[9] != 0.0, priority, text}); asked(r) {
			return r
		}
	}
	return row{}
}

// events returns the name and arguments of each event of a dump.
func events(dump []string) []string {
	var log []string
	for _, line := range dump[slices.Index(dump, "eventlog")+1:] {
		_, event, _ := strings.Cut(line, " ") // without the number: it changes when histories become one
		log = append(log, event)
	}
	return log
}

// inOrder says whether events are in the log in their order, each once.
func inOrder(log, own []string) bool {
	return slices.Equal(slices.DeleteFunc(slices.Clone(log), func(e string) bool { return !slices.Contains(own, e) }), own)
}

func same(texts [3][]string) bool {
	return slices.Equal(texts[0], texts[1]) && slices.Equal(texts[0], texts[2])
}
