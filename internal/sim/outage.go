package sim

// serverDeeds are what may befall the log of the server.
var serverDeeds []deed
