package reactive

import (
	"fmt"
	"slices"
	"strings"
)

// CycleError says that a computation needs its own result.
type CycleError struct {
	Labels []string // of the nodes on the way, first and last are the same node
}

func (e *CycleError) Error() string {
	return fmt.Sprintf("reactive: cycle: %s: a computation must not need its own result", strings.Join(e.Labels, " → "))
}

// cycle describes the way from a running node to the innermost one and back.
func (g *Graph) cycle(n *node) *CycleError {
	var labels []string
	for _, r := range g.running[slices.Index(g.running, n):] {
		labels = append(labels, r.def.Label)
	}
	return &CycleError{Labels: append(labels, n.def.Label)}
}
