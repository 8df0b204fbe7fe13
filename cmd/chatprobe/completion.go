package main

import (
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/chatprobe/chatprobe/internal/report"
	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/source"
	"github.com/chatprobe/chatprobe/internal/wire"
	"github.com/chatprobe/chatprobe/scenarios"
)

// completeAll says what may stand where on a command line, for the scripts that
// chatprobe completion bash (zsh, fish, powershell) prints. Commands and flags
// are completed without that.
func completeAll(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	arguments := map[string]cobra.CompletionFunc{
		"run":          completeRun,
		"list":         completeSuites,
		"requirements": completeSuites,
		"lint":         completeSuites,
		"explain":      completeScenario,
		"schema":       cobra.FixedCompletions(schemaNames, cobra.ShellCompDirectiveNoFileComp),
		"init":         completeFolders,
	}
	flags := map[string]cobra.CompletionFunc{
		"run --scenario":        completePattern,
		"run --set":             completeSetting,
		"run --level":           completeLevel,
		"run --report":          cobra.FixedCompletions([]string{"json=", "junit="}, cobra.ShellCompDirectiveNoSpace),
		"run --target":          cobra.NoFileCompletions,
		"run --isolate":         cobra.FixedCompletions([]string{perScenario, perSuite}, cobra.ShellCompDirectiveNoFileComp),
		"run --workdir":         completeFolders,
		"run --record":          completeFolders,
		"run --port":            cobra.NoFileCompletions,
		"run --port-from":       cobra.NoFileCompletions,
		"run --stdin":           cobra.NoFileCompletions,
		"run --answer":          cobra.NoFileCompletions,
		"decode --protocol":     completeProtocol,
		"decode --set":          completeSetting,
		"decode --format":       cobra.FixedCompletions(report.Formats, cobra.ShellCompDirectiveNoFileComp),
		"decode --port":         cobra.NoFileCompletions,
		"decode --message":      completeMessage,
		"decode --from":         cobra.FixedCompletions([]string{"client", "server"}, cobra.ShellCompDirectiveNoFileComp),
		"decode --client":       cobra.NoFileCompletions,
		"decode --where":        completeField,
		"decode --time":         cobra.NoFileCompletions,
		"decode --conversation": cobra.FixedCompletions([]string{"all"}, cobra.ShellCompDirectiveNoFileComp),
		"list --format":         cobra.FixedCompletions(tableOrJSON, cobra.ShellCompDirectiveNoFileComp),
		"requirements --format": cobra.FixedCompletions(tableOrJSON, cobra.ShellCompDirectiveNoFileComp),
	}
	for _, cmd := range root.Commands() {
		if cmd.Name() == "completion" {
			describeCompletion(cmd)
		}
		if complete := arguments[cmd.Name()]; complete != nil {
			cmd.ValidArgsFunction = complete
		}
		for name, complete := range flags {
			command, flag, _ := strings.Cut(name, " --")
			if command == cmd.Name() {
				_ = cmd.RegisterFlagCompletionFunc(flag, complete) // a test looks whether the flags are there
			}
		}
	}
}

// describeCompletion has cobra's command speak like the others.
func describeCompletion(cmd *cobra.Command) {
	var shells []string
	for _, shell := range cmd.Commands() {
		shells = append(shells, shell.Name())
	}
	cmd.Short = "Print a script that completes commands in a shell"
	cmd.Long = `Print a script for bash, zsh, fish or powershell. With it, the shell completes
commands and flags, names of suites and scenarios, settings and their values.`
	cmd.Example = `  source <(chatprobe completion bash)
  chatprobe completion fish > ~/.config/fish/completions/chatprobe.fish
  chatprobe completion zsh --help`
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		return usage("there is no completion for %q: %s", args[0], source.DidYouMean(args[0], shells))
	}
}

// completeFolders offers folders.
func completeFolders(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}

