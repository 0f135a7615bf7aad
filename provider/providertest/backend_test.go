package providertest_test

import (
	"testing"

	"github.com/livestore-go/livestore/provider/providertest"
)

func TestMemoryProvider(t *testing.T) {
	b := providertest.NewBackend()
	providertest.Run(t, targetOf(b))
}

func TestFaultsWithoutFaults(t *testing.T) {
	b := providertest.NewBackend()
	target := targetOf(b)
	target.Provider = providertest.NewFaults(target.Provider)
	providertest.Run(t, target)
}

func TestFaultsAsNetwork(t *testing.T) {
	b := providertest.NewBackend()
	target := targetOf(b)
	faults := providertest.NewFaults(target.Provider)
	target.Provider = faults
	target.Drop = faults.Drop
	target.Refuse = func(on bool) {
		if on {
			faults.Refuse("go away")
		} else {
			faults.Refuse("")
		}
	}
	providertest.Run(t, target)
}

func targetOf(b *providertest.Backend) providertest.Target {
	return providertest.Target{
		Provider: b.Provider(),
		Drop:     b.Drop,
		Refuse: func(on bool) {
			if on {
				b.Refuse("go away")
			} else {
				b.Authorize(nil)
			}
		},
		Reset: func(storeID string) { b.Reset(storeID) },
	}
}
