package scenario

// everywhere is the value of split: that makes a sweep.
const everywhere = "everywhere"

// longestSweep is how long a text may be in a step that is cut everywhere: the
// scenario is played once for each of its bytes.
const longestSweep = 200

// Sweeps says that one of the steps sends messages that are cut everywhere. All
// steps are then played again and again in one play: first with the messages in
// one segment, then with a cut behind their first byte, their second, and so on.
// Clients that are not listed connect anew each time, under another name.
func (sc *Scenario) Sweeps() bool {
	for _, step := range sc.Steps {
		if send, ok := step.Do.(Send); ok && send.How.Everywhere {
			return true
		}
	}
	return false
}

// checkSweep finds what does not go with a step that is cut everywhere.
func (l *loader) checkSweep() {
	var sweep *Step
	for _, step := range l.scenario.Steps {
		var how Cutting
		var why string
		switch do := step.Do.(type) {
		case Send:
			switch how = do.How; {
			case do.Times.IsSet():
				why = "split: everywhere does not go with times:, for the message is sent often enough"
			case len(step.Who) > 1:
				why = "split: everywhere is for the messages of one client"
			case sweep != nil:
				why = "only one step of a scenario can be cut everywhere"
			}
		case SendBytes:
			how, why = do.How, "split: everywhere is for messages: it says in which field the cut was"
		case ServerSends:
			how, why = do.How, "split: everywhere is for what a client of the scenario sends"
		case ServerSendsBytes:
			how, why = do.How, "split: everywhere is for what a client of the scenario sends"
		}
		if !how.Everywhere {
			continue
		}
		if why != "" {
			l.errs.Add(step.Pos, "%s", why)
		}
		sweep = step
	}
	if sweep == nil {
		return
	}
	if n := l.scenario.LongestText(l.defaults()); n > longestSweep {
		l.errs.Add(sweep.Pos, "cut everywhere, a text of %d bytes is sent %d times: at most %d", n, n, longestSweep)
	}
	for _, step := range l.scenario.Steps {
		switch step.Do.(type) {
		case ReceiveNo, ReceiveNothing, StaysConnected:
			l.errs.Add(step.Pos, "the steps are played many times, so this cannot be claimed of one of them").Hint =
				"next: yes on a step that receives lets nothing come before it"
		}
	}
}

// defaults are the settings as they are unless somebody sets them.
func (l *loader) defaults() map[string]string {
	values := map[string]string{}
	for _, s := range l.suite.Protocol.Settings {
		values[s.Name] = s.Default
	}
	return values
}
