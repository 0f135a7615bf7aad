package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/livestore-go/livestore/server"
	"github.com/livestore-go/livestore/server/memstore"
	"github.com/livestore-go/livestore/server/sqlitestore"
)

// serveOptions are the flags of serve.
type serveOptions struct {
	listen   string
	storage  string
	tokens   []string
	origins  []string
	logLevel string
	grace    time.Duration
}

func newServe(env func(string) (string, bool)) *cobra.Command {
	var o serveOptions
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the sync server",
		Long: "Run the sync server, until SIGINT or SIGTERM. When it is ready it prints one line to standard output:\n" +
			"listening on http://HOST:PORT. Its log goes to standard error.\n\n" +
			"Without --auth-token everybody who reaches the address may read and write every store.\n" +
			"Each flag can be given by a variable of the environment, too; the command line counts more.",
		Example: "livestore serve\n" +
			"livestore serve --listen :8787 --storage sqlite:/srv/sync\n" +
			"LIVESTORE_AUTH_TOKEN=s3cret livestore serve",
		Args: cobra.NoArgs,
		RunE: run(func(cmd *cobra.Command) error {
			if err := fromEnv(cmd, env); err != nil {
				return err
			}
			return serve(cmd, o)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&o.listen, "listen", "127.0.0.1:8787", "address and port; port 0 picks a free one")
	f.StringVar(&o.storage, "storage", "sqlite:./data", "where events are kept: sqlite:DIR, or memory: for none")
	f.StringArrayVar(&o.tokens, "auth-token", nil, `token clients must show, as authToken; repeatable`)
	f.StringArrayVar(&o.origins, "allow-origin", nil,
		`host of web pages that may connect, * for any; repeatable`)
	f.StringVar(&o.logLevel, "log-level", "info", "what to log: debug, info, warn or error")
	f.DurationVar(&o.grace, "shutdown-timeout", 10*time.Second, "how long a stop waits")
	describe(cmd)
	return cmd
}

// serve runs a server until the context of the command is over.
func serve(cmd *cobra.Command, o serveOptions) (err error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(o.logLevel)); err != nil {
		return usagef("invalid log level %q: debug, info, warn and error are allowed", o.logLevel)
	}
	logger := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: level}))
	if _, _, err := net.SplitHostPort(o.listen); err != nil {
		return usagef("invalid address %q to listen on: it is HOST:PORT, such as 127.0.0.1:8787", o.listen)
	}
	if o.grace <= 0 {
		return usagef("invalid shutdown timeout %s: it is more than 0", o.grace)
	}
	opts := &server.Options{Logger: logger, Origins: o.origins}
	if len(o.tokens) > 0 {
		if opts.Authorize, err = byToken(o.tokens); err != nil {
			return err
		}
	}
	storage, err := openStorage(o.storage)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, storage.Close()) }()
	listener, err := (&net.ListenConfig{}).Listen(cmd.Context(), "tcp", o.listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w: choose another address with --listen", o.listen, err)
	}
	s := &service{
		sync: server.New(storage, opts), listener: listener, logger: logger, grace: o.grace,
		ready: func() error {
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "listening on http://%s\n", listener.Addr())
			return err
		},
	}
	logger.Info("the sync server starts", "listen", listener.Addr().String(), "storage", o.storage, "version", version(),
		"authorization", len(o.tokens) > 0)
	return s.run(cmd.Context())
}

// openStorage opens the storage a flag names.
func openStorage(name string) (server.Storage, error) {
	kind, rest, ok := strings.Cut(name, ":")
	switch {
	case ok && kind == "memory" && rest == "":
		return memstore.New(), nil
	case ok && kind == "sqlite" && rest != "":
		return sqlitestore.Open(rest)
	}
	return nil, usagef("invalid storage %q: it is memory: or sqlite:DIR, such as sqlite:./data", name)
}

// service is a server with its listener.
type service struct {
	sync     *server.Server
	listener net.Listener
	logger   *slog.Logger
	grace    time.Duration
	ready    func() error
}

// run serves until ctx is over, and then stops: first nobody is let in any more, then what is under way is finished.
func (s *service) run(ctx context.Context) error {
	web := &http.Server{
		Handler:           s.sync,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.logger.Handler(), slog.LevelDebug),
	}
	served := make(chan error, 1)
	go func() { served <- web.Serve(s.listener) }()
	err := s.ready()
	over := false
	if err == nil {
		select {
		case <-ctx.Done():
			s.logger.Info("the sync server stops")
		case err = <-served:
			over = true
		}
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.grace)
	defer cancel()
	if stop := web.Shutdown(grace); stop != nil {
		err = errors.Join(err, fmt.Errorf("stop listening: %w", stop), web.Close())
	}
	if stop := s.sync.Shutdown(grace); stop != nil {
		err = errors.Join(err, fmt.Errorf("stop the sync server within %s: %w", s.grace, stop))
	}
	if !over {
		if end := <-served; !errors.Is(end, http.ErrServerClosed) {
			err = errors.Join(err, end)
		}
	}
	return err
}
