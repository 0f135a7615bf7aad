package wire

import (
	"github.com/go-json-experiment/json/jsontext"
)

// DecodeServer reads a frame of a server, in either dialect: one message or an array of messages. Keys it does not know are
// ignored. The error is a *[FrameError]; the messages before it in the frame are returned with it.
func DecodeServer(frame []byte) ([]ServerMessage, error) {
	if string(frame) == pongFrame {
		return []ServerMessage{Pong{}}, nil
	}
	if err := validate(frame); err != nil {
		why := clip(err.Error(), 300)
		return nil, &FrameError{Why: why, Defect: Cause("SyntaxError", why)}
	}
	s := scanner{b: frame}
	if s.kind() != '[' {
		m, err := s.serverMessage()
		if err != nil {
			return nil, defect(err.Error())
		}
		return []ServerMessage{m}, nil
	}
	s.i++
	var messages []ServerMessage
	for s.more() {
		m, err := s.serverMessage()
		if err != nil {
			return messages, defect(atIndex(err, len(messages)).Error())
		}
		messages = append(messages, m)
	}
	return messages, nil
}

func (s *scanner) serverMessage() (ServerMessage, error) {
	if err := s.open('{', "message"); err != nil {
		return nil, err
	}
	var tag, id, values, exit, def jsontext.Value
	for s.more() {
		switch key := s.key(); string(key) {
		case "_tag":
			tag = s.skip()
		case "requestId":
			id = s.skip()
		case "values":
			values = s.skip()
		case "exit":
			exit = s.skip()
		case "defect":
			def = s.skip()
		default:
			s.skip()
		}
	}
	switch name := textOf(tag); string(name) {
	case "Chunk":
		c := &Chunk{}
		if err := inside("requestId", id, func(s *scanner) (err error) { c.ID, err = s.id(); return err }); err != nil {
			return nil, err
		}
		return c, inside("values", values, func(s *scanner) (err error) { c.Items, err = s.items(); return err })
	case "Exit":
		e := &Exit{}
		if err := inside("requestId", id, func(s *scanner) (err error) { e.ID, err = s.id(); return err }); err != nil {
			return nil, err
		}
		return e, inside("exit", exit, func(s *scanner) error { return s.exit(e) })
	case "Defect":
		if def == nil {
			return nil, missing("defect")
		}
		return &Defect{Defect: def}, nil
	case "Pong":
		return Pong{}, nil
	default:
		return nil, at(unexpected(`"Chunk", "Exit", "Defect" or "Pong"`, name), "_tag")
	}
}

// inside reads a member that was passed before.
func inside(key string, v jsontext.Value, read func(*scanner) error) error {
	if v == nil {
		return missing(key)
	}
	return at(read(&scanner{b: v}), key)
}

func (s *scanner) items() ([]Item, error) {
	if err := s.open('[', "array"); err != nil {
		return nil, err
	}
	var items []Item
	for s.more() {
		item, err := s.item()
		if err != nil {
			return nil, atIndex(err, len(items))
		}
		items = append(items, item)
	}
	if len(items) == 0 {
		return nil, &shapeError{why: "Expected at least one value, got []"}
	}
	return items, nil
}

func (s *scanner) item() (item Item, err error) {
	if err := s.open('{', "object"); err != nil {
		return item, err
	}
	var batch, page, backend bool
	for s.more() {
		switch key := s.key(); string(key) {
		case "batch":
			batch = true
			item.Events, err = s.events()
			err = at(err, "batch")
		case "pageInfo":
			page = true
			item.Page, err = s.page()
			err = at(err, "pageInfo")
		case "backendId":
			backend = true
			item.BackendID, err = s.name()
			err = at(err, "backendId")
		default:
			s.skip()
		}
		if err != nil {
			return item, err
		}
	}
	switch {
	case !batch:
		return item, missing("batch")
	case !page:
		return item, missing("pageInfo")
	case !backend:
		return item, missing("backendId")
	}
	return item, nil
}

