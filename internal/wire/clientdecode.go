package wire

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/event"
)

// The requests, by the tag they carry.
const (
	pullWS   = "SyncWsRpc.Pull"
	pushWS   = "SyncWsRpc.Push"
	pullHTTP = "SyncHttpRpc.Pull"
	pushHTTP = "SyncHttpRpc.Push"
	pingHTTP = "SyncHttpRpc.Ping"
)

// DecodeClient reads a frame of a client: one message, or as dialect [E4] has it an array of messages.
//
// The messages returned are good even when there is an error. The error is a *[FrameError] when something is wrong that no
// request can be blamed for: what follows it in the frame is lost. It is a *[RequestError] when a request is wrong, and the
// other messages of the frame are all there. An array may have several errors, joined: [Faults] takes them apart.
func DecodeClient(frame []byte) ([]ClientMessage, error) {
	if string(frame) == pingFrame {
		return []ClientMessage{Ping{}}, nil
	}
	if err := validate(frame); err != nil {
		return nil, blame(frame, err)
	}
	s := scanner{b: frame}
	if s.kind() != '[' {
		m, err := s.clientMessage()
		if err != nil {
			return nil, err
		}
		return []ClientMessage{m}, nil
	}
	s.i++
	var messages []ClientMessage
	var faults []error
	for s.more() {
		m, err := s.clientMessage()
		if err != nil {
			faults = append(faults, err)
			if _, ok := errors.AsType[*FrameError](err); ok {
				break
			}
			continue
		}
		messages = append(messages, m)
	}
	if len(faults) == 1 {
		return messages, faults[0]
	}
	return messages, errors.Join(faults...)
}

// pingFrame is how clients write what they send most.
const pingFrame = `{"_tag":"Ping"}`

// blame finds the request that makes a frame invalid. A key that stands twice or half a surrogate pair in its payload is the
// request's fault; the connection does not have to end for it.
func blame(frame []byte, err error) error {
	why := clip(err.Error(), 300)
	lost := &FrameError{Why: why, Defect: Cause("SyntaxError", why)}
	v := jsontext.Value(frame)
	if !v.IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) {
		return lost
	}
	s := scanner{b: frame}
	if s.kind() != '{' {
		return lost
	}
	var members [keyCount]jsontext.Value
	if twice := s.envelope(&members); twice || len(members[keyTag]) == 0 || string(members[keyTag]) != `"Request"` {
		return lost
	}
	for k, m := range members {
		if k != keyPayload && m != nil && !m.IsValid() {
			return lost
		}
	}
	id, idErr := idOf(members[keyID])
	if idErr != nil {
		return lost
	}
	return &RequestError{ID: id, Why: why}
}

// Keys of a message's envelope.
const (
	keyTag = iota
	keyID
	keyRequestID
	keyRPC
	keyPayload
	keyCount
)

// envelope reads the members of a message as they stand, and says whether one stands there twice.
func (s *scanner) envelope(members *[keyCount]jsontext.Value) (twice bool) {
	s.i++
	for s.more() {
		var k int
		switch key := s.key(); string(key) {
		case "_tag":
			k = keyTag
		case "id":
			k = keyID
		case "requestId":
			k = keyRequestID
		case "tag":
			k = keyRPC
		case "payload":
			k = keyPayload
		default: // headers and tracing
			s.skip()
			continue
		}
		twice = twice || members[k] != nil
		members[k] = s.skip()
	}
	return twice
}

func idOf(v jsontext.Value) (ID, error) {
	if v == nil {
		return ID{}, &shapeError{why: "Missing key"}
	}
	s := scanner{b: v}
	return s.id()
}

// textOf returns a member that is a string as text, and any other as JSON: "undefined" when it is not there. It is for answers
// that name what was not understood, as the official server does.
func textOf(v jsontext.Value) []byte {
	if v == nil {
		return []byte("undefined")
	}
	if v[0] != '"' {
		return v
	}
	return unquoted(v)
}

func defect(why string) *FrameError { return &FrameError{Why: why, Defect: appendString(nil, why)} }

