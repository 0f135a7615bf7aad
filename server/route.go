package server

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/coder/websocket"

	"github.com/livestore-go/livestore/internal/wire"
)

// ServeHTTP answers a request of a client. What it is about stands in the query; the path does not matter, so that a server may be
// mounted anywhere.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q, err := wire.ParseQuery(r.URL.Query())
	if err == nil {
		err = CheckStoreID(q.StoreID)
	}
	switch {
	case err != nil && r.URL.Path == "/" && r.URL.RawQuery == "" && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		answer(w, http.StatusOK, "Info: this is a sync backend of LiveStore; a store's client connects with ?storeId=…&transport=ws")
	case err != nil:
		answer(w, http.StatusBadRequest, "Invalid request: "+err.Error())
	case q.Transport == wire.HTTP:
		answer(w, http.StatusNotImplemented, "Not implemented: this server has no transport=http yet; use transport=ws")
	case !asksForUpgrade(r):
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Connection", "Upgrade")
		answer(w, http.StatusUpgradeRequired, "Upgrade required: transport=ws is a WebSocket connection")
	default:
		s.serveWS(w, r, q)
	}
}

func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n")) //nolint:gosec // it is plain text and says so; and nobody is left to tell of an error
}

func asksForUpgrade(r *http.Request) bool {
	for _, value := range r.Header.Values("Upgrade") {
		for token := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.TrimSpace(token), "websocket") {
				return true
			}
		}
	}
	return false
}

// enter counts a request as one that may become a connection, and says with which status it may not.
func (s *Server) enter() (status int, why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closing:
		return http.StatusServiceUnavailable, "Unavailable: the server is shutting down; connect again later"
	case s.entered >= s.limits.Connections:
		return http.StatusServiceUnavailable, "Unavailable: the server has as many connections as it may have; connect again later"
	}
	s.entered++
	s.used.Add(1)
	return 0, ""
}

func (s *Server) leave() {
	s.mu.Lock()
	s.entered--
	s.mu.Unlock()
	s.used.Done()
}

// serveWS lets a client in, opens its store, and serves the connection until it ends.
func (s *Server) serveWS(w http.ResponseWriter, r *http.Request, q wire.Query) {
	if status, why := s.enter(); status != 0 {
		w.Header().Set("Retry-After", "1")
		answer(w, status, why)
		return
	}
	defer s.leave()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	who := AuthRequest{
		StoreID: q.StoreID, Payload: json.RawMessage(q.Payload), Header: r.Header, RemoteAddr: r.RemoteAddr, Transport: string(q.Transport),
	}
	if s.opts.Authorize != nil {
		if err := s.opts.Authorize(ctx, who); err != nil {
			s.logger.Info("a client was refused", "store", q.StoreID, "remote", r.RemoteAddr, "why", err)
			w.Header().Set("WWW-Authenticate", "LiveStore") // the payload carries the credentials; see RFC 9110 for why this must be here
			answer(w, http.StatusUnauthorized, "Unauthorized: "+err.Error())
			return
		}
	}
	h, err := s.acquire(ctx, q.StoreID)
	if err != nil && r.Context().Err() != nil {
		return // the client has left
	}
	if err != nil {
		// What went wrong names files of this machine, which are no client's business.
		s.logger.Error("a store can not be opened", "store", q.StoreID, "err", err)
		answer(w, http.StatusInternalServerError, "Error: the store can not be opened; the server's log says why")
		return
	}
	defer s.release(h)
	hijacked := &hijacker{ResponseWriter: w}
	ws, err := websocket.Accept(hijacked, r, s.accepting())
	if err != nil {
		s.logger.Info("a connection was refused", "store", q.StoreID, "remote", r.RemoteAddr, "why", err)
		return // Accept has answered
	}
	c := newConn(s, h, ws, hijacked.conn, who)
	if !s.add(c) {
		c.cut(errCut)
		c.letGo()
		return
	}
	defer s.remove(c)
	c.serve()
}

// accepting says whose connections are accepted. Compression stays off: it costs a megabyte a connection, and events are small.
func (s *Server) accepting() *websocket.AcceptOptions {
	o := &websocket.AcceptOptions{OriginPatterns: s.opts.Origins}
	for _, origin := range s.opts.Origins {
		o.InsecureSkipVerify = o.InsecureSkipVerify || origin == "*"
	}
	return o
}

func (s *Server) add(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	s.conns[c] = struct{}{}
	return true
}

func (s *Server) remove(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}
