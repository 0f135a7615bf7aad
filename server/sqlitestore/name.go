package sqlitestore

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/livestore-go/livestore/server"
)

// longName is how many bytes of a store id's name are written out; a file system takes 255 for all of a file's name.
const longName = 160

// fileName returns the file of a store. Different stores have different files, also where case does not count, and none is a
// device of Windows.
func fileName(storeID string) (string, error) {
	if err := server.CheckStoreID(storeID); err != nil {
		return "", err
	}
	var name strings.Builder
	for _, c := range []byte(storeID) {
		if 'A' <= c && c <= 'Z' {
			name.WriteByte('+')
			c += 'a' - 'A'
		}
		name.WriteByte(c)
	}
	s := name.String()
	if len(s) > longName {
		hash := sha256.Sum256([]byte(storeID))
		s = s[:longName-33] + "=" + hex.EncodeToString(hash[:16])
	}
	return "store-" + s + ".sqlite", nil
}
