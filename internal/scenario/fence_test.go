package scenario

import (
	"fmt"
	"strings"
	"testing"
)

// fenced writes a fence on one line: who caused what and how that is proved,
// who sees the tokens, who tells whom. "hidden" is the hidden client.
func fenced(f *Fence) string {
	name := func(c *Client) string {
		if c == nil {
			return "hidden"
		}
		return c.Name
	}
	var parts []string
	for _, c := range f.Causers {
		parts = append(parts, c.Client.Name+" "+map[Proof]string{
			ByToken: "by token", ByLogin: "by login", ByDeparture: "by departure", ByEnd: "by end",
			ByQuestion: "by question", ByWitness: "by witness",
		}[c.Proof])
	}
	out := strings.Join(parts, ", ")
	if len(f.Causers) > 0 {
		out += fmt.Sprintf(" to %s; ", name(f.Witness))
	}
	if f.ByQuestion && len(f.Receivers) > 0 {
		return out + clientNames(f.Receivers) + " asks"
	}
	if len(f.Receivers) > 0 {
		return out + fmt.Sprintf("%s tells %s", name(f.Teller), clientNames(f.Receivers))
	}
	return out + "nobody is told"
}

func TestFences(t *testing.T) {
	const abc, ab, a = "alice, bob, carol", "alice, bob", "alice"
	tests := []struct {
		name, clients, steps string
		want                 []string // of each step that has a fence
		hidden               bool
	}{
		// A witness is neither a causer nor, if it can be helped, a receiver.
		{"a third client", abc, "alice sends: login | bob receives no: hear", []string{"alice by token to carol; alice tells bob"}, false},
		{"the sender itself", abc, "alice sends: login | alice receives no: hear", []string{"alice by token to bob; bob tells alice"}, false},
		{"the receiver is the witness", ab, "alice sends: login | bob receives no: hear", []string{"alice by token to bob; alice tells bob"}, false},
		{"nobody left to witness", ab, "alice, bob send: login | bob receives no: hear", []string{"alice by token, bob by token to hidden; alice tells bob"}, true},
		{"nobody left to tell", ab, "alice sends: login | alice, bob receive no: hear", []string{"alice by token to bob; hidden tells alice bob"}, true},
		{"all of three", abc, "alice sends: login | alice, bob, carol receive nothing:", []string{"alice by token to bob; hidden tells alice bob carol"}, true},
		{"one alone", a, "alice sends: login | alice receives nothing:", []string{"alice by token to hidden; hidden tells alice"}, true},

		// Who acted since the last fence.
		{"nobody acted", ab, "alice receives nothing:", []string{"bob tells alice"}, false},
		{"nobody acted, and nobody is there", "", "alice connects: | alice receives nothing:", []string{"hidden tells alice"}, true},
		{"a fence settles it", abc, "alice sends: login | bob receives no: hear | bob receives no: left",
			[]string{"alice by token to carol; alice tells bob", "alice tells bob"}, false},
		{"acts after the fence", abc, "alice sends: login | bob receives no: hear | carol sends: login | bob receives no: left",
			[]string{"alice by token to carol; alice tells bob", "carol by token to alice; alice tells bob"}, false},
		{"receiving is no act", abc, "bob receives: hear | alice receives nothing:", []string{"bob tells alice"}, false},
		{"the rest is an act", abc, "alice sends: login, cut: 3 | bob receives no: hear | alice sends the rest: | bob receives no: hear",
			[]string{"alice by token to carol; alice tells bob", "alice by token to carol; alice tells bob"}, false},
		{"bytes are an act", abc, "alice sends bytes: '00' | bob receives no: hear", []string{"alice by token to carol; alice tells bob"}, false},

		// Those that cannot say a token.
		{"closed", abc, "alice sends: login | alice closes: | bob receives no: hear", []string{"alice by departure to carol; carol tells bob"}, false},
		{"reset", abc, "alice resets: | bob, carol receive no: hear", []string{"alice by departure to bob; hidden tells bob carol"}, true},
		{"half-closed", abc, "alice half-closes: | bob receives no: hear", []string{"alice by end to carol; carol tells bob"}, false},
		{"closed without a login", ab, "mallory connects: | mallory sends bytes: '00' | mallory closes: | bob receives no: hear", []string{"mallory by end to alice; alice tells bob"}, false},
		{"not logged in", abc, "mallory connects: | mallory sends bytes: '00' | bob receives no: hear", []string{"mallory by login to alice; alice tells bob"}, false},
		{"logged in by itself", ab, "mallory connects: | mallory sends: login | bob receives no: hear", []string{"mallory by login to alice; alice tells bob"}, false},
		{"refused perhaps", ab, "mallory does: login, as: $alice, settle: no | bob receives no: hear", []string{"mallory by login to alice; alice tells bob"}, false},
		{"logged in", ab, "carol does: login | bob receives no: hear", []string{"carol by token to alice; alice tells bob"}, false},
		{"ended by the server", ab, "mallory connects: | mallory sends bytes: '00' | mallory is disconnected: | bob receives no: hear", []string{"alice tells bob"}, false},
		{"surely ended by the server", ab, "alice sends bytes: '00' | alice receives: disconnect | bob receives no: hear", []string{"hidden tells bob"}, true},
		// What it did before it left is dealt with when its departure is known;
		// a token on the new connection says nothing about the old one.
		{"closed and back", abc, "alice sends: login | alice closes: | alice does: login | bob receives no: hear",
			[]string{"alice by departure, alice by token to carol; alice tells bob"}, false},
		{"closed and back, without a login", abc, "alice sends: login | alice closes: | alice connects: | bob receives no: hear",
			[]string{"alice by departure to carol; carol tells bob"}, false},
		{"closed and back, and in the room neither time", ab, "mallory connects: | mallory sends bytes: '00' | mallory closes: | mallory connects: | bob receives no: hear",
			[]string{"mallory by end to alice; alice tells bob"}, false},
		{"twice closed and back", abc, "alice closes: | alice does: login | alice closes: | alice does: login | bob receives no: hear",
			[]string{"alice by departure, alice by token to carol; alice tells bob"}, false},
		{"closed, a fence, and back", abc, "alice closes: | bob receives no: hear | alice does: login | bob receives no: hear",
			[]string{"alice by departure to carol; carol tells bob", "alice by token to carol; alice tells bob"}, false},

		// Those that cannot see one.
		{"a stalled witness", abc, "carol stops reading: | alice sends: login | bob receives no: hear", []string{"alice by token to bob; alice tells bob"}, false},
		{"one that reads again", abc, "carol stops reading: | carol reads again: | alice sends: login | bob receives no: hear", []string{"alice by token to carol; alice tells bob"}, false},
		{"a stalled causer", abc, "alice stops reading: | alice sends: login | bob receives no: hear", []string{"alice by token to carol; carol tells bob"}, false},
		{"a witness that left", abc, "carol closes: | bob receives no: hear", []string{"carol by departure to alice; alice tells bob"}, false},
		{"a witness that the server threw out", ab, "bob sends bytes: '00' | bob is disconnected: | alice sends: login | alice receives no: hear",
			[]string{"alice by token to hidden; hidden tells alice"}, true},
		{"a witness that was perhaps thrown out", ab, "bob sends bytes: '00' | bob receives one of: [hear, disconnect] | alice receives no: hear",
			[]string{"bob by token to alice; hidden tells alice"}, true},

		// Still there?
		{"stays connected", abc, "alice stays connected:", []string{"alice by token to bob; nobody is told"}, false},
		{"stays connected after others acted", abc, "bob sends: login | alice stays connected:", []string{"alice by token, bob by token to carol; nobody is told"}, false},
		{"all stay connected", ab, "alice, bob stay connected:", []string{"alice by token, bob by token to hidden; nobody is told"}, true},

		// A hidden client without any fence.
		{"one listed settles with nobody", a, "alice sends: login", nil, true},
		{"two settle with each other", ab, "alice sends: login", nil, false},
		{"the first to log in settles with the next", "", "alice does: login | bob does: login", nil, false},
		{"the first to log in has nobody after it", "", "alice does: login | alice sends: {say: {text: hi}} | bob does: login", nil, true},
		{"a newcomer settles with those there", ab, "carol does: login", nil, false},
		{"a newcomer after all have left", ab, "alice, bob close: | carol does: login", nil, true},
		{"nobody logs in", "", "alice connects: | alice closes:", nil, false},
		{"is up", ab, "server is up:", nil, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			checkFences(t, play(t, fenceSteps(tt.clients, tt.steps)), tt.want, tt.hidden)
		})
	}
}

// fenceSteps writes clients and steps of a table as they stand in a file.
func fenceSteps(clients, steps string) string {
	steps = strings.ReplaceAll(steps, " | ", "\n  - ")
	for _, option := range []string{"cut", "as", "settle"} {
		steps = strings.ReplaceAll(steps, ", "+option+": ", "\n    "+option+": ")
	}
	return "clients: [" + clients + "]\nsteps:\n  - " + steps
}

// checkFences compares the fences of a scenario with how they should be.
func checkFences(t *testing.T, sc *Scenario, want []string, hidden bool) {
	t.Helper()
	var got []string
	for _, step := range sc.Steps {
		if step.Fence != nil {
			got = append(got, fenced(step.Fence))
		}
	}
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if sc.Hidden != hidden {
		t.Errorf("hidden is %v", sc.Hidden)
	}
}

// Each kind of proof has a sentence of its own.
func TestProofs(t *testing.T) {
	seen := map[string]bool{}
	for p := ByToken; p <= ByWitness; p++ {
		if s := p.String(); s == "" || seen[s] {
			t.Errorf("proof %d is called %q", p, s)
		} else {
			seen[s] = true
		}
	}
}
