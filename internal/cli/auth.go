package cli

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/livestore-go/livestore/server"
)

var errToken = errors.New("invalid auth token")

// byToken lets in whose sync payload is an object with one of the tokens as its authToken.
func byToken(tokens []string) (func(context.Context, server.AuthRequest) error, error) {
	if slices.Contains(tokens, "") {
		return nil, usagef("an auth token is empty: leave the flag out to let everybody in")
	}
	// Hashes have one length, so comparing takes as long for each.
	hashes := make([][sha256.Size]byte, len(tokens))
	for i, token := range tokens {
		hashes[i] = sha256.Sum256([]byte(token))
	}
	return func(_ context.Context, r server.AuthRequest) error {
		var payload struct {
			AuthToken string `json:"authToken"`
		}
		if len(r.Payload) == 0 || json.Unmarshal(r.Payload, &payload) != nil {
			return errToken
		}
		hash, found := sha256.Sum256([]byte(payload.AuthToken)), 0
		for i := range hashes {
			found |= subtle.ConstantTimeCompare(hash[:], hashes[i][:])
		}
		if found == 0 {
			return errToken
		}
		return nil
	}, nil
}
