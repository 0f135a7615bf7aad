package sqlite_test

import (
	"errors"
	"fmt"
	"log"

	"github.com/livestore-go/livestore/internal/sqlite"
)

// A commit is applied in a savepoint, recorded, and taken back.
func Example() {
	c, err := sqlite.Open(":memory:", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	if err := c.Define("CREATE TABLE todos (id TEXT PRIMARY KEY, text TEXT)"); err != nil {
		log.Fatal(err)
	}
	show := func() {
		s, err := c.Prepare(sqlite.Read, "SELECT count(*) FROM todos")
		if err != nil {
			log.Fatal(err)
		}
		rows, err := s.Query(nil)
		if err != nil {
			log.Fatal(err)
		}
		for rows.Next() {
			fmt.Println(rows.Int64(0), "rows, read from", s.Reads())
		}
		if err := rows.Close(); err != nil {
			log.Fatal(err)
		}
	}

	c.Record(true)
	mark := c.Mark()
	if err := c.Savepoint(); err != nil {
		log.Fatal(err)
	}
	if err := c.Exec(sqlite.Materialize, "INSERT INTO todos VALUES (?, ?)", "1", "buy milk"); err != nil {
		log.Fatal(err)
	}
	changes := c.Take(mark)
	if err := c.Release(); err != nil {
		log.Fatal(err)
	}
	show()
	if err := c.Undo(changes); err != nil {
		log.Fatal(err)
	}
	show()
	err = c.Exec(sqlite.Materialize, "INSERT INTO todos VALUES (random(), '')")
	if denied, ok := errors.AsType[*sqlite.DeniedError](err); ok {
		fmt.Println("refused:", denied.Op, denied.Object)
	}
	// Output:
	// 1 rows, read from [todos]
	// 0 rows, read from [todos]
	// refused: call function random
}
