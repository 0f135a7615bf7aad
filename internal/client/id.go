package client

import "crypto/rand"

// alphabet has 64 letters, so that six random bits choose one.
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

// NewID returns a random id of 21 letters, digits, _ and -: 126 bits, a nanoid.
func NewID() string {
	b := make([]byte, 21)
	rand.Read(b) // never fails
	for i := range b {
		b[i] = alphabet[b[i]&63]
	}
	return string(b)
}
