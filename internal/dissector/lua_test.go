package dissector_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chatprobe/chatprobe/internal/dissector"
	"github.com/chatprobe/chatprobe/internal/wire"
)

// TestEveryLuaReadsAlike runs dissectors without Wireshark: versions of it have
// different Luas, and only one of them is here.
func TestEveryLuaReadsAlike(t *testing.T) {
	found := 0
	for _, program := range []string{"lua5.1", "lua5.2", "lua5.3", "lua5.4"} {
		if _, err := exec.LookPath(program); err != nil {
			continue
		}
		found++
		for name, p := range protocols(t) {
			t.Run(program+"/"+name, func(t *testing.T) {
				for i, settings := range p.Guesses(p.Defaults()) {
					codec, err := p.Bind(settings)
					if err != nil {
						t.Fatal(err)
					}
					lua, filter := generate(t, p, dissector.Options{Settings: settings})
					for _, from := range []wire.Side{wire.Client, wire.Server} {
						s := &speaker{rand.New(rand.NewPCG(uint64(i), 11)), codec}
						var b []byte
						for range 40 {
							b = append(b, s.message(from)...)
							if codec.IsDatagram(from) || codec.Unframed(from) {
								break
							}
						}
						compareLua(t, program, lua, filter, codec, from, b)
					}
				}
			})
		}
	}
	if found == 0 {
		t.Skip("SKIPPED: there is no lua5.1 to lua5.4")
	}
}

// compareLua runs a dissector on what one side says, and holds the names and
// the numbers that it shows against those of package wire.
func compareLua(t *testing.T, program, lua, filter string, codec *wire.Codec, from wire.Side, b []byte) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "said")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "testdata/wireshark.lua", lua, string(from), file)
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, &complaints)
	}
	names := map[string]bool{}
	for _, m := range codec.Messages() {
		for _, f := range m.Shape.Fields {
			names[f.Name] = f.Type <= wire.CRC32
		}
	}
	var got, want []string
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		name, ok := strings.CutPrefix(words[0], filter+".")
		if ok && len(words) == 4 && (name == "message" || names[name]) {
			got = append(got, strings.Join(words[:4], " "))
		}
	}
	at := 0
	first := true
	for at < len(b) {
		var f wire.Frame
		n, err := codec.Decode(&f, b[at:], from)
		if err != nil {
			break
		}
		f.SetFirst(first)
		first = false
		m := codec.Name(&f, from)
		if m != nil {
			want = append(want, fmt.Sprintf("%s.message %d %d %s", filter, at, n, m.Name))
		}
		for _, r := range f.Transcript(m, from).Fields {
			if v, ok := r.Value.(uint64); ok && names[r.Name] {
				want = append(want, fmt.Sprintf("%s.%s %d %d %d", filter, r.Name, at+r.Start, r.Size, v))
			}
		}
		at += n
	}
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Errorf("%s, from the %s: line %d differs\ngot  %q\nwant %q\nof %q", program, from, i, tail(got, i), tail(want, i), b)
			return
		}
	}
}

func tail(lines []string, i int) []string { return lines[min(i, len(lines)):min(i+3, len(lines))] }
