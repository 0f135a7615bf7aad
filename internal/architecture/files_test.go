package architecture

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	maxFile    = 600  // lines, past which a file wants splitting
	maxPackage = 5000 // lines without tests, past which a package wants splitting
)

// emptyNames say nothing about what is inside, or hide a package everybody knows.
var emptyNames = []string{
	"util", "utils", "common", "helper", "helpers", "misc", "shared_types", "types", "base", "lib", "sync", "runtime",
}

// goFiles calls f for each Go file of the repository, those of other modules in it included.
func goFiles(t *testing.T, f func(path string, src []byte)) {
	t.Helper()
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules" || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if d.IsDir() || filepath.Ext(path) != ".go" {
			return nil
		}
		src, err := os.ReadFile(path)
		if err == nil {
			f(filepath.ToSlash(path), src)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// larger lists packages that are let be larger, and how large. The simulator is one world: whatever is in it meets everything else.
var larger = map[string]int{"internal/sim": 9000}

func TestFilesAndPackagesAreSmall(t *testing.T) {
	total := map[string]int{}
	goFiles(t, func(path string, src []byte) {
		n := bytes.Count(src, []byte("\n"))
		if n > maxFile {
			t.Errorf("%s has %d lines: past %d it wants splitting, one verb or noun a file", path, n, maxFile)
		}
		if !strings.HasSuffix(path, "_test.go") {
			total[filepath.Dir(path)] += n
		}
	})
	for dir, n := range total {
		if n > max(maxPackage, larger[strings.TrimPrefix(dir, "../../")]) {
			t.Errorf("%s has %d lines: past %d it wants splitting", dir, n, maxPackage)
		}
	}
}

func TestNamesSayWhatIsInside(t *testing.T) {
	goFiles(t, func(path string, src []byte) {
		file := strings.TrimSuffix(strings.TrimSuffix(filepath.Base(path), ".go"), "_test")
		if slices.Contains(emptyNames, file) && file != "sync" {
			t.Errorf("%s: the name of the file says nothing", path)
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, src, parser.PackageClauseOnly)
		if err != nil {
			t.Error(err)
			return
		}
		if slices.Contains(emptyNames, strings.TrimSuffix(f.Name.Name, "_test")) {
			t.Errorf("%s: the name of package %s says nothing", path, f.Name.Name)
		}
	})
}

func TestNoTestSleepsForTime(t *testing.T) {
	goFiles(t, func(path string, src []byte) {
		if strings.HasSuffix(path, "_test.go") && sleeps(t, path, src) {
			t.Errorf("%s sleeps: wait for what must happen, or run in a bubble of testing/synctest", path)
		}
	})
}

// sleeps says whether a file calls time.Sleep and does not use testing/synctest, where sleeping takes no time.
func sleeps(t *testing.T, path string, src []byte) bool {
	t.Helper()
	if !bytes.Contains(src, []byte("Sleep")) {
		return false
	}
	f, err := parser.ParseFile(token.NewFileSet(), path, src, 0)
	if err != nil {
		t.Error(err)
		return false
	}
	for _, imported := range f.Imports {
		if imported.Path.Value == `"testing/synctest"` {
			return false
		}
	}
	found := false
	ast.Inspect(f, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == "Sleep" {
			if x, ok := s.X.(*ast.Ident); ok && x.Name == "time" {
				found = true
			}
		}
		return !found
	})
	return found
}

func TestSleepsAreSeen(t *testing.T) {
	const body = "func f() { time.Sleep(1) }"
	if !sleeps(t, "f.go", []byte(`package f; import "time"; `+body)) {
		t.Error("a sleep went unnoticed")
	}
	if sleeps(t, "f.go", []byte(`package f; import ("time"; "testing/synctest"); `+body)) {
		t.Error("a sleep in a bubble takes no time")
	}
}