func (s *scanner) page() (p Page, err error) {
	tag, remaining, err := s.tagged("object", "remaining")
	if err != nil {
		return p, err
	}
	switch string(tag) {
	case "NoMore":
		return Page{Kind: NoMore}, nil
	case "MoreUnknown":
		return Page{Kind: MoreUnknown}, nil
	case "MoreKnown":
		p.Kind = MoreKnown
		err = inside("remaining", remaining, func(s *scanner) error {
			n, err := s.number()
			p.Remaining = int(n)
			return err
		})
		return p, err
	default:
		return p, at(unexpected(`"NoMore", "MoreKnown" or "MoreUnknown"`, tag), "_tag")
	}
}

func (s *scanner) events() ([]Event, error) {
	if err := s.open('[', "array"); err != nil {
		return nil, err
	}
	var events []Event
	var last Event
	for s.more() {
		start := s.i
		var err error
		if last, err = s.event(last); err != nil {
			return nil, atIndex(err, len(events))
		}
		if events == nil {
			events = make([]Event, 0, s.expect(start))
		}
		events = append(events, last)
	}
	return events, nil
}

// event reads an event. It shares what it can with the last one.
func (s *scanner) event(last Event) (e Event, err error) {
	if err := s.open('{', "object"); err != nil {
		return e, err
	}
	var encoded, metadata bool
	for s.more() {
		switch key := s.key(); string(key) {
		case "eventEncoded":
			encoded = true
			e.Global, err = s.global(last.Global, true, maxNesting)
			err = at(err, "eventEncoded")
		case "metadata":
			metadata = true
			err = at(s.metadata(&e, last.CreatedAt), "metadata")
		default:
			s.skip()
		}
		if err != nil {
			return e, err
		}
	}
	switch {
	case !encoded:
		return e, missing("eventEncoded")
	case !metadata:
		return e, missing("metadata")
	}
	return e, nil
}

// metadata reads an Option of metadata, raw when it is more than the time the official backend puts there.
func (s *scanner) metadata(e *Event, last string) error {
	v, err := s.option()
	if err != nil || v == nil {
		return err
	}
	in := scanner{b: v}
	if err := in.open('{', "object"); err != nil {
		return at(err, "value")
	}
	plain := 0 // both members as they usually are, and no other
	for in.more() {
		key := in.key()
		if string(key) == "createdAt" {
			created, err := in.text(last)
			if err != nil {
				return at(at(err, "createdAt"), "value")
			}
			if e.CreatedAt = created; created != "" {
				plain++
			}
			continue
		}
		if m := in.skip(); string(key) == "_tag" && string(m) == `"`+syncMetadata+`"` {
			plain++
			continue
		}
		plain = -2
	}
	if plain != 2 {
		e.Metadata = v
	}
	return nil
}

// exit reads how a request ended.
func (s *scanner) exit(e *Exit) error {
	if err := s.open('{', "object"); err != nil {
		return err
	}
	var tag, value, cause jsontext.Value
	for s.more() {
		switch key := s.key(); string(key) {
		case "_tag":
			tag = s.skip()
		case "value":
			value = s.skip()
		case "cause":
			cause = s.skip()
		default:
			s.skip()
		}
	}
	switch name := textOf(tag); string(name) {
	case "Success":
		if value != nil {
			e.Value = nullable(value)
		}
		return nil
	case "Failure":
		return inside("cause", cause, func(s *scanner) (err error) {
			e.Failure, err = s.cause()
			return err
		})
	default:
		return at(unexpected(`"Success" or "Failure"`, name), "_tag")
	}
}

// maxReasons is how many reasons of a failure are kept: nobody reads more, and the tree that dialect E3 makes of them is as deep.
const maxReasons = 64

// cause reads why a request failed: a tree as dialect E3 has it, or a list as E4 has it. It is never empty.
func (s *scanner) cause() ([]Reason, error) {
	var reasons []Reason
	var err error
	if s.kind() == '[' {
		s.i++
		for n := 0; s.more(); n++ {
			if reasons, err = s.reason(reasons, false); err != nil {
				return nil, atIndex(err, n)
			}
		}
	} else if reasons, err = s.reason(nil, true); err != nil {
		return nil, err
	}
	if len(reasons) > maxReasons {
		reasons = reasons[:maxReasons]
	}
	if len(reasons) == 0 {
		reasons = []Reason{{Kind: Die, Defect: jsontext.Value(`"no cause given"`)}}
	}
	return reasons, nil
}

