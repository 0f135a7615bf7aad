package client

import (
	"encoding/json"
	"fmt"

	"github.com/livestore-go/livestore/internal/leader"
	"github.com/livestore-go/livestore/internal/session"
	"github.com/livestore-go/livestore/provider"
)

// Start runs the leader of a client, and syncs it through p, which is nil without a sync provider. It fills in the parts of a config
// that depend on it. After an error the machine is still the caller's to close.
func Start(m *leader.Machine, p provider.Provider, r session.Request, clientID string) (Config, error) {
	cfg := Config{StoreID: r.StoreID, ClientID: clientID, SchemaHash: r.Schema.Hash()}
	if p == nil {
		cfg.Leader = leader.Start(m, nil)
		return cfg, nil
	}
	backend, err := p.Client(provider.Config{
		StoreID: r.StoreID, ClientID: clientID, Payload: json.RawMessage(r.SyncPayload), Logger: r.Logger,
	})
	if err != nil {
		return Config{}, fmt.Errorf("use sync provider: %w", err)
	}
	cfg.Synced, cfg.MaxEvent = true, backend.Limits().Bytes
	cfg.Leader = leader.Start(m, backend)
	return cfg, nil
}
