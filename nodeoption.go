package livestore

import (
	"fmt"
	"path/filepath"
	"reflect"
	"runtime"
)

// NodeOption changes a live query, a computed or a signal.
type NodeOption func(*nodeOptions)

type nodeOptions struct {
	label  string
	equal  func(a, b any) bool
	values reflect.Type // that equal compares, nil for any
}

// Label names a node in errors. The default is the place in the source code where it is declared.
func Label(label string) NodeOption { return func(o *nodeOptions) { o.label = label } }

// Equal says when two results of a node are the same, so that nobody who depends on it needs to hear of the change.
// The default is [reflect.DeepEqual]. T is the type of the node's result; with another one, declaring the node panics. f runs
// inside the store's lock.
func Equal[T any](f func(a, b T) bool) NodeOption {
	return func(o *nodeOptions) {
		o.values = reflect.TypeFor[T]()
		o.equal = func(a, b any) bool { return f(as[T](a), as[T](b)) }
	}
}

// nodeOptionsFor applies options to the defaults. It is called by the function that declares a node.
func nodeOptionsFor[T any](kind string, opts []NodeOption) nodeOptions {
	o := nodeOptions{equal: deepEqual}
	for _, opt := range opts {
		opt(&o)
	}
	if o.label == "" {
		o.label = kind
		if _, file, line, ok := runtime.Caller(2); ok {
			o.label = fmt.Sprintf("%s at %s:%d", kind, filepath.Base(file), line)
		}
	}
	if t := reflect.TypeFor[T](); o.values != nil && o.values != t {
		panic(fmt.Sprintf("livestore: %s: Equal compares values of type %s, the result is of type %s", o.label, o.values, t))
	}
	return o
}

// as returns v as a T; a nil interface is the zero value.
func as[T any](v any) T {
	t, _ := v.(T)
	return t
}
