package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/chatprobe/chatprobe/internal/report"
	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/source"
	"github.com/chatprobe/chatprobe/internal/transcript"
	"github.com/chatprobe/chatprobe/scenarios"
)

// What is typed on the command line is read here, and what was probably meant
// is said where it makes no sense. That happens before anything is started.

// placeholders are what the command of a server may contain; that of a client
// may contain what scenario.Told lists.
var placeholders = []string{"port", "host", "user"}

var placeholder = regexp.MustCompile(`\{([A-Za-z]+)\}`)

// takesPort says whether a command is told the port by an argument.
func takesPort(command []string) bool {
	return slices.ContainsFunc(command, func(arg string) bool { return strings.Contains(arg, "{port}") })
}

// checkCommand finds what is misspelt in the command behind --.
func checkCommand(command []string, isClient bool) error {
	known := placeholders
	if isClient {
		known = scenario.Told
	}
	if len(command) == 0 {
		return usage("there is no command behind --")
	}
	if words := strings.Fields(command[0]); len(command) == 1 && len(words) > 1 {
		if _, err := exec.LookPath(command[0]); err != nil {
			return usage("no program is called %q: write the command without quotes around it, as in -- %s", command[0], command[0])
		}
	}
	for _, arg := range command[1:] {
		if !takesPort(command) && !isClient && (arg == "PORT" || arg == "port") {
			return usage("%s in the command: write {port}, which is replaced by the number of the port", arg)
		}
		for _, found := range placeholder.FindAllStringSubmatch(arg, -1) {
			if slices.Contains(known, found[1]) {
				continue
			}
			if slices.Contains(scenario.Told, found[1]) {
				return usage("%s in the command: that is for clients, which are tested with --client", found[0])
			}
			if hint := source.DidYouMean(strings.ToLower(found[1]), known); strings.HasPrefix(hint, "did you mean") {
				meant := strings.NewReplacer(`"port"`, "{port}", `"host"`, "{host}", `"user"`, "{user}", `"url"`, "{url}").Replace(hint)
				return usage("%s in the command: %s", found[0], meant)
			}
		}
	}
	return nil
}

// forgottenDashes finds a command among the names of suites.
func forgottenDashes(names, command []string) error {
	at := slices.IndexFunc(names, func(name string) bool {
		info, err := os.Stat(name)
		return !slices.Contains(scenarios.Names(), name) && (err != nil || !info.IsDir())
	})
	if at < 0 || command != nil {
		return nil
	}
	_, notFound := exec.LookPath(names[at])
	info, noFile := os.Stat(names[at])
	isFile := noFile == nil && !info.IsDir()
	switch {
	case isFile && filepath.Ext(names[at]) == ".yaml":
		return nil
	case notFound == nil, isFile, takesPort(names), len(strings.Fields(names[at])) > 1:
	default:
		return nil
	}
	line := append([]string{"chatprobe", "run"}, names[:at]...)
	if at == 0 {
		line = append(line, scenarios.Names()[0])
	}
	line = append(line, "--")
	if isFile && notFound != nil && filepath.Ext(names[at]) == ".py" {
		line = append(line, "python3")
	}
	line = append(line, names[at:]...)
	if !takesPort(names) {
		line = append(line, "{port}")
	}
	return usage("%q is no suite. A command that starts your server stands behind --, as in\n  %s", names[at], strings.Join(line, " "))
}

func parseSettings(list []string) (map[string]string, error) {
	settings := map[string]string{}
	for _, s := range list {
		name, value, ok := strings.Cut(s, "=")
		if !ok || name == "" {
			return nil, usage("--set %q: it is written NAME=VALUE, such as --set echo=no", s)
		}
		if before, ok := settings[name]; ok && before != value {
			return nil, usage("--set says both %s=%s and %s=%s", name, before, name, value)
		}
		settings[name] = value
	}
	return settings, nil
}

