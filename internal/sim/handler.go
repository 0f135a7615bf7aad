package sim

import (
	"context"
	"log/slog"
)

// Enabled implements [slog.Handler].
func (h handler) Enabled(context.Context, slog.Level) bool { return true }

// Handle writes a line into the trace.
func (h handler) Handle(_ context.Context, r slog.Record) error {
	h.line(r.Message)
	return nil
}

// WithAttrs implements [slog.Handler]. Attributes are not traced: some hold paths.
func (h handler) WithAttrs([]slog.Attr) slog.Handler { return h }

// WithGroup implements [slog.Handler].
func (h handler) WithGroup(string) slog.Handler { return h }
