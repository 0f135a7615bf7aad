package sim_test

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// TestPlantedBugsApply tries the patches of scripts/mutants: one that the code has moved away from would plant nothing.
func TestPlantedBugsApply(t *testing.T) {
	git, err := exec.LookPath("git")
	if err != nil {
		t.Skip("there is no git to try patches with")
	}
	patches, err := filepath.Glob("testdata/mutants/*.patch")
	if err != nil || len(patches) < 12 {
		t.Fatalf("there are %d patches: %v", len(patches), err)
	}
	for _, p := range patches {
		cmd := exec.CommandContext(t.Context(), git, "apply", "--check", filepath.Join("internal/sim", p))
		cmd.Dir = "../.."
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", p, err, out)
		}
	}
}
