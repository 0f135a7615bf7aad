//go:build unix

package screen

import (
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// OnResize calls f whenever the terminal has another size, until stop, which waits for a call that is under way.
func OnResize(f func()) (stop func()) {
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, syscall.SIGWINCH)
	var work sync.WaitGroup
	work.Go(func() {
		for range resized {
			f()
		}
	})
	return func() {
		signal.Stop(resized) // nothing is sent any more when it returns
		close(resized)
		work.Wait()
	}
}
