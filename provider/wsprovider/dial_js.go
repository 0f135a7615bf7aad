//go:build js

package wsprovider

import (
	"context"
	"net/http"
	"strings"

	"github.com/coder/websocket"
)

// socket is a WebSocket connection.
type socket = *websocket.Conn

// open connects with the WebSocket of the browser, which says nothing about why an attempt did not work.
func open(ctx context.Context, url string, _ *Options) (socket, *http.Response, error) {
	if rest, ok := strings.CutPrefix(url, "http"); ok {
		url = "ws" + rest
	}
	return websocket.Dial(ctx, url, nil)
}
