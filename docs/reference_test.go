package docs_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/source"
	"github.com/chatprobe/chatprobe/internal/wire"
	"github.com/chatprobe/chatprobe/scenarios"
)

var fileSyntax = regexp.MustCompile(`^# ([a-z]+/[a-z]+\.yaml)(, continued)?$`)

// fileName is the name of the file that a block is or continues; empty for a
// part.
func fileName(b block) (name string, continued bool) {
	m := fileSyntax.FindStringSubmatch(b.lines()[0])
	if m == nil || b.language != "yaml" {
		return "", false
	}
	return m[1], m[2] != ""
}

// wrongFolder is the one whose files are shown because they do not load.
const wrongFolder = "wrong"

func TestFilesLoad(t *testing.T) {
	files, parts := 0, 0
	for _, p := range pages(t) {
		fsys := fstest.MapFS{}
		for _, b := range p.blocks(t) {
			if b.language != "yaml" {
				continue
			}
			var err error
			name, continued := fileName(b)
			folder := path.Dir(name)
			if name == "" {
				parts++
				err = loadPart(t, b.text())
			} else {
				files++
				text := b.text()
				if continued && fsys[name] == nil {
					t.Errorf("%s:%d: there is no %s to continue", p.name, b.from+1, name)
				} else if continued {
					text = string(fsys[name].Data) + text
				}
				fsys[name] = &fstest.MapFile{Data: []byte(text)}
				if fsys[path.Join(folder, scenario.ProtocolFile)] == nil {
					continue
				}
				_, err = scenario.Load(fsys, folder, scenarios.Files)
			}
			if wrong := folder == wrongFolder && path.Base(name) != scenario.ProtocolFile; (err != nil) != wrong {
				t.Errorf("%s:%d: this should load: %v; got\n%v", p.name, b.from+1, !wrong, err)
			}
		}
	}
	if files == 0 || parts == 0 {
		t.Errorf("%d whole files and %d parts of files on all pages: there must be some of each", files, parts)
	}
}

var (
	topKey   = regexp.MustCompile(`(?m)^([a-z]+):`)
	stepText = regexp.MustCompile(`(?m)^- [a-z0-9, ]+ [a-z ]+:`)
)

// loadPart loads a part of a file, with the rest from testdata/rest.
func loadPart(t *testing.T, text string) error {
	t.Helper()
	rest, err := os.ReadFile("testdata/rest/" + scenario.ProtocolFile)
	if err != nil {
		t.Fatal(err)
	}
	fsys := fstest.MapFS{"rest/" + scenario.ProtocolFile: {Data: rest}}
	switch {
	case topKey.MatchString(text):
		given := topKeys(text)
		for key, chunk := range topKeys(string(rest)) {
			needs := given["messages"] != "" && (key == "procedures" || key == "fence")
			if given[key] == "" && !needs {
				text += chunk
			}
		}
		fsys["rest/"+scenario.ProtocolFile].Data = []byte(text)
	case strings.HasPrefix(text, "- name:"):
		fsys["rest/part.yaml"] = &fstest.MapFile{Data: []byte("scenarios:\n" + indent(text, 2))}
	case stepText.MatchString(text):
		head := "scenarios:\n  - name: part\n    clients: [alice, bob, carol, 10 others]\n    steps:\n"
		fsys["rest/part.yaml"] = &fstest.MapFile{Data: []byte(head + indent(text, 6))}
	default:
		return errors.New("this is neither a part of a protocol file nor scenarios nor steps")
	}
	_, err = scenario.Load(fsys, "rest", scenarios.Files)
	return err
}

// topKeys cuts a mapping at its keys.
func topKeys(text string) map[string]string {
	chunks := map[string]string{}
	all := topKey.FindAllStringSubmatchIndex(text, -1)
	for i, m := range all {
		end := len(text)
		if i+1 < len(all) {
			end = all[i+1][0]
		}
		chunks[text[m[2]:m[3]]] = text[m[0]:end]
	}
	return chunks
}

func indent(text string, n int) string {
	return regexp.MustCompile(`(?m)^`).ReplaceAllString(text, strings.Repeat(" ", n))
}

// knownAt loads a suite in which "zz" stands at one place, and returns what
// the loader says could stand there.
func knownAt(t *testing.T, protocol, scenarios string) []string {
	t.Helper()
	fsys := fstest.MapFS{"x/" + scenario.ProtocolFile: {Data: []byte(protocol)}}
	if scenarios != "" {
		fsys["x/x.yaml"] = &fstest.MapFile{Data: []byte(scenarios)}
	}
	_, err := scenario.Load(fsys, "x", nil)
	var list source.List
	errors.As(err, &list)
	for _, e := range list {
		if !strings.Contains(e.Text, `"zz"`) && !strings.Contains(e.Text, "no type") {
			continue
		}
		for _, before := range []string{"known are ", "the only one is "} {
			if words, ok := strings.CutPrefix(e.Hint, before); ok {
				return strings.Split(words, ", ")
			}
		}
		if e.Hint == "" || e.Hint == "it takes none" {
			return nil
		}
	}
	t.Fatalf("the loader does not say what could stand instead of zz in\n%s%s\n%v", protocol, scenarios, err)
	return nil
}

