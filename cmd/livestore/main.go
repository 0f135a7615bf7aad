// Livestore is the sync server of LiveStore, as one program: see livestore help.
package main

import (
	"os"

	"github.com/livestore-go/livestore/internal/cli"
)

func main() { os.Exit(cli.Main()) }
