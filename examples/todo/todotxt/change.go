package todotxt

import "strings"

// Complete marks the task as completed on the given day. The completion date comes first on a completed line, so the
// priority moves into a tag pri:, where other programs look for it. A completed task stays as it is.
func (t Task) Complete(on Date) Task {
	if t.Done {
		return t
	}
	t.Done, t.Completed = true, on
	if t.Priority != "" {
		t.Text += " pri:" + string(t.Priority)
		t.Priority = ""
	}
	return t
}

// Reopen takes the completion mark off again and brings the priority back. An open task stays as it is.
func (t Task) Reopen() Task {
	if !t.Done {
		return t
	}
	t.Done, t.Completed = false, ""
	if t.Priority == "" {
		t.Text, t.Priority = cutPriorityTag(t.Text)
	}
	return t
}

// Prioritize gives the task a priority, or takes it away when p is empty. A completed task keeps it in its tag pri:.
func (t Task) Prioritize(p Priority) Task {
	if !t.Done {
		t.Priority = p
		return t
	}
	t.Priority = ""
	t.Text, _ = cutPriorityTag(t.Text)
	if p != "" {
		t.Text += " pri:" + string(p)
	}
	return t
}

// cutPriorityTag takes a tag pri: off the end of the text. Elsewhere a person wrote it: that one stays.
func cutPriorityTag(text string) (string, Priority) {
	i := strings.LastIndex(text, " pri:")
	if i < 0 {
		return text, ""
	}
	p := Priority(text[i+len(" pri:"):])
	if !p.valid() {
		return text, ""
	}
	return text[:i], p
}
