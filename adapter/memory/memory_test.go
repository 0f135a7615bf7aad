package memory_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/adapter/adaptertest"
	"github.com/livestore-go/livestore/adapter/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAdapter(t *testing.T) {
	adaptertest.Run(t, adaptertest.Config{New: func(string) livestore.Adapter { return memory.New(nil) }})
}
