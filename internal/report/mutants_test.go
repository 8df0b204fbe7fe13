package report_test

import (
	"bytes"
	"testing"

	"github.com/chatprobe/chatprobe/internal/report"
	"github.com/chatprobe/chatprobe/internal/transcript"
)

func TestMutantsSaysWhatIsWrongWithASuite(t *testing.T) {
	table := &transcript.MutantTable{
		Suite: "room", Of: "server", Target: "./server", Scenarios: 1, Seconds: 1.25,
		Mutants: []transcript.Mutant{
			{Name: "twice/ok", About: "sends every ok twice", Played: 1, Occasions: 1, Equivalent: "who is told twice is told"},
			{Name: "drop/hear", About: "never sends hear", Caught: []string{"hears"}, Played: 1, Occasions: 1, Equivalent: "a lie"},
			{Name: "drop/left", About: "never sends left"},
			{Name: "echo/hear", About: "sends a client what it has said itself, once more than is due", Played: 1, Occasions: 1},
		},
		Stale: []string{"fly", "drop/hear"}, Useless: []string{"connects"},
		Degenerates: []transcript.Degenerate{
			{Name: "silent", About: "takes everything and says nothing", Passed: []string{"connects"}},
			{Name: "echoing", About: "sends back what it gets"},
		},
	}
	const want = `room: 1 scenario against mutants of ./server

mutant      caught by  the first of them
drop/left    SURVIVED  no scenario gives it the occasion
echo/hear    SURVIVED  it was wrong, and nothing noticed
drop/hear      1 of 1  hears
twice/ok   equivalent

Survivors, which the suite takes for correct:
  drop/left
    never sends left
  echo/hear
    sends a client what it has said itself, once more than is due

Equivalent to a correct one:
  twice/ok
    who is told twice is told

Said to be equivalent, and are not:
  fly
    is no mutant of this suite
  drop/hear
    is caught by hears

Scenarios that catch no mutant:
  connects

Programs that do not speak the protocol at all:
  silent: takes everything and says nothing, and PASSES connects
  echoing: passes nothing

1 of 3 mutants caught (33 %), 1 equivalent · 1.2 s
`
	var got bytes.Buffer
	if err := (report.Table{}).Mutants(&got, table); err != nil {
		t.Fatal(err)
	}
	if got.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", got.String(), want)
	}
}
