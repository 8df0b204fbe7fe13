package explain

import (
	"fmt"

	"github.com/chatprobe/chatprobe/internal/scenario"
)

// fence says how the silence that a step claims is proved.
func (n *narrator) fence(f *scenario.Fence) []string {
	witness := "a hidden client"
	if f.Witness != nil {
		witness = f.Witness.Name
	}
	groups := map[scenario.Proof][]*scenario.Client{}
	var order []scenario.Proof
	for _, c := range f.Causers {
		if groups[c.Proof] == nil {
			order = append(order, c.Proof)
		}
		groups[c.Proof] = append(groups[c.Proof], c.Client)
	}
	var list []string
	for _, proof := range order {
		list = append(list, n.cause(groups[proof], proof, witness))
	}
	receivers := who(f.Receivers)
	switch {
	case len(f.Receivers) == 0:
	case f.ByQuestion:
		list = append(list, fmt.Sprintf("%s %s %s: what has come before the answer is all there is.",
			receivers, verb(f.Receivers, "asks for", "each ask for"), n.suite.Fence.Question.Message))
	case f.Teller != nil:
		list = append(list, fmt.Sprintf("%s says a random word: what stands before it in what %s %s is all there is.",
			f.Teller.Name, receivers, verb(f.Receivers, "receives", "receive")))
	default:
		list = append(list, fmt.Sprintf("A hidden client says a random word: what stands before it in what %s %s is all there is.",
			receivers, verb(f.Receivers, "receives", "receive")))
	}
	return list
}

// cause says how it is known that the server is done with what clients did.
func (n *narrator) cause(list []*scenario.Client, proof scenario.Proof, witness string) string {
	names := who(list)
	did := " did before."
	switch proof {
	case scenario.ByToken:
		return fmt.Sprintf("%s %s a random word, and %s receives it: the server is done with what %s%s",
			names, verb(list, "says", "each say"), witness, names, did)
	case scenario.ByLogin:
		return fmt.Sprintf("%s %s in and %s a random word, and %s receives it: the server is done with what %s%s",
			names, verb(list, "logs", "log"), verb(list, "says", "say"), witness, names, did)
	case scenario.ByDeparture:
		return fmt.Sprintf("%s is told that %s left: the server is done with what %s%s", witness, names, names, did)
	case scenario.ByEnd:
		return fmt.Sprintf("The server ends the connection of %s: it is done with what %s%s", names, names, did)
	case scenario.ByQuestion:
		return fmt.Sprintf("%s %s %s and %s answered: the server is done with what %s%s",
			names, verb(list, "asks for", "each ask for"), n.suite.Fence.Question.Message, verb(list, "is", "are"), names, did)
	}
	return fmt.Sprintf("%s says a random word after that, and it arrives: a UDP server takes datagrams in the order in which they came.", witness)
}
