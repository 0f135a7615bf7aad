package sim

import "testing"

// pushed, refused, pulled and seen make operations of a history by hand. Events are marks.
func pushed(call, end, parent int64, events ...uint64) *operation {
	return &operation{after: parent, events: events, call: call, end: end, head: -1}
}

func refused(call, end, parent, head int64, events ...uint64) *operation {
	return &operation{after: parent, events: events, call: call, end: end, head: head, refused: true}
}

func pulled(at, after int64, events ...uint64) *operation {
	return &operation{pull: true, after: after, events: events, call: at, end: at, head: -1}
}

func seen(call, end, after, head int64, events ...uint64) *operation {
	return &operation{pull: true, after: after, events: events, call: call, end: end, head: head}
}

func TestLinearizable(t *testing.T) {
	for _, c := range []struct {
		name string
		base int
		log  []uint64
		ops  []*operation
		want verdict
	}{
		{"nothing", 0, nil, nil, linearizable},
		{"one after the other", 0, []uint64{1, 2, 3}, []*operation{pushed(1, 2, 0, 1), pushed(3, 4, 1, 2, 3), pulled(5, 0, 1, 2, 3)}, linearizable},
		{"the later one is first", 0, []uint64{1, 2}, []*operation{pushed(1, 9, 1, 2), pushed(2, 8, 0, 1)}, linearizable},
		{"two pushes on one parent", 0, []uint64{1}, []*operation{pushed(1, 4, 0, 1), pushed(2, 3, 0, 2)}, notLinearizable},
		{"one push stored twice", 0, []uint64{1}, []*operation{pushed(1, 2, 0, 1), pushed(3, 4, 0, 1)}, notLinearizable},
		{"stored, and not in the log", 0, []uint64{1}, []*operation{pushed(1, 2, 0, 1), pushed(3, 4, 1, 2)}, notLinearizable},
		{"stored before its parent", 0, []uint64{1, 2}, []*operation{pushed(1, 2, 1, 2), pushed(3, 4, 0, 1)}, notLinearizable},
		{"in the log, and nobody pushed it", 0, []uint64{1, 2}, []*operation{pushed(1, 2, 0, 1)}, notLinearizable},
		{"half of a push", 0, []uint64{1, 2}, []*operation{pushed(1, 0, 0, 1, 2, 3)}, notLinearizable},

		{"refused by what was there", 0, []uint64{1}, []*operation{pushed(1, 2, 0, 1), refused(3, 4, 0, 1, 2)}, linearizable},
		{"refused by what comes at the same time", 0, []uint64{1}, []*operation{pushed(1, 9, 0, 1), refused(2, 4, 0, 1, 2)}, linearizable},
		{"refused with an old head", 0, []uint64{1, 2}, []*operation{pushed(1, 2, 0, 1), pushed(3, 4, 1, 2), refused(5, 6, 0, 1, 2)}, notLinearizable},
		{"refused with a head to come", 0, []uint64{1}, []*operation{refused(1, 2, 0, 1, 2), pushed(3, 4, 0, 1)}, notLinearizable},
		{"refused, and stored", 0, []uint64{1}, []*operation{refused(1, 2, 0, 1, 1)}, notLinearizable},

		{"pulled what is under way", 0, []uint64{1}, []*operation{pushed(1, 9, 0, 1), pulled(3, 0, 1)}, linearizable},
		{"pulled what was not pushed yet", 0, []uint64{1}, []*operation{pulled(1, 0, 1), pushed(2, 3, 0, 1)}, notLinearizable},
		{"pulled in another order", 0, []uint64{1, 2}, []*operation{pushed(1, 2, 0, 1, 2), pulled(3, 0, 2, 1)}, notLinearizable},
		{"pulled another event", 0, []uint64{1, 2}, []*operation{pushed(1, 2, 0, 1, 2), pulled(3, 1, 3)}, notLinearizable},
		{"the whole log", 0, []uint64{1, 2}, []*operation{pushed(1, 2, 0, 1), seen(3, 6, 0, 1, 1), pushed(4, 5, 1, 2)}, linearizable},
		{"without what was stored before", 0, []uint64{1, 2}, []*operation{pushed(1, 2, 0, 1), pushed(3, 4, 1, 2), seen(5, 6, 0, 1, 1)}, notLinearizable},
		{"told of more than there is", 0, []uint64{1}, []*operation{pushed(1, 2, 0, 1), seen(3, 4, 0, 2, 1)}, notLinearizable},
		{"back in time", 0, []uint64{1, 2}, []*operation{
			pushed(1, 2, 0, 1), pushed(3, 20, 1, 2), seen(4, 6, 0, 2, 1, 2), seen(7, 8, 0, 1, 1),
		}, notLinearizable},

		{"no answer, and never stored", 0, []uint64{2}, []*operation{pushed(1, 0, 0, 1), pushed(2, 3, 0, 2)}, linearizable},
		{"no answer, and stored late", 0, []uint64{1, 2}, []*operation{pushed(1, 0, 1, 2), pushed(2, 3, 0, 1), seen(4, 5, 0, 1, 1), pulled(9, 1, 2)}, linearizable},
		{"no answer, and once more", 0, []uint64{1, 2}, []*operation{
			pushed(1, 0, 0, 1), pushed(2, 0, 0, 1), pushed(4, 5, 0, 1), pushed(6, 7, 1, 2),
		}, linearizable},
		{"no answer, and gone again", 0, []uint64{1}, []*operation{pushed(1, 0, 0, 1), pulled(3, 0, 1), seen(4, 5, 0, 0), pushed(6, 7, 0, 1)}, notLinearizable},

		{"begun with a copy", 2, []uint64{1, 2, 3}, []*operation{seen(1, 2, 0, 2, 1, 2), pushed(3, 4, 2, 3)}, linearizable},
		{"nothing after the head", 0, []uint64{1, 2}, []*operation{pushed(1, 2, 0, 1, 2), seen(3, 4, 2, 2)}, linearizable},
		{"nothing, and there is more", 0, []uint64{1, 2}, []*operation{pushed(1, 2, 0, 1, 2), seen(3, 4, 1, 1)}, notLinearizable},
		{"nothing after what a copy lacks", 2, []uint64{1, 2}, []*operation{seen(1, 2, 6, 6)}, linearizable},
		{"begun with a copy, pushed behind what it lacks", 2, []uint64{1, 2}, []*operation{pushed(3, 4, 3, 4)}, notLinearizable},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, why := (&incarnation{base: c.base, log: c.log, ops: c.ops}).check()
			if got != c.want {
				t.Errorf("verdict %d, want %d: %s", got, c.want, why)
			}
			if got == notLinearizable && why == "" {
				t.Error("it does not say why")
			}
		})
	}
}
