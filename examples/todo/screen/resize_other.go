//go:build !unix

package screen

// OnResize does nothing where no signal tells of another size: the next drawing has it.
func OnResize(func()) (stop func()) { return func() {} }
