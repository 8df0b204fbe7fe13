package engine

import (
	"bytes"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chatprobe/chatprobe/internal/transcript"
)

// degenerate are servers that know nothing of the protocol.
var degenerate = map[string]func(r *room, c *pipeConn){
	"silent":      func(r *room, c *pipeConn) { _, _ = io.Copy(io.Discard, c) },
	"never reads": func(r *room, c *pipeConn) {},
	"closes":      func(r *room, c *pipeConn) { c.Close() },
	"resets":      func(r *room, c *pipeConn) { c.Reset() },
	"echoes":      func(r *room, c *pipeConn) { _, _ = io.Copy(c, c) },
	"floods":      func(r *room, c *pipeConn) { flood(c) },
	"floods notice": func(r *room, c *pipeConn) {
		floodWith(c, bytes.Repeat([]byte("\x00\x05\x00\x00\x00\x10alicealice has joined"), 1000))
	},
	"floods in one frame": func(r *room, c *pipeConn) {
		_, _ = c.Write([]byte("\x00\x05\xff\xff\xff\xff"))
		floodWith(c, make([]byte, 1<<20))
	},
	"random": func(r *room, c *pipeConn) {
		rng := rand.NewChaCha8([32]byte{})
		b := make([]byte, 1000)
		for range 100 {
			_, _ = rng.Read(b)
			_, _ = c.Write(b)
			time.Sleep(time.Millisecond)
		}
	},
	"garbage and close": func(r *room, c *pipeConn) { _, _ = c.Write([]byte("HTTP/1.0 400 Bad Request\r\n\r\n")); c.Close() },
}

func floodWith(w io.Writer, b []byte) {
	for {
		if _, err := w.Write(b); err != nil {
			return
		}
	}
}

// TestDegenerateServersScoreNothing plays the whole suite against them.
func TestDegenerateServersScoreNothing(t *testing.T) {
	suite := framed(t)
	for name, serve := range degenerate {
		for _, trust := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				// Trusted is as if two clients had been able to chat.
				list := slices.DeleteFunc(slices.Clone(suite.Scenarios), isHeavy)
				if strings.HasPrefix(name, "floods") {
					if testing.Short() || raceDetector {
						t.Skip("takes a second")
					}
					if trust {
						list = list[:3]
					}
				}
				synctest.Test(t, func(t *testing.T) {
					config := Config{Seed: 7, Strict: true, Trusted: trust}
					if trust {
						config.Settings = known()
					}
					config.Slots = make(chan struct{}, 4)
					s := &Session{Suite: suite, Launch: (&street{rules: rules{serve: serve, small: true, prints: (*room).names}}).launch, Config: config}
					header, runs := s.Run(t.Context(), list)
					for _, run := range runs {
						switch run.Verdict {
						case transcript.Pass, transcript.Warn, transcript.Error:
							t.Errorf("%s: %s %q", run.Scenario, run.Verdict, run.Reason)
						}
						if len(run.Reason) > 300 {
							t.Errorf("%s: a long reason: %q", run.Scenario, run.Reason)
						}
					}
					if !trust && !strings.HasPrefix(header.Finding, "the target does not seem to speak framed") {
						t.Errorf("finding %q", header.Finding)
					}
				})
			})
		}
	}
}

func TestFloodIsBounded(t *testing.T) {
	for name, reason := range map[string]string{
		"floods":              "the server flooded alice",
		"floods in one frame": "the server flooded alice",
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			began := time.Now()
			run := playOne(t, steps("", "alice connects:", "alice receives: {hear: {user: nobody}}"), trusted(), rules{serve: degenerate[name], small: true})
			spent := time.Since(began)
			runtime.ReadMemStats(&after)
			check(t, run, transcript.Fail, "~"+reason)
			t.Logf("%v, %d MB allocated, %d events, %d dropped", spent, (after.TotalAlloc-before.TotalAlloc)>>20, len(run.Events), run.Dropped)
			if spent > 5*time.Second || after.TotalAlloc-before.TotalAlloc > 400<<20 || len(run.Events) > maxEvents {
				t.Error("that is too much")
			}
		})
	}
}

func TestEventLimit(t *testing.T) {
	run := playOne(t, steps(two, "alice sends: {say: {text: x}}\ntimes: 45000", "bob receives: {hear: {text: y}}"), trusted(), rules{})
	check(t, run, transcript.Fail, "45000 other messages came for bob, and not this one within 2s")
	if len(run.Events)+run.Dropped < 90_000 || len(run.Events) > maxEvents {
		t.Errorf("%d events, %d dropped", len(run.Events), run.Dropped)
	}
}