// TestReferenceIsComplete asks the loader for every key, verb and option that
// it knows, and looks for each in the two reference pages.
func TestReferenceIsComplete(t *testing.T) {
	rest, err := os.ReadFile("testdata/rest/" + scenario.ProtocolFile)
	if err != nil {
		t.Fatal(err)
	}
	base := string(rest)
	with := func(old, new string) string {
		if !strings.Contains(base, old) {
			t.Fatalf("testdata/rest has no %q", old)
		}
		return strings.Replace(base, old, new, 1)
	}
	steps := func(text string) string {
		return "scenarios:\n  - name: x\n    clients: [alice, bob]\n    steps:\n" + indent(text, 6)
	}
	clientTest := func(text string) string {
		return "tests: client\n" + strings.Replace(steps(text), "    clients: [alice, bob]\n", "", 1)
	}
	known := map[string][]string{
		"key of protocol.yaml":    knownAt(t, base+"zz: 1\n", ""),
		"key of a setting":        knownAt(t, with("login_text: {", "login_text: {zz: 1, "), ""),
		"key of a requirement":    knownAt(t, with("R-1: {", "R-1: {zz: 1, "), ""),
		"key of a message":        knownAt(t, with("say: {is: frame, ", "say: {is: frame, zz: 1, "), ""),
		"key of a field":          knownAt(t, with("{name: UNameL, ", "{name: UNameL, zz: 1, "), ""),
		"type of a field":         knownAt(t, with("type: u16}", "type: zz}"), ""),
		"key of the fence":        knownAt(t, with("fence:\n", "fence:\n  zz: 1\n"), ""),
		"key of a scenario file":  knownAt(t, base, "zz: 1\nscenarios:\n  - {name: x, steps: []}\n"),
		"key of a scenario":       knownAt(t, base, "scenarios:\n  - {name: x, zz: 1, steps: []}\n"),
		"verb of a client":        knownAt(t, base, steps("- alice zz:\n")),
		"verb of the server":      knownAt(t, base, steps("- server zz:\n")),
		"key of a value":          knownAt(t, base, steps("- alice sends: {say: {text: {zz: 1}}}\n")),
		"key of what is printed":  knownAt(t, base, steps("- server prints: {zz: 1}\n")),
		"framing":                 knownAt(t, with("framing: fields", "framing: zz"), ""),
		"key of framing":          knownAt(t, with("framing: fields", "framing: {length: u32, zz: 1}"), ""),
		"end of a line":           knownAt(t, with("framing: fields", "framing: {line: {end: zz}}"), ""),
		"way to fill up digits":   knownAt(t, with("type: u16}", "type: digits, width: 4, pad: zz}"), ""),
		"transport":               knownAt(t, base+"transport: zz\n", ""),
		"verb of the program":     knownAt(t, base, clientTest("- program zz:\n")),
		"name of a message":       listIn(t, "../internal/scenario/lint.go", "standardMessages"),
		"name of a setting":       listIn(t, "../internal/scenario/lint.go", "standardSettings"),
		"word of needs":           {scenario.OwnPort, scenario.GivenPort},
		"way to stop the server":  append(slices.Clone(scenario.StopWays), "type:TEXT"),
		"level of a requirement":  {string(wire.Must), string(wire.Should), string(wire.May)},
		"name that means a place": {"$self", "$token", "$server.port", "$$"},
	}
	for _, verb := range known["verb of a client"] {
		known["option of "+verb] = knownAt(t, base, steps("- alice "+verb+": x\n  zz: 1\n"))
	}
	for _, verb := range known["verb of the server"] {
		known["option of server "+verb] = knownAt(t, base, steps("- server "+verb+": x\n  zz: 1\n"))
	}
	for _, verb := range known["verb of the program"] {
		known["option of program "+verb] = knownAt(t, base, clientTest("- program "+verb+": x\n  zz: 1\n"))
	}
	reference := strings.Join(append(readPage(t, "protocols.md").lines, readPage(t, "scenarios.md").lines...), "\n")
	for kind, names := range known {
		if len(names) == 0 && !strings.HasPrefix(kind, "option of") {
			t.Errorf("the loader knows no %s", kind)
		}
		for _, name := range names {
			if !saysCode(reference, name) {
				t.Errorf("neither docs/protocols.md nor docs/scenarios.md explains %q, a %s", name, kind)
			}
		}
	}
	// And the other way: what the tables explain is there.
	kinds := map[string]string{"server": "verb of the server", "program": "verb of the program"}
	for _, m := range regexp.MustCompile("(?m)^\\| `([A-Z]+|server|program) ([a-z -]+):").FindAllStringSubmatch(reference, -1) {
		kind, ok := kinds[m[1]]
		if !ok {
			kind = "verb of a client"
		}
		if !slices.Contains(known[kind], m[2]) {
			t.Errorf("docs/scenarios.md explains %q, and the loader knows no such %s", m[2], kind)
		}
	}
}

