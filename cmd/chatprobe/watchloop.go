package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/chatprobe/chatprobe/internal/source"
	"github.com/chatprobe/chatprobe/internal/transcript"
)

// watchLoop plays everything, and again whenever w sees a change, until ctx
// ends: then its error is exit code 130. After a change, what did not pass the
// last time is played first, alone. When all of it passes, everything is played;
// else the rest is not, and screen says so.
//
// play shows its result itself. With a nil only it plays everything, else the
// scenarios with these names, suite/scenario; those that are no more it leaves
// out. It returns an error only where nothing could be played, such as a suite
// with mistakes. That is shown, and may be mended; only one that the very first
// play returns, and that is not about the files of a suite, ends the loop, for it
// is about the command line.
func watchLoop(ctx context.Context, w *watcher, screen io.Writer, play func(ctx context.Context, only []string) (*transcript.Report, error)) error {
	w.remark = func(name string) {
		fmt.Fprintf(screen, "%s changes in each run, as if the server wrote it: that alone is no reason to play again\n", printableName(name))
	}
	var last standing
	for isFirst := true; ; isFirst = false {
		err := last.play(ctx, screen, play)
		var files source.List
		switch {
		case ctx.Err() != nil:
			return &exitError{code: exitInterrupted}
		case err != nil && isFirst && !errors.As(err, &files):
			return err
		case err != nil:
			complain(screen, err)
		}
		fmt.Fprintf(screen, "\nwaiting for a change in %s\n", printableName(w.String()))
		changed, err := w.wait(ctx)
		if ctx.Err() != nil {
			return &exitError{code: exitInterrupted}
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(screen, "\nchanged: %s\n\n", listNames(changed))
	}
}

// A standing is what is known from the last plays.
type standing struct {
	failed []string // suite/scenario of what did not pass
	total  int      // scenarios in all
}

// play plays what failed, and everything if that passes.
func (s *standing) play(ctx context.Context, screen io.Writer, play func(context.Context, []string) (*transcript.Report, error)) error {
	// Of a target that does hardly anything right, all is of interest.
	if only := s.failed; len(only) > 0 && 2*len(only) <= s.total {
		r, err := play(ctx, only)
		if s.failed = failedIn(r); err != nil || ctx.Err() != nil {
			return err
		}
		if len(s.failed) > 0 {
			fmt.Fprintf(screen, "\nonly what failed before was played; when it passes, so %s\n",
				isOrAre(s.total-len(only), "is the other scenario", "are the other %d"))
			return nil
		}
		fmt.Fprintf(screen, "\nwhat failed before passes; now everything\n\n")
	}
	r, err := play(ctx, nil)
	s.failed = failedIn(r)
	if r != nil {
		s.total = len(r.Runs)
	}
	return err
}

func isOrAre(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return fmt.Sprintf(many, n)
}

// failedIn are the names of what must pass and did not. Of no report it is
// nothing.
func failedIn(r *transcript.Report) []string {
	var names []string
	if r == nil {
		return nil
	}
	for i := range r.Runs {
		switch r.Runs[i].Verdict {
		case transcript.Fail, transcript.Blocked, transcript.Error:
			names = append(names, r.Runs[i].Suite+"/"+r.Runs[i].Scenario)
		}
	}
	return names
}

// listNames writes the first few names of files.
func listNames(names []string) string {
	const most = 4
	more := ""
	if len(names) > most {
		more = fmt.Sprintf(" and %d more", len(names)-most)
		names = names[:most]
	}
	return printableName(strings.Join(names, ", ")) + more
}

// printableName is the name of a file, which may hold anything.
func printableName(name string) string { return transcript.Printable([]byte(name)) }
