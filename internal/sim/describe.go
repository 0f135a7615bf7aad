package sim

import (
	"fmt"
	"strings"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/wire"
)

func describeClient(m wire.ClientMessage) string {
	switch m := m.(type) {
	case *wire.Pull:
		from := "the beginning"
		if m.Cursor != nil {
			from = fmt.Sprintf("e%d", m.Cursor.After)
		}
		return fmt.Sprintf("pull %s from %s, live %t", m.ID, from, m.Live)
	case *wire.Push:
		return fmt.Sprintf("push %s of %s", m.ID, spanGlobal(m.Batch))
	case *wire.Ack:
		return fmt.Sprintf("ack %s", m.ID)
	case *wire.Interrupt:
		return fmt.Sprintf("interrupt %s", m.ID)
	}
	return fmt.Sprintf("%T", m)
}

func describeServer(m wire.ServerMessage) string {
	switch m := m.(type) {
	case *wire.Chunk:
		var b strings.Builder
		fmt.Fprintf(&b, "chunk %s:", m.ID)
		for _, item := range m.Items {
			fmt.Fprintf(&b, " %d events", len(item.Events))
			if n := len(item.Events); n > 0 {
				fmt.Fprintf(&b, " e%d…e%d", item.Events[0].SeqNum, item.Events[n-1].SeqNum)
			}
			fmt.Fprintf(&b, " %s %d", item.Page.Kind, item.Page.Remaining)
		}
		return b.String()
	case *wire.Exit:
		var b strings.Builder
		fmt.Fprintf(&b, "exit %s", m.ID)
		for _, r := range m.Failure {
			fmt.Fprintf(&b, " %s %v %s", r.Kind, r.Err, r.Defect)
		}
		return b.String()
	case *wire.Defect:
		return fmt.Sprintf("defect %s", m.Defect)
	}
	return fmt.Sprintf("%T", m)
}

func spanGlobal(events []event.Global) string {
	if len(events) == 0 {
		return "-"
	}
	return fmt.Sprintf("e%d…e%d", events[0].SeqNum, events[len(events)-1].SeqNum)
}
