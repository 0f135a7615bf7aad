package reactive

import (
	"errors"
	"reflect"
)

// same says whether two results of d are the same to whoever uses them.
func (d *Def) same(a any, aErr error, b any, bErr error) bool {
	if aErr != nil || bErr != nil {
		return sameError(aErr, bErr)
	}
	return d.Equal != nil && d.Equal(a, b)
}

// sameError says whether b tells nobody anything that a did not. Errors are made anew by each computation, so their
// identity says little. Cycles read from different ends count as one.
func sameError(a, b error) bool {
	if a == nil || b == nil {
		return errors.Is(a, b)
	}
	if _, ok := errors.AsType[*CycleError](a); ok {
		_, ok = errors.AsType[*CycleError](b)
		return ok
	}
	return reflect.TypeOf(a) == reflect.TypeOf(b) && a.Error() == b.Error()
}
