package main

import (
	"os"
	"strings"
	"testing"
)

// TestIsTheProgramOfTheReadme keeps README honest: what it shows is this program, which runs below.
func TestIsTheProgramOfTheReadme(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(readme), "```go\n")
	shown, _, _ := strings.Cut(rest, "```\n")
	if shown != string(source) {
		t.Error("the program in README.md is not examples/readme/main.go: copy it")
	}
}

func Example() {
	dir, err := os.MkdirTemp("", "readme")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chdir(dir); err != nil {
		panic(err)
	}
	main()
	main() // what the first run left is there, and all of it is completed
	// Output:
	// Buy bread
	// Buy milk
	// 2 open
	// 1 open
	// 0 open
	// Buy bread
	// Buy milk
	// 2 open
	// 1 open
	// 0 open
}
