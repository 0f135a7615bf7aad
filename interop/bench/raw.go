package main

import (
	"bytes"
	"context"
	"fmt"

	"github.com/coder/websocket"
)

const (
	rawEvents = 10_000
	rawBatch  = 50
)

// push hands 10,000 events to a backend, 50 at a time, without a client in between.
func push(ctx context.Context, s *side, n int) (figure, error) {
	began := now()
	if err := fill(ctx, s, store("push", n)); err != nil {
		return nil, err
	}
	return figure{rawEvents / seconds(now()-began)}, nil
}

// pull reads 10,000 events of a backend, without a client in between.
func pull(ctx context.Context, s *side, n int) (figure, error) {
	name := store("pull", n)
	if err := fill(ctx, s, name); err != nil {
		return nil, err
	}
	c, end, err := dial(ctx, s, name)
	if err != nil {
		return nil, err
	}
	defer end()
	began := now()
	ask := fmt.Sprintf(`{"_tag":"Request","id":"1","tag":"SyncWsRpc.Pull","headers":[],`+
		`"payload":{"storeId":%q,"live":false,"cursor":{"_tag":"None"}}}`, name)
	if err := c.Write(ctx, websocket.MessageText, []byte(ask)); err != nil {
		return nil, err
	}
	for got := 0; ; {
		_, frame, err := c.Read(ctx)
		if err != nil {
			return nil, err
		}
		switch {
		case bytes.Contains(frame, []byte(`"_tag":"Chunk"`)):
			got += bytes.Count(frame, []byte(`"seqNum":`))
			if err := c.Write(ctx, websocket.MessageText, []byte(`{"_tag":"Ack","requestId":"1"}`)); err != nil {
				return nil, err
			}
		case got != rawEvents:
			return nil, fmt.Errorf("%d events, then %s", got, frame)
		default:
			return figure{rawEvents / seconds(now()-began)}, nil
		}
	}
}

// fill pushes 10,000 events, each push after the answer to the one before.
func fill(ctx context.Context, s *side, name string) error {
	c, end, err := dial(ctx, s, name)
	if err != nil {
		return err
	}
	defer end()
	for seq := 0; seq < rawEvents; {
		frame := fmt.Appendf(nil, `{"_tag":"Request","id":"%d","tag":"SyncWsRpc.Push","headers":[],`+
			`"payload":{"storeId":%q,"backendId":{"_tag":"None"},"batch":[`, seq, name)
		for k := range rawBatch {
			if k > 0 {
				frame = append(frame, ',')
			}
			seq++
			frame = fmt.Appendf(frame, `{"name":"v1.TodoCreated","args":{"id":"todo-%d","text":"Todo number %d"},"seqNum":%d,"parentSeqNum":%d,`+
				`"clientId":"raw","sessionId":"s"}`, seq, seq, seq, seq-1)
		}
		if err := c.Write(ctx, websocket.MessageText, append(frame, `]}}`...)); err != nil {
			return err
		}
		_, answer, err := c.Read(ctx)
		if err != nil {
			return err
		}
		if !bytes.Contains(answer, []byte(`"_tag":"Success"`)) {
			return fmt.Errorf("a push got %s", answer)
		}
	}
	return nil
}

func dial(ctx context.Context, s *side, name string) (*websocket.Conn, func(), error) {
	c, res, err := websocket.Dial(ctx, fmt.Sprintf("ws://%s/?storeId=%s&transport=ws", s.backend, name), nil)
	if res != nil && res.Body != nil {
		_ = res.Body.Close()
	}
	if err != nil {
		return nil, nil, err
	}
	c.SetReadLimit(-1)
	return c, func() { _ = c.CloseNow() }, nil
}
