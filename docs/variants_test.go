package docs_test

import (
	"os"
	"path"
	"regexp"
	"testing"

	"github.com/chatprobe/chatprobe/internal/scenario"
)

var leadingComment = regexp.MustCompile(`\A(#.*\n)+`)

// TestVariantsAreThoseThatAreTested holds the variants in docs/writing.md
// against the suites that are played with a real server.
func TestVariantsAreThoseThatAreTested(t *testing.T) {
	shown := map[string]string{}
	for _, b := range readPage(t, "writing.md").blocks(t) {
		if name, _ := fileName(b); name != "" {
			shown[name] = leadingComment.ReplaceAllString(b.text(), "")
		}
	}
	for _, suite := range []string{"words", "digits", "jsonlines"} {
		name := path.Join(suite, scenario.ProtocolFile)
		data, err := os.ReadFile("../scenarios/testdata/suites/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if tested := leadingComment.ReplaceAllString(string(data), ""); shown[name] != tested {
			t.Errorf("docs/writing.md shows %s as\n%s\nand what is tested is\n%s", name, shown[name], tested)
		}
	}
}
