package wire

import (
	"errors"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	// PushValue is the value of the exit of a push.
	PushValue = `{}`
	// PingValue is the value of the exit of an [HTTPPing].
	PingValue = `{"_tag":"SyncMessage.Pong"}`
)

// AppendServer writes a message in the dialect its id asks for. [Defect] and [Pong] are the same in both.
func AppendServer(dst []byte, m ServerMessage) []byte {
	switch m := m.(type) {
	case *Chunk:
		dst = append(dst, `{"_tag":"Chunk","requestId":`...)
		dst = m.ID.append(dst)
		dst = append(dst, `,"values":[`...)
		for i := range m.Items {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendItem(dst, &m.Items[i])
		}
		return append(dst, `]}`...)
	case *Exit:
		dst = append(dst, `{"_tag":"Exit","requestId":`...)
		dst = m.ID.append(dst)
		if len(m.Failure) > 0 {
			dst = append(dst, `,"exit":{"_tag":"Failure","cause":`...)
			dst = appendCause(dst, m.ID.Dialect(), m.Failure)
		} else {
			dst = append(dst, `,"exit":{"_tag":"Success","value":`...)
			dst = appendValue(dst, m.Value)
		}
		return append(dst, `}}`...)
	case *Defect:
		dst = append(dst, `{"_tag":"Defect","defect":`...)
		return append(appendValue(dst, m.Defect), '}')
	case Pong:
		return append(dst, pongFrame...)
	default:
		panic("wire: no message of a server")
	}
}

// pongFrame is how servers write what they send most.
const pongFrame = `{"_tag":"Pong"}`

func appendItem(dst []byte, item *Item) []byte {
	dst = append(dst, `{"batch":[`...)
	for i := range item.Events {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendEvent(dst, &item.Events[i])
	}
	dst = append(dst, `],"pageInfo":{"_tag":"`...)
	dst = append(dst, item.Page.Kind.String()...)
	dst = append(dst, '"')
	if item.Page.Kind == MoreKnown {
		dst = append(dst, `,"remaining":`...)
		dst = strconv.AppendInt(dst, int64(item.Page.Remaining), 10)
	}
	dst = append(dst, `},"backendId":`...)
	dst = appendString(dst, item.BackendID)
	return append(dst, '}')
}

func appendEvent(dst []byte, e *Event) []byte {
	dst = append(dst, `{"eventEncoded":`...)
	dst = appendGlobal(dst, &e.Global)
	switch {
	case len(e.Metadata) > 0:
		dst = append(dst, `,"metadata":{"_tag":"Some","value":`...)
		dst = append(dst, e.Metadata...)
		return append(dst, `}}`...)
	case e.CreatedAt != "":
		dst = append(dst, `,"metadata":{"_tag":"Some","value":{"_tag":"`+syncMetadata+`","createdAt":`...)
		dst = appendString(dst, e.CreatedAt)
		return append(dst, `}}}`...)
	default:
		return append(dst, `,"metadata":{"_tag":"None"}}`...)
	}
}

const syncMetadata = "SyncMessage.SyncMetadata"

// appendCause writes why a request failed: in dialect E3 a tree that leans to the left, in E4 a list.
func appendCause(dst []byte, d Dialect, reasons []Reason) []byte {
	if d == E3 {
		for range len(reasons) - 1 {
			dst = append(dst, `{"_tag":"Sequential","left":`...)
		}
		for i := range reasons {
			if i > 0 {
				dst = append(dst, `,"right":`...)
			}
			dst = appendReason(dst, d, &reasons[i])
			if i > 0 {
				dst = append(dst, '}')
			}
		}
		return dst
	}
	dst = append(dst, '[')
	for i := range reasons {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendReason(dst, d, &reasons[i])
	}
	return append(dst, ']')
}

func appendReason(dst []byte, d Dialect, r *Reason) []byte {
	switch {
	case r.Kind == Fail:
		dst = append(dst, `{"_tag":"Fail","error":`...)
		return append(appendError(dst, d, r.Err), '}')
	case r.Kind == Die:
		dst = append(dst, `{"_tag":"Die","defect":`...)
		return append(appendValue(dst, r.Defect), '}')
	case d == E3:
		return append(dst, `{"_tag":"Interrupt","fiberId":{"_tag":"None"}}`...)
	default:
		return append(dst, `{"_tag":"Interrupt","fiberId":null}`...)
	}
}

// appendError writes an error of the protocol. Any other goes out as an [UnknownError] of its text.
func appendError(dst []byte, d Dialect, err error) []byte {
	tagged := func(tag string) {
		if d == E3 { // the tag is last there
			dst = append(dst, '{')
			return
		}
		dst = append(dst, `{"_tag":"`...)
		dst = append(dst, tag...)
		dst = append(dst, `",`...)
	}
	end := func(tag string) []byte {
		if d == E3 {
			dst = append(dst, `,"_tag":"`...)
			dst = append(dst, tag...)
			dst = append(dst, '"')
		}
		return append(dst, '}')
	}
	if e, ok := errors.AsType[*ServerAheadError](err); ok {
		tagged(serverAhead)
		dst = append(dst, `"minimumExpectedNum":`...)
		dst = strconv.AppendInt(dst, e.MinimumExpectedNum, 10)
		dst = append(dst, `,"providedNum":`...)
		dst = strconv.AppendInt(dst, e.ProvidedNum, 10)
		return end(serverAhead)
	}
	if e, ok := errors.AsType[*BackendIDMismatchError](err); ok {
		tagged(backendMismatch)
		dst = append(dst, `"expected":`...)
		dst = appendString(dst, e.Expected)
		dst = append(dst, `,"received":`...)
		dst = appendString(dst, e.Received)
		return end(backendMismatch)
	}
	e, ok := errors.AsType[*UnknownError](err)
	if !ok {
		text := "no error given"
		if err != nil {
			text = err.Error()
		}
		e = &UnknownError{Cause: Cause("Error", text)}
	}
	tagged(unknownError)
	dst = append(dst, `"cause":`...)
	dst = appendValue(dst, e.Cause)
	if e.Note != "" {
		dst = append(dst, `,"note":`...)
		dst = appendString(dst, e.Note)
	}
	if len(e.Payload) > 0 {
		dst = append(dst, `,"payload":`...)
		dst = append(dst, e.Payload...)
	}
	return end(unknownError)
}

const (
	serverAhead     = "ServerAheadError"
	backendMismatch = "BackendIdMismatchError"
	unknownError    = "UnknownError"
)

// Cause returns what JavaScript peers make of an error: {"name":…,"message":…}. It is the cause of an [UnknownError] or a defect.
func Cause(name, message string) jsontext.Value {
	dst := append([]byte(nil), `{"name":`...)
	dst = appendString(dst, name)
	dst = append(dst, `,"message":`...)
	dst = appendString(dst, message)
	return append(dst, '}')
}
