package architecture

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

// pkg is what go list says of a package.
type pkg struct {
	ImportPath, Dir                    string
	Standard                           bool
	Module                             *struct{ Path, Dir string }
	Imports, TestImports, XTestImports []string
}

const module = "github.com/livestore-go/livestore"

// list returns every package of the module and everything they need, by import path.
func list(t *testing.T) map[string]pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps",
		"-json=ImportPath,Dir,Standard,Module,Imports,TestImports,XTestImports", module+"/...")
	out, err := cmd.Output()
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			t.Fatalf("go list: %v\n%s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	all := map[string]pkg{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all[p.ImportPath] = p
	}
}

// short names a package of ours below the module path; ok is false for everybody else's.
func short(importPath string) (name string, ok bool) {
	if importPath == module {
		return ".", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

// matches says whether a name falls under a pattern of the tables.
func matches(pattern, name string) bool {
	if below, ok := strings.CutSuffix(pattern, "..."); ok {
		return strings.HasPrefix(name+"/", below)
	}
	return pattern == name
}

func matchesAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, name) })
}

func TestEachPackageImportsWhatItMay(t *testing.T) {
	for importPath, p := range list(t) {
		name, ours := short(importPath)
		if !ours {
			continue
		}
		i := slices.IndexFunc(layers, func(l layer) bool { return matches(l.name, name) })
		if i < 0 {
			t.Errorf("%s has no place: add it to layers with what it may import", name)
			continue
		}
		for _, imported := range p.Imports {
			if other, ours := short(imported); ours && !matchesAny(layers[i].may, other) {
				t.Errorf("%s (%s) imports %s, which it may not know", name, layers[i].is, other)
			}
		}
	}
}

func TestNoPackageReachesWhatItMustNot(t *testing.T) {
	all := list(t)
	for importPath := range all {
		name, ours := short(importPath)
		if !ours {
			continue
		}
		for _, rule := range never {
			if !matches(rule.name, name) {
				continue
			}
			if way := find(all, importPath, rule.not); way != nil {
				t.Errorf("%s must not reach %s (%s), and does:\n\t%s",
					name, path.Base(way[len(way)-1]), rule.why, strings.Join(way, "\n\t→ "))
			}
		}
	}
}

// find returns a chain of imports from start to a package that falls under one of the patterns, nil when there is none. What the
// standard library and other people import is followed only for our packages' direct imports: that net is linked somewhere
// below os says nothing about us.
func find(all map[string]pkg, start string, patterns []string) []string {
	seen := map[string]bool{}
	var visit func(at string) []string
	visit = func(at string) []string {
		if seen[at] {
			return nil
		}
		seen[at] = true
		for _, next := range all[at].Imports {
			name, ours := short(next)
			if matchesAny(patterns, next) || ours && matchesAny(patterns, name) {
				return []string{at, next}
			}
			if ours {
				if way := visit(next); way != nil {
					return append([]string{at}, way...)
				}
			}
		}
		return nil
	}
	return visit(start)
}

func TestOtherPeoplesPackagesStayWhereTheyBelong(t *testing.T) {
	all := list(t)
	for importPath, p := range all {
		name, ours := short(importPath)
		if !ours {
			continue
		}
		for _, imported := range p.Imports {
			if foreign(all, imported) && !allowed(imported, name) {
				t.Errorf("%s imports %s: say in outside that it belongs there, or keep it out", name, imported)
			}
		}
		for _, imported := range slices.Concat(p.TestImports, p.XTestImports) {
			if foreign(all, imported) && !allowed(imported, name) && !inTree(inTests, imported) {
				t.Errorf("a test of %s imports %s: say in outside or inTests that it belongs there, or keep it out", name, imported)
			}
		}
	}
}

// foreign says whether an import is neither ours nor the standard library's.
func foreign(all map[string]pkg, importPath string) bool {
	if _, ours := short(importPath); ours || all[importPath].Standard {
		return false
	}
	first, _, _ := strings.Cut(importPath, "/")
	return strings.Contains(first, ".")
}

func allowed(importPath, name string) bool {
	for _, o := range outside {
		if inTree([]string{o.path}, importPath) && matchesAny(o.where, name) {
			return true
		}
	}
	return false
}

func inTree(roots []string, importPath string) bool {
	return slices.ContainsFunc(roots, func(r string) bool { return importPath == r || strings.HasPrefix(importPath, r+"/") })
}

// TestTheTestSees keeps the functions above honest: each finds the wrong it is there to find.
func TestTheTestSees(t *testing.T) {
	all := map[string]pkg{
		module + "/a": {Imports: []string{module + "/b"}},
		module + "/b": {Imports: []string{module + "/c/d", "net/http"}},
	}
	if way := find(all, module+"/a", []string{"c/..."}); len(way) != 3 {
		t.Errorf("a reaches c/d through b; found %q", way)
	}
	if way := find(all, module+"/a", []string{"net/http"}); len(way) != 3 {
		t.Errorf("a reaches net/http through b; found %q", way)
	}
	if way := find(all, module+"/a", []string{"e", "c"}); way != nil {
		t.Errorf("a reaches neither c itself nor e; found %q", way)
	}
	if !foreign(all, "github.com/x/y") || foreign(all, "net/http") || foreign(all, module+"/a") {
		t.Error("what is foreign is told wrongly")
	}
	if allowed("github.com/ncruces/go-sqlite3/ext/fts5", "state") || !allowed("github.com/ncruces/go-sqlite3/ext/fts5", "internal/sqlite") {
		t.Error("the SQLite library belongs to internal/sqlite alone")
	}
}