func (s *scanner) clientMessage() (ClientMessage, error) {
	if s.kind() != '{' {
		return nil, defect("Expected message, got " + clip(s.skip(), 40))
	}
	var m [keyCount]jsontext.Value
	s.envelope(&m)
	switch tag := textOf(m[keyTag]); string(tag) {
	case "Request":
		id, err := idOf(m[keyID])
		if err != nil {
			return nil, defect("Invalid request id: " + at(err, "id").Error())
		}
		return decodeRequest(id, m[keyRPC], m[keyPayload])
	case "Ack", "Interrupt":
		id, err := idOf(m[keyRequestID])
		if err != nil {
			return nil, defect("Invalid request id: " + at(err, "requestId").Error())
		}
		if string(tag) == "Ack" {
			return &Ack{ID: id}, nil
		}
		return &Interrupt{ID: id}, nil
	case "Ping":
		return Ping{}, nil
	case "Eof":
		return Eof{}, nil
	default:
		return nil, defect("Unknown request tag: " + clip(tag, 100))
	}
}

func decodeRequest(id ID, rpc, payload jsontext.Value) (m ClientMessage, err error) {
	if payload == nil {
		payload = jsontext.Value("null")
	}
	s := scanner{b: payload}
	switch tag := textOf(rpc); string(tag) {
	case pullWS, pullHTTP:
		m, err = s.pull(&Pull{ID: id, HTTP: string(tag) == pullHTTP})
	case pushWS, pushHTTP:
		m, err = s.push(&Push{ID: id, HTTP: string(tag) == pushHTTP})
	case pingHTTP:
		m, err = s.httpPing(&HTTPPing{ID: id})
	default:
		return nil, unknownRequest(id, clip(tag, 100))
	}
	if err != nil {
		return nil, &RequestError{ID: id, Why: err.Error()}
	}
	return m, nil
}

// unknownRequest is the error for a tag that is not served. In dialect E3 it is the connection's.
func unknownRequest(id ID, tag string) error {
	why := "Unknown request tag: " + tag
	if id.Dialect() == E3 {
		return defect(why)
	}
	return &RequestError{ID: id, Why: why}
}

// CheckTransport returns nil when a message may come by a transport. A request of the other transport is not known there: the
// error is the one [DecodeClient] has for unknown requests.
func CheckTransport(m ClientMessage, t Transport) error {
	var id ID
	var tag string
	switch m := m.(type) {
	case *Pull:
		if m.HTTP == (t == HTTP) {
			return nil
		}
		id, tag = m.ID, m.tag()
	case *Push:
		if m.HTTP == (t == HTTP) {
			return nil
		}
		id, tag = m.ID, m.tag()
	case *HTTPPing:
		if t == HTTP {
			return nil
		}
		id, tag = m.ID, pingHTTP
	default:
		return nil
	}
	return unknownRequest(id, tag)
}

func (p *Pull) tag() string {
	if p.HTTP {
		return pullHTTP
	}
	return pullWS
}

func (p *Push) tag() string {
	if p.HTTP {
		return pushHTTP
	}
	return pushWS
}

// httpPing reads the payload of a ping.
func (s *scanner) httpPing(p *HTTPPing) (ClientMessage, error) {
	if err := s.open('{', "object"); err != nil {
		return nil, err
	}
	store := false
	for s.more() {
		var err error
		switch key := s.key(); string(key) {
		case "storeId":
			store = true
			p.StoreID, err = s.text("")
			err = at(err, "storeId")
		case "payload":
			p.Payload = nullable(s.skip())
		default:
			s.skip()
		}
		if err != nil {
			return nil, err
		}
	}
	if !store {
		return nil, missing("storeId")
	}
	return p, nil
}

// nullable returns nil for null, which is how dialect E4 writes that there is none.
func nullable(v jsontext.Value) jsontext.Value {
	if v[0] == 'n' {
		return nil
	}
	return v
}

// pull reads the payload of a pull.
func (s *scanner) pull(p *Pull) (ClientMessage, error) {
	if err := s.open('{', "object"); err != nil {
		return nil, err
	}
	var store, live, cursor bool
	for s.more() {
		var err error
		switch key := s.key(); string(key) {
		case "storeId":
			store = true
			p.StoreID, err = s.text("")
			err = at(err, "storeId")
		case "payload":
			p.Payload = nullable(s.skip())
		case "live":
			if p.HTTP {
				s.skip()
				break
			}
			live = true
			p.Live, err = s.flag()
			err = at(err, "live")
		case "cursor":
			cursor = true
			p.Cursor, err = s.cursor()
			err = at(err, "cursor")
		default:
			s.skip()
		}
		if err != nil {
			return nil, err
		}
	}
	switch {
	case !store:
		return nil, missing("storeId")
	case !live && !p.HTTP:
		return nil, missing("live")
	case !cursor:
		return nil, missing("cursor")
	}
	return p, nil
}

