// Package server is the sync backend: it gives the events of each store their order, keeps them in a [Storage], and hands them out to the
// store's clients, in Go and in JavaScript, over the protocol of LiveStore's sync-cf.
//
// A [Server] is an [net/http.Handler]. The storage is one of the packages below, or another one that passes server/storagetest:
//
//	storage, err := sqlitestore.Open("./data")
//	…
//	http.ListenAndServe("127.0.0.1:8787", server.New(storage, nil))
//
// # Requests
//
// What a request wants stands in its query; its path is of no account, so the server can be mounted anywhere: storeId, transport and, for
// [Options].Authorize, payload. A store id is 1 to
// 128 letters, digits, _ and -. With transport=ws a connection is a WebSocket; text and binary frames, whole and fragmented, hold the
// messages of either dialect of the protocol (that of LiveStore 0.4, and the later one), and each request is answered in its own.
// A request that is none gets
//
//	200  text     GET / without a query, at the root only: what this is
//	400           the query is wrong
//	401           Authorize refused, and why
//	403           a web page of another origin than Options.Origins allows
//	426           transport=ws without an upgrade
//	500           the store can not be opened; the log says why
//	501           transport=http, which this server does not have yet
//	503           it is shutting down, or has as many connections as it may
//
// # What is promised
//
// A push is stored as a whole or not at all, iff it chains on the head; when it is answered it is as durable as the storage makes it. Each
// pull gets the events in their order, without gap or repetition, whatever is pushed meanwhile. A client that does not read holds nobody
// up: what waits for it is bounded, nothing more is read from it while it is full, and it is cut off after [Limits].WriteTimeout. A message
// that is no message is answered and harms nobody else; one that is too large ends its connection.
package server
