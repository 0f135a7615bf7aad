//go:build !windows && !js && !wasip1

package journal

import (
	"errors"
	"os"
)

func (o osFS) SyncDir() error {
	d, err := os.Open(o.dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
