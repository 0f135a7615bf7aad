package interop_test

import (
	"os"
	"strings"
	"testing"
)

// TestLockfileNamesNoRegistry keeps the addresses of somebody's registry out of the lockfile: npm ci would insist on them elsewhere.
func TestLockfileNamesNoRegistry(t *testing.T) {
	lock, err := os.ReadFile("package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(lock), `"resolved"`) {
		t.Error("package-lock.json has resolved addresses: make it anew with npm install in this folder, where .npmrc leaves them out")
	}
}
