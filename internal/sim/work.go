package sim

import "github.com/livestore-go/livestore/internal/leader"

// workDeeds are what apps do beside committing.
var workDeeds []deed

// fails says whether an event of the backend may fail to apply at this client, because its app is an older one.
func (*world) fails(*leader.EventError) bool { return false }
