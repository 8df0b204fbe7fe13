package dissector_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chatprobe/chatprobe/internal/dissector"
)

// TestPageShowsWhatTsharkPrints plays the commands of docs/wireshark.md that a
// block of text follows. What the test of all pages plays has no tshark in it,
// because that may be missing.
func TestPageShowsWhatTsharkPrints(t *testing.T) {
	needTshark(t)
	page, err := os.ReadFile("../../docs/wireshark.md")
	if err != nil {
		t.Fatal(err)
	}
	capture, err := filepath.Abs("../../docs/testdata/capture.pcap")
	if err != nil {
		t.Fatal(err)
	}
	lua, _ := generate(t, builtin(t, "framed"), dissector.Options{})
	blocks := strings.Split(string(page), "```")
	played := 0
	for i := 3; i < len(blocks); i += 2 {
		want, isText := strings.CutPrefix(blocks[i], "text\n")
		command, isCommand := strings.CutPrefix(blocks[i-2], "sh\n")
		if !isText || !isCommand {
			continue
		}
		line := strings.NewReplacer("framed.lua", lua, "capture.pcap", capture).Replace(command)
		cmd := exec.CommandContext(t.Context(), "sh", "-c", line)
		home := t.TempDir()
		cmd.Env = append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME="+home)
		out, err := cmd.Output()
		if err != nil {
			t.Errorf("%s: %v", command, err)
		}
		if got := strings.Join(strings.Fields(string(out)), " "); got != strings.Join(strings.Fields(want), " ") {
			t.Errorf("%s\nthe page says\n%s\ntshark says\n%s", command, want, out)
		}
		played++
	}
	if played < 3 {
		t.Errorf("%d commands were played", played)
	}
}