// An output is a report that goes to a file.
type output struct {
	file  string // "-" is standard output
	write func(io.Writer, *transcript.Report) error
}

// parseReports also looks whether files can be written there: it would be a
// pity to find out after a long run.
func parseReports(list []string) ([]output, error) {
	formats := map[string]func(io.Writer, *transcript.Report) error{"json": report.JSON, "junit": report.JUnit}
	var outputs []output
	for _, s := range list {
		format, file, ok := strings.Cut(s, "=")
		write := formats[format]
		if !ok || file == "" || write == nil {
			return nil, usage("--report %q: it is written FORMAT=FILE, such as --report json=result.json, and FORMAT is json or junit", s)
		}
		if slices.ContainsFunc(outputs, func(o output) bool { return o.file == file }) {
			return nil, usage("--report names %s twice", file)
		}
		outputs = append(outputs, output{file, write})
		if file == "-" {
			continue
		}
		if info, err := os.Stat(file); err == nil && info.IsDir() {
			return nil, usage("--report %s: %s is a folder", s, file)
		}
		if _, err := os.Stat(filepath.Dir(file)); err != nil {
			return nil, usage("--report %s: there is no folder %s", s, filepath.Dir(file))
		}
	}
	return outputs, nil
}

// address completes HOST:PORT by this machine, and by the protocol's usual
// port.
func address(text string, port int) (string, error) {
	host, service, err := net.SplitHostPort(text)
	_, number := strconv.Atoi(text)
	switch {
	case err == nil:
	case number == nil:
		return "", usage("--target %q: it is written HOST:PORT, such as 127.0.0.1:%s", text, text)
	case port == 0, strings.ContainsRune(text, '/'):
		return "", usage("--target %q: it is written HOST:PORT, such as 127.0.0.1:4445", text)
	default:
		host, service = strings.Trim(text, "[]"), strconv.Itoa(port)
	}
	if n, err := strconv.Atoi(service); err != nil || n < 1 || n > 65535 {
		return "", usage("--target %q: the port is a number from 1 to 65535", text)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	if _, err := net.LookupHost(host); err != nil {
		return "", cannot("--target %q: there is no host %q", text, host)
	}
	return net.JoinHostPort(host, service), nil
}

// openFile opens a file that a user has named.
func openFile(name string) (*os.File, error) {
	file, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, usage("there is no file %s", name)
	}
	if err != nil {
		return nil, usage("%w", err)
	}
	if info, err := file.Stat(); err == nil && info.IsDir() {
		_ = file.Close()
		return nil, usage("%s is a folder", name)
	}
	return file, nil
}

// flagError says what a wrong flag was probably meant to be.
func flagError(command string, flags []string, err error) error {
	text := err.Error()
	name, unknown := strings.CutPrefix(text, "unknown flag: ")
	switch {
	case unknown:
		if hint, ok := didYouMean(strings.TrimPrefix(name, "--"), flags); ok {
			return usage("there is no flag %s: %s", name, strings.NewReplacer(`mean "`, `mean --`, `"?`, "?").Replace(hint))
		}
		text = "there is no flag " + name
	case strings.Contains(text, "missing unit in duration"):
		text += "; write 2s or 500ms"
	case strings.HasPrefix(text, "unknown shorthand flag"):
		text = strings.Replace(text, "unknown shorthand flag: ", "there is no flag ", 1)
	}
	if command == "chatprobe run" && strings.HasPrefix(text, "there is no flag") {
		text += "; a command that starts your server stands behind --"
	}
	return usage("%s (%s --help says what there is)", text, command)
}

// unknownCommand says what a wrong command was probably meant to be.
func unknownCommand(word string, commands []string) error {
	if slices.Contains(scenarios.Names(), word) {
		return usage("there is no command %q: did you mean chatprobe run %s?", word, word)
	}
	text := fmt.Sprintf("there is no command %q", word)
	if hint := source.DidYouMean(word, commands); hint != "" {
		text += ": " + hint
	}
	return usage("%s", text)
}
