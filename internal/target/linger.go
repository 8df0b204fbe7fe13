package target

import (
	"cmp"
	"context"
	"errors"
	"regexp"
	"slices"
	"syscall"
	"time"

	"github.com/chatprobe/chatprobe/internal/sockets"
)

// A system keeps a port busy for a minute after a connection that the server has closed first, or that nobody has
// closed properly when it was killed. A server that has not set SO_REUSEADDR cannot listen on it as long. That is what
// its next user meets too; but no scenario is about it, and each would fail for what the one before has left.

// lingerTime is how long is waited: more than the 60 s of Linux (TIME_WAIT), which cannot be configured.
const lingerTime = 65 * time.Second

// startPatiently starts the program, and where it does not come to listen because its port lingers, once more when the
// port is free.
func (c Command) startPatiently(ctx context.Context) (*Process, error) {
	var busy []int
	if port := cmp.Or(c.Port, c.ownPort); port != 0 && lingers(c.Network, port) {
		busy = []int{port}
	}
	p, err := c.startOnPort(ctx)
	if err == nil {
		return p, nil
	}
	exit, exited := errors.AsType[*ExitError](err)
	silent, ok := errors.AsType[*ListenError](err)
	switch {
	case !exited && (!ok || len(silent.Others) > 0):
		return nil, err // it has nothing to do with the port
	case exited && !c.impatient && c.Port == 0 && c.ownPort == 0 && inUse.MatchString(exit.Output.Text()):
		// Its port is not known: this is its first start, but perhaps not the first since the probe was started.
		busy = slices.DeleteFunc(sockets.Lingering(), func(port int) bool { return !lingers(c.Network, port) })
	}
	if len(busy) == 0 {
		return nil, err
	}
	began := time.Now()
	for _, port := range busy {
		if err := awaitLingering(ctx, c.Network, port, began.Add(lingerTime)); err != nil {
			return nil, err
		}
	}
	waited := time.Since(began)
	p, err = c.startOnPort(ctx)
	if exit, ok := errors.AsType[*ExitError](err); ok {
		exit.Lingered = waited
	}
	if silent, ok := errors.AsType[*ListenError](err); ok {
		silent.Lingered = waited
	}
	if p != nil {
		p.Lingered = waited
	}
	return p, err
}

// inUse is how programs say that their port is in use: in the words of the system, which the usual languages repeat, or
// in their own.
var inUse = regexp.MustCompile(`(?i)\bin use\b|EADDRINUSE|BindException|errno 98\b|os error 98\b|` +
	`\bbind(ing)?(\(\))?:? (has )?(failed|error)|` +
	`\b(fail(ed)? to|failed:?|errors?:?( on| in)?|cannot|could not|couldn't|can't|unable to) bind`)

// awaitLingering waits until a port lingers no more, at most to a time. The error is ctx's.
func awaitLingering(ctx context.Context, network string, port int, end time.Time) error {
	for lingers(network, port) && time.Now().Before(end) {
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// lingers reports whether a port is busy although nobody listens on it.
func lingers(network string, port int) bool {
	if _, err := bindable(network, port); !errors.Is(err, syscall.EADDRINUSE) {
		return false
	}
	watch, err := openWatch(network, port)
	if err != nil {
		return false
	}
	defer watch.close()
	return !watch.inUse()
}
