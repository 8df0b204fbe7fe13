package transcript

import (
	"fmt"
	"strings"
)

// A MutantTable says which scenarios of a suite catch which wrong servers or
// client programs.
type MutantTable struct {
	Suite string `json:"suite"`
	// Of is what was made wrong: "server" or "client".
	Of string `json:"of"`
	// Target is what the mutants were made of, in words.
	Target string `json:"target"`
	// Mutants are in the order in which they were made.
	Mutants []Mutant `json:"mutants"`
	// Degenerates are programs that do not speak the protocol at all: what they
	// pass is wrong.
	Degenerates []Degenerate `json:"degenerates"`
	// Scenarios is how many were played against each.
	Scenarios int `json:"scenarios"`
	// Useless are scenarios that catch no mutant.
	Useless []string `json:"useless"`
	// Stale are names in the list of equivalents that are no mutants, or that
	// were caught after all.
	Stale   []string `json:"stale,omitempty"`
	Seconds float64  `json:"seconds"`
}

// A Mutant is a correct server or client that was made wrong in one way.
type Mutant struct {
	Name  string `json:"name"`
	About string `json:"about"` // what it does, in half a sentence
	// Caught are the scenarios that it fails, in the order of the suite.
	Caught []string `json:"caught"`
	// Occasions is in how many scenarios it had the occasion to be wrong, and
	// Played in how many of them it was played.
	Occasions int `json:"occasions"`
	Played    int `json:"played"`
	// Equivalent says why nothing can catch it, if so.
	Equivalent string  `json:"equivalent,omitempty"`
	Seconds    float64 `json:"seconds"`
}

// Survived says that nothing caught the mutant, and that something should have.
func (m Mutant) Survived() bool { return len(m.Caught) == 0 && m.Equivalent == "" }

// A Degenerate is a program that does not speak the protocol at all.
type Degenerate struct {
	Name   string   `json:"name"`
	About  string   `json:"about"`
	Passed []string `json:"passed"` // scenarios, which cannot be right
}

// Score is how many of the mutants that can be caught were, and how many there
// are.
func (t *MutantTable) Score() (caught, all int) {
	for _, m := range t.Mutants {
		switch {
		case len(m.Caught) > 0:
			caught++
			all++
		case m.Equivalent == "":
			all++
		}
	}
	return caught, all
}

// Sound says that there are no faults.
func (t *MutantTable) Sound() bool { return len(t.Faults()) == 0 }

// Faults says in half a sentence each which mutants survived, what degenerates
// pass, and which reasons are stale.
func (t *MutantTable) Faults() []string {
	var list []string
	for _, m := range t.Mutants {
		if m.Survived() {
			list = append(list, fmt.Sprintf("%s survives %d occasions: it %s", m.Name, m.Occasions, m.About))
		}
	}
	for _, name := range t.Stale {
		list = append(list, name+" is said to be equivalent, and is caught or no mutant")
	}
	for _, d := range t.Degenerates {
		if len(d.Passed) > 0 {
			list = append(list, fmt.Sprintf("the %s %s passes %s", d.Name, t.Of, strings.Join(d.Passed, ", ")))
		}
	}
	return list
}
