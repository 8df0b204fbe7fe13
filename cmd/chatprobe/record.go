package main

import (
	"io"
	"os"

	"github.com/chatprobe/chatprobe/internal/engine"
	"github.com/chatprobe/chatprobe/internal/record"
	"github.com/chatprobe/chatprobe/internal/report"
	"github.com/chatprobe/chatprobe/internal/transcript"
)

// record has the traffic of each play written to a folder, with its transcript;
// to none if it is called "". What it returns says, when all is played, whether
// everything could be written.
func (p *plan) record(folder string) (written func() error, err error) {
	if folder == "" {
		return func() error { return nil }, nil
	}
	if info, err := os.Stat(folder); err == nil && !info.IsDir() {
		return nil, usage("--record %s: it is no folder", folder)
	}
	dir, err := record.Create(folder)
	if err != nil {
		return nil, cannot("--record: %w", err)
	}
	for i := range p.parts {
		part := &p.parts[i]
		part.config.Record = func(_ *transcript.Run, slow bool) engine.Recording {
			return recording(dir, part.program != nil, slow)
		}
	}
	return func() error {
		if err := dir.Err(); err != nil {
			return cannot("%w", err)
		}
		return nil
	}, nil
}

// recording takes down one play. accepts says that the probe is the server.
func recording(dir *record.Dir, accepts, slow bool) engine.Recording {
	log := record.NewLog()
	conn := log.Conn
	if accepts {
		conn = log.Accepted
	}
	return engine.Recording{
		Conn:   conn,
		Failed: log.Failed,
		Done: func(run transcript.Run) {
			// An error is kept by dir until all is played.
			_ = dir.Write(record.Play{Suite: run.Suite, Scenario: run.Scenario, Slow: slow}, log, func(w io.Writer) error {
				return report.Transcript(w, &run)
			})
		},
	}
}