// completeSuites offers built-in suites that are not named yet; where none
// fits, the shell offers folders.
func completeSuites(_ *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var list []cobra.Completion
	for _, s := range builtinSuites() {
		if !slices.Contains(args, s.Name) && strings.HasPrefix(s.Name, begun) {
			list = append(list, cobra.CompletionWithDesc(s.Name, s.Protocol.Title))
		}
	}
	if len(list) == 0 {
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
	return list, cobra.ShellCompDirectiveNoFileComp
}

// completeRun offers suites, and behind -- files: that is a command.
func completeRun(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
	// Cobra parses what is typed with a -- of its own behind it, so what it says
	// of dashes means nothing here.
	if slices.Contains(os.Args[:len(os.Args)-1], "--") {
		return nil, cobra.ShellCompDirectiveDefault
	}
	return completeSuites(cmd, args, begun)
}

// completeProtocol offers one suite.
func completeProtocol(cmd *cobra.Command, _ []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return completeSuites(cmd, nil, begun)
}

// completeMessage offers the names of messages, each behind those that are
// written already.
func completeMessage(cmd *cobra.Command, _ []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
	before, _, several := cutLast(begun, ",")
	if before += ","; !several {
		before = ""
	}
	messages, _ := namesIn(namedProtocols(protocolOf(cmd)))
	return beginning(begun, before, messages, ""), cobra.ShellCompDirectiveNoFileComp
}

// completeField offers the names of fields.
func completeField(cmd *cobra.Command, _ []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
	_, fields := namesIn(namedProtocols(protocolOf(cmd)))
	return beginning(begun, "", fields, "="), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

// beginning are the names that continue what is begun.
func beginning(begun, before string, names []string, after string) []cobra.Completion {
	var list []cobra.Completion
	for _, name := range names {
		if text := before + name + after; strings.HasPrefix(text, begun) {
			list = append(list, text)
		}
	}
	return list
}

// protocolOf is the suite that --protocol names.
func protocolOf(cmd *cobra.Command) []string {
	if f := cmd.Flags().Lookup("protocol"); f != nil && f.Value.String() != "" {
		return []string{f.Value.String()}
	}
	return nil
}

// completeLevel offers levels.
func completeLevel(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return []cobra.Completion{
		cobra.CompletionWithDesc(string(wire.Must), "only what is required"),
		cobra.CompletionWithDesc(string(wire.Should), "also what should be"),
		cobra.CompletionWithDesc(string(wire.May), "everything"),
	}, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
}

// completeScenario offers SUITE/SCENARIO, once a suite is named; before that
// suites, of which the slash may follow.
func completeScenario(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	name, _, ok := cutLast(begun, "/")
	if !ok || !slices.Contains(scenarios.Names(), name) && !isSuite(name) {
		list, directive := completeSuites(cmd, nil, begun)
		return list, directive | cobra.ShellCompDirectiveNoSpace
	}
	s, err := loadSuite(name)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return scenariosOf(s, name+"/", begun), cobra.ShellCompDirectiveNoFileComp
}

// completePattern offers the scenarios of the suites that are named on the
// command line, or of all.
func completePattern(_ *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var list []cobra.Completion
	for _, s := range namedSuites(args) {
		prefix := s.Name + "/"
		if len(args) == 1 && !strings.HasPrefix(begun, prefix) {
			prefix = ""
		}
		list = append(list, scenariosOf(s, prefix, begun)...)
	}
	return list, cobra.ShellCompDirectiveNoFileComp
}

// scenariosOf are the names of scenarios that begin like this, each once.
func scenariosOf(s *scenario.Suite, prefix, begun string) []cobra.Completion {
	var list []cobra.Completion
	for i, sc := range s.Scenarios {
		again := i > 0 && s.Scenarios[i-1].Base == sc.Base
		if name := prefix + sc.Base; !again && strings.HasPrefix(name, begun) {
			list = append(list, cobra.CompletionWithDesc(name, sc.Title))
		}
	}
	return list
}

// completeSetting offers NAME=, and then the values that a setting can have.
func completeSetting(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if protocol := protocolOf(cmd); protocol != nil {
		args = protocol
	}
	name, _, named := strings.Cut(begun, "=")
	directive := cobra.ShellCompDirectiveNoFileComp
	if !named {
		directive |= cobra.ShellCompDirectiveNoSpace
	}
	var list []cobra.Completion
	add := func(text, about string) {
		completion := cobra.CompletionWithDesc(text, about)
		known := slices.ContainsFunc(list, func(c cobra.Completion) bool { return strings.HasPrefix(c+"\t", text+"\t") })
		if strings.HasPrefix(text, begun) && !known {
			list = append(list, completion)
		}
	}
	for _, s := range namedSuites(args) {
		for _, set := range s.Protocol.Settings {
			if !named {
				add(set.Name+"=", set.About)
				continue
			}
			for _, value := range set.OneOf {
				if set.Name == name {
					add(name+"="+value, "")
				}
			}
		}
	}
	return list, directive
}

// namedSuites are those suites of a command line that can be loaded; all
// built-in ones, if it names none.
func namedSuites(args []string) []*scenario.Suite {
	if len(args) == 0 {
		return builtinSuites()
	}
	var suites []*scenario.Suite
	for _, name := range args {
		if s, err := loadSuite(name); err == nil {
			suites = append(suites, s)
		}
	}
	return suites
}

// namedProtocols are the protocols of [namedSuites].
func namedProtocols(args []string) []*wire.Protocol {
	var list []*wire.Protocol
	for _, s := range namedSuites(args) {
		list = append(list, s.Protocol)
	}
	return list
}

func builtinSuites() []*scenario.Suite {
	suites, err := loadSuites(nil)
	if err != nil {
		return nil
	}
	return suites
}

// cutLast cuts text at the last place where sep stands.
func cutLast(text, sep string) (before, after string, found bool) {
	if at := strings.LastIndex(text, sep); at >= 0 {
		return text[:at], text[at+len(sep):], true
	}
	return text, "", false
}