// cursor reads an Option of a cursor.
func (s *scanner) cursor() (*Cursor, error) {
	v, err := s.option()
	if err != nil || v == nil {
		return nil, err
	}
	in := scanner{b: v}
	if err := in.open('{', "object"); err != nil {
		return nil, at(err, "value")
	}
	var c Cursor
	var backend, after bool
	for in.more() {
		var err error
		switch key := in.key(); string(key) {
		case "backendId":
			backend = true
			c.BackendID, err = in.name()
			err = at(err, "backendId")
		case "eventSequenceNumber":
			after = true
			c.After, err = in.number()
			err = at(err, "eventSequenceNumber")
		default:
			in.skip()
		}
		if err != nil {
			return nil, at(err, "value")
		}
	}
	switch {
	case !backend:
		return nil, at(missing("backendId"), "value")
	case !after:
		return nil, at(missing("eventSequenceNumber"), "value")
	}
	return &c, nil
}

// push reads the payload of a push.
func (s *scanner) push(p *Push) (ClientMessage, error) {
	if err := s.open('{', "object"); err != nil {
		return nil, err
	}
	var store, batch, backend bool
	for s.more() {
		var err error
		switch key := s.key(); string(key) {
		case "storeId":
			store = true
			p.StoreID, err = s.text("")
			err = at(err, "storeId")
		case "payload":
			p.Payload = nullable(s.skip())
		case "batch":
			batch = true
			p.Batch, err = s.globals(p.ID.Dialect() == E3)
			err = at(err, "batch")
		case "backendId":
			backend = true
			p.BackendID, err = s.backend()
			err = at(err, "backendId")
		default:
			s.skip()
		}
		if err != nil {
			return nil, err
		}
	}
	switch {
	case !store:
		return nil, missing("storeId")
	case !batch:
		return nil, missing("batch")
	case !backend:
		return nil, missing("backendId")
	}
	return p, nil
}

// backend reads an Option of the id of a backend, empty for none.
func (s *scanner) backend() (string, error) {
	v, err := s.option()
	if err != nil || v == nil {
		return "", err
	}
	id, err := (&scanner{b: v}).name()
	return id, at(err, "value")
}

// globals reads the events of a push. Only dialect E3 may leave arguments out.
func (s *scanner) globals(optional bool) ([]event.Global, error) {
	if err := s.open('[', "array"); err != nil {
		return nil, err
	}
	var batch []event.Global
	var last event.Global
	for s.more() {
		start := s.i
		var err error
		if last, err = s.global(last, optional, MaxDepth); err != nil {
			return nil, atIndex(err, len(batch))
		}
		if batch == nil {
			batch = make([]event.Global, 0, s.expect(start))
		}
		batch = append(batch, last)
	}
	return batch, nil
}

// global reads an event. It shares what it can with the last one.
func (s *scanner) global(last event.Global, optional bool, depth int) (event.Global, error) {
	if err := s.open('{', "object"); err != nil {
		return last, err
	}
	var e event.Global
	const all = 1<<6 - 1
	seen := 0
	for s.more() {
		var err error
		switch key := s.key(); string(key) {
		case "name":
			seen |= 1 << 0
			e.Name, err = s.text(last.Name)
			err = at(err, "name")
		case "args":
			seen |= 1 << 1
			var deep int
			if e.Args, deep = s.skipDepth(); deep > depth {
				err = at(&shapeError{why: fmt.Sprintf("Expected at most %d levels, got %d", depth, deep)}, "args")
			}
		case "seqNum":
			seen |= 1 << 2
			e.SeqNum, err = s.number()
			err = at(err, "seqNum")
		case "parentSeqNum":
			seen |= 1 << 3
			e.ParentSeqNum, err = s.number()
			err = at(err, "parentSeqNum")
		case "clientId":
			seen |= 1 << 4
			e.ClientID, err = s.text(last.ClientID)
			err = at(err, "clientId")
		case "sessionId":
			seen |= 1 << 5
			e.SessionID, err = s.text(last.SessionID)
			err = at(err, "sessionId")
		default:
			s.skip()
		}
		if err != nil {
			return last, err
		}
	}
	if e.Args == nil && optional {
		seen |= 1 << 1
		e.Args = jsontext.Value("null")
	}
	if seen != all {
		for i, name := range [...]string{"name", "args", "seqNum", "parentSeqNum", "clientId", "sessionId"} {
			if seen&(1<<i) == 0 {
				return last, missing(name)
			}
		}
	}
	return e, nil
}