// reason reads one cause and adds the reasons in it. Interruptions are all the same, so runs of them count once.
func (s *scanner) reason(reasons []Reason, tree bool) ([]Reason, error) {
	if err := s.open('{', "object"); err != nil {
		return nil, err
	}
	before := len(reasons)
	var tag, failed, def jsontext.Value
	left, right := false, false
	for s.more() {
		switch key := s.key(); {
		case string(key) == "_tag":
			tag = s.skip()
		case string(key) == "error":
			failed = s.skip()
		case string(key) == "defect":
			def = s.skip()
		case tree && (string(key) == "left" || string(key) == "right"): // read in place: trees may be deep
			left, right = left || string(key) == "left", right || string(key) == "right"
			var err error
			if reasons, err = s.reason(reasons, true); err != nil {
				return nil, err // without the path: it may be thousands of steps
			}
		default:
			s.skip()
		}
	}
	branch := tree && (string(tag) == `"Sequential"` || string(tag) == `"Parallel"`)
	if !branch {
		reasons = reasons[:before]
	}
	switch name := string(textOf(tag)); {
	case name == "Fail":
		err := inside("error", failed, func(s *scanner) error {
			e, err := s.failure()
			reasons = append(reasons, Reason{Kind: Fail, Err: e})
			return err
		})
		return reasons, err
	case name == "Die":
		if def == nil {
			return nil, missing("defect")
		}
		return append(reasons, Reason{Kind: Die, Defect: def}), nil
	case name == "Interrupt":
		if n := len(reasons); n > 0 && reasons[n-1].Kind == Interrupted {
			return reasons, nil
		}
		return append(reasons, Reason{Kind: Interrupted}), nil
	case tree && name == "Empty":
		return reasons, nil
	case branch && !left:
		return nil, missing("left")
	case branch && !right:
		return nil, missing("right")
	case branch:
		return reasons, nil
	default:
		return nil, at(unexpected("kind of cause", []byte(name)), "_tag")
	}
}

// failure reads an error of the protocol. One that is not known becomes an [UnknownError] with all of it as the cause.
func (s *scanner) failure() (error, error) {
	raw := s.skip()
	in := scanner{b: raw}
	if err := in.open('{', "object"); err != nil {
		return nil, err
	}
	var tag, minimum, provided, expected, received, cause, note, payload jsontext.Value
	for in.more() {
		switch key := in.key(); string(key) {
		case "_tag":
			tag = in.skip()
		case "minimumExpectedNum":
			minimum = in.skip()
		case "providedNum":
			provided = in.skip()
		case "expected":
			expected = in.skip()
		case "received":
			received = in.skip()
		case "cause":
			cause = in.skip()
		case "note":
			note = in.skip()
		case "payload":
			payload = in.skip()
		default:
			in.skip()
		}
	}
	switch string(textOf(tag)) {
	case serverAhead:
		e := &ServerAheadError{}
		if err := inside("minimumExpectedNum", minimum, func(s *scanner) (err error) {
			e.MinimumExpectedNum, err = s.number()
			return err
		}); err != nil {
			return nil, err
		}
		return e, inside("providedNum", provided, func(s *scanner) (err error) { e.ProvidedNum, err = s.number(); return err })
	case backendMismatch:
		e := &BackendIDMismatchError{}
		if err := inside("expected", expected, func(s *scanner) (err error) { e.Expected, err = s.text(""); return err }); err != nil {
			return nil, err
		}
		return e, inside("received", received, func(s *scanner) (err error) { e.Received, err = s.text(""); return err })
	case unknownError:
		e := &UnknownError{Cause: cause}
		if cause == nil {
			return nil, missing("cause")
		}
		if note != nil && note[0] == '"' {
			e.Note, _ = (&scanner{b: note}).text("")
		}
		if payload != nil {
			e.Payload = payload
		}
		return e, nil
	default:
		return &UnknownError{Cause: raw}, nil
	}
}
