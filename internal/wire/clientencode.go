package wire

import (
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/event"
)

// AppendClient writes a message as the official client of a dialect does, without the keys for tracing.
func AppendClient(dst []byte, d Dialect, m ClientMessage) []byte {
	switch m := m.(type) {
	case *Pull:
		dst = appendRequest(dst, d, m.ID, m.tag(), m.StoreID, m.Payload)
		if !m.HTTP {
			dst = append(dst, `,"live":`...)
			dst = strconv.AppendBool(dst, m.Live)
		}
		dst = append(dst, `,"cursor":`...)
		if c := m.Cursor; c == nil {
			dst = append(dst, `{"_tag":"None"}`...)
		} else {
			dst = append(dst, `{"_tag":"Some","value":{"backendId":`...)
			dst = appendString(dst, c.BackendID)
			dst = append(dst, `,"eventSequenceNumber":`...)
			dst = strconv.AppendInt(dst, c.After, 10)
			dst = append(dst, `}}`...)
		}
		return append(dst, `},"headers":[]}`...)
	case *Push:
		dst = appendRequest(dst, d, m.ID, m.tag(), m.StoreID, m.Payload)
		dst = append(dst, `,"batch":[`...)
		for i := range m.Batch {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendGlobal(dst, &m.Batch[i])
		}
		dst = append(dst, `],"backendId":`...)
		if m.BackendID == "" {
			dst = append(dst, `{"_tag":"None"}`...)
		} else {
			dst = append(dst, `{"_tag":"Some","value":`...)
			dst = appendString(dst, m.BackendID)
			dst = append(dst, '}')
		}
		return append(dst, `},"headers":[]}`...)
	case *HTTPPing:
		dst = appendRequest(dst, d, m.ID, pingHTTP, m.StoreID, m.Payload)
		return append(dst, `},"headers":[]}`...)
	case *Ack:
		dst = append(dst, `{"_tag":"Ack","requestId":`...)
		return append(m.ID.append(dst), '}')
	case *Interrupt:
		dst = append(dst, `{"_tag":"Interrupt","requestId":`...)
		return append(m.ID.append(dst), '}')
	case Ping:
		return append(dst, pingFrame...)
	case Eof:
		return append(dst, `{"_tag":"Eof"}`...)
	default:
		panic("wire: no message of a client")
	}
}

// appendRequest writes a request up to and with the members all payloads begin with.
func appendRequest(dst []byte, d Dialect, id ID, tag, storeID string, payload jsontext.Value) []byte {
	dst = append(dst, `{"_tag":"Request","id":`...)
	dst = id.append(dst)
	dst = append(dst, `,"tag":"`...)
	dst = append(dst, tag...)
	dst = append(dst, `","payload":{"storeId":`...)
	dst = appendString(dst, storeID)
	if len(payload) > 0 || d == E4 {
		dst = append(dst, `,"payload":`...)
		dst = appendValue(dst, payload)
	}
	return dst
}

// appendGlobal writes an event, its arguments as they are.
func appendGlobal(dst []byte, e *event.Global) []byte {
	dst = append(dst, `{"name":`...)
	dst = appendString(dst, e.Name)
	dst = append(dst, `,"args":`...)
	dst = appendValue(dst, e.Args)
	dst = append(dst, `,"seqNum":`...)
	dst = strconv.AppendInt(dst, e.SeqNum, 10)
	dst = append(dst, `,"parentSeqNum":`...)
	dst = strconv.AppendInt(dst, e.ParentSeqNum, 10)
	dst = append(dst, `,"clientId":`...)
	dst = appendString(dst, e.ClientID)
	dst = append(dst, `,"sessionId":`...)
	dst = appendString(dst, e.SessionID)
	return append(dst, '}')
}