// listIn is a list of strings that a variable of a file begins with.
func listIn(t *testing.T, file, variable string) []string {
	t.Helper()
	var list []string
	ast.Inspect(parse(t, file), func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || spec.Names[0].Name != variable || len(spec.Values) != 1 {
			return true
		}
		ast.Inspect(spec.Values[0], func(n ast.Node) bool {
			if text, ok := n.(*ast.BasicLit); ok {
				list = append(list, strings.Trim(text.Value, `"`))
			}
			return true
		})
		return false
	})
	return list
}

// parse reads a Go file.
func parse(t *testing.T, file string) *ast.File {
	t.Helper()
	tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// TestCommonScenariosAreListed holds docs/scenarios.md against the scenarios
// that all suites have in common.
func TestCommonScenariosAreListed(t *testing.T) {
	_, section, found := strings.Cut(strings.Join(readPage(t, "scenarios.md").lines, "\n"), "\n## Common scenarios\n")
	if !found {
		t.Fatal("docs/scenarios.md has no section about common scenarios")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	files, err := fs.Glob(scenarios.Files, scenario.CommonDir+"/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no common scenarios: %v", err)
	}
	names := map[string]bool{}
	for _, file := range files {
		data, err := fs.ReadFile(scenarios.Files, file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^  - name: (\S+)$`).FindAllSubmatch(data, -1) {
			names[string(m[1])] = true
			if !strings.Contains(section, "`"+string(m[1])+"`") {
				t.Errorf("docs/scenarios.md does not name %s of %s", m[1], file)
			}
		}
	}
	for _, m := range regexp.MustCompile("`([a-z0-9]+(-[a-z0-9]+)+)`").FindAllStringSubmatch(section, -1) {
		if !names[m[1]] {
			t.Errorf("docs/scenarios.md names %s, and there is no such common scenario", m[1])
		}
	}
}

// saysCode says whether a name stands on a page as code: `name`, `name:`, or
// at the beginning of a longer piece, `WHO name: WHAT`.
func saysCode(text, name string) bool {
	return regexp.MustCompile("[`{]([A-Z]+ |server |program )?" + regexp.QuoteMeta(name) + "(`|:)").MatchString(text)
}

func framed(t *testing.T) *scenario.Suite {
	t.Helper()
	s, err := scenario.Load(scenarios.Files, "framed", scenarios.Files)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestFramedPage holds docs/framed.md against the suite.
func TestFramedPage(t *testing.T) {
	suite := framed(t)
	text := strings.Join(readPage(t, "framed.md").lines, "\n")
	for _, r := range suite.Protocol.Requirements {
		row := fmt.Sprintf("| %s | %s | %s |", r.ID, r.Level, r.Text)
		if !strings.Contains(text, row) {
			t.Errorf("docs/framed.md lacks the row\n%s", row)
		}
	}
	for _, s := range suite.Protocol.Settings {
		if !strings.Contains(text, "| `"+s.Name+"` |") {
			t.Errorf("docs/framed.md has no row for the setting %s", s.Name)
		}
	}
	names := map[string]bool{}
	for _, sc := range suite.Scenarios {
		stem, _, _ := strings.Cut(sc.Name, "[")
		names[stem] = true
	}
	mentioned := regexp.MustCompile("`([a-z0-9]+(-[a-z0-9]+)+)`").FindAllStringSubmatch(text, -1)
	if len(mentioned) == 0 {
		t.Error("docs/framed.md names no scenario")
	}
	for _, m := range mentioned {
		if !names[m[1]] {
			t.Errorf("docs/framed.md names %s, and there is no such scenario", m[1])
		}
	}
}

// TestTimesAreTold holds the times in docs/playing.md against the engine.
func TestTimesAreTold(t *testing.T) {
	text := strings.Join(readPage(t, "playing.md").lines, "\n")
	files, err := filepath.Glob("../internal/engine/*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		for name, value := range times(t, file) {
			found++
			if row := fmt.Sprintf("| `%s` | %s |", name, value); !strings.Contains(text, row) {
				t.Errorf("docs/playing.md lacks the row %s…", row)
			}
		}
	}
	if found == 0 {
		t.Error("the engine has no times any more")
	}
}

// times are the durations among the constants of a file, as 5 ms or 2 s.
func times(t *testing.T, file string) map[string]string {
	t.Helper()
	units := map[string]string{"Millisecond": " ms", "Second": " s"}
	list := map[string]string{}
	ast.Inspect(parse(t, file), func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		product, ok := spec.Values[0].(*ast.BinaryExpr)
		if !ok || product.Op != token.MUL {
			return true
		}
		count, isCount := product.X.(*ast.BasicLit)
		unit, isUnit := product.Y.(*ast.SelectorExpr)
		if isCount && isUnit && units[unit.Sel.Name] != "" {
			list[spec.Names[0].Name] = count.Value + units[unit.Sel.Name]
		}
		return true
	})
	return list
}
