// Package wsprovider is the sync provider for backends that speak the sync protocol of LiveStore over WebSocket: the server of this
// project and the official one on Cloudflare.
//
//	local.New("./data", &local.Options{Sync: wsprovider.New("wss://sync.example.com", nil)})
//
// A client connects in the background and keeps the connection. It sends a ping every ten seconds, and gives a connection up over which
// nothing has come since the ping before. Between two attempts to connect it waits, for one second at first and for thirty at most. The
// next attempt is made at once when the addresses of the machine's network interfaces have changed, or when the app calls Reconnect.
// A backend that refuses the credentials is asked again once a minute.
package wsprovider
