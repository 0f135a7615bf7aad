package eventlog

import "maps"

// What tests of the format need.
const HeadLen = headLen

var Accept = accept

// AllTaken returns the highest ordinal taken of every journal that was not forgotten.
func (l *Log) AllTaken() map[string]uint64 {
	all := maps.Collect(func(yield func(string, uint64) bool) {
		for name, row := range l.journals.known {
			if !row.gone && row.taken > 0 && !yield(name, row.taken) {
				return
			}
		}
	})
	return all
}
