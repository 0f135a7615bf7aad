//go:build !js

package wsprovider

import (
	"context"
	"net/http"

	"github.com/coder/websocket"
)

// socket is a WebSocket connection.
type socket = *websocket.Conn

func open(ctx context.Context, url string, opts *Options) (socket, *http.Response, error) {
	return websocket.Dial(ctx, url, &websocket.DialOptions{HTTPClient: opts.HTTPClient, HTTPHeader: opts.Header})
}
