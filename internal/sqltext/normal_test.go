package sqltext_test

import (
	"testing"

	"github.com/livestore-go/livestore/internal/sqltext"
)

func TestNormal(t *testing.T) {
	const plain = `CREATE TABLE t (a TEXT DEFAULT 'x  y', b INT)`
	for sql, same := range map[string]bool{
		"CREATE TABLE t(a TEXT DEFAULT 'x  y',\n\tb INT -- how many\n)": true,
		`CREATE TABLE t (a TEXT DEFAULT 'x y', b INT)`:                  false,
		`CREATE TABLE t (a TEXT DEFAULT 'x  y', bINT)`:                  false,
		`CREATE TABLE t (a TEXT DEFAULT 'x  y', b INT`:                  false,
		`CREATE TABLE t (a TEXT DEFAULT 'x  y, b INT)`:                  false,
	} {
		if (sqltext.Normal(sql) == sqltext.Normal(plain)) != same {
			t.Errorf("%q counts as the same: %t", sql, !same)
		}
	}
}
