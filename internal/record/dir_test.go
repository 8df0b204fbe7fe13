package record

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// files are the files below a folder, with slashes.
func files(t *testing.T, dir string) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, _ := filepath.Rel(dir, path)
			list = append(list, filepath.ToSlash(name))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func words(text string) func(io.Writer) error {
	return func(w io.Writer) error { _, err := io.WriteString(w, text); return err }
}

func TestDir(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "evidence")
	check := func(d *Dir, err error, want ...string) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
		if err := d.Err(); err != nil {
			t.Error(err)
		}
		if got := files(t, path); !slices.Equal(got, want) {
			t.Errorf("there are %q, not %q", got, want)
		}
	}
	fast := Play{Suite: "framed", Scenario: "two-clients-chat"}
	slow := Play{Suite: "framed", Scenario: "two-clients-chat", Slow: true}
	d, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	check(d, nil)
	check(d, d.Write(fast, NewLog(), words("one")), "framed/two-clients-chat.pcap", "framed/two-clients-chat.txt")
	check(d, d.Write(slow, NewLog(), words("two")),
		"framed/two-clients-chat.pcap", "framed/two-clients-chat.slow.pcap", "framed/two-clients-chat.slow.txt", "framed/two-clients-chat.txt")

	// The next run replaces what it plays again.
	if err := os.WriteFile(filepath.Join(path, "notes.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d, err = Create(path)
	if err != nil {
		t.Fatal(err)
	}
	l := NewLog()
	l.Conn(noNetwork{}).Write([]byte("hello"))
	check(d, d.Write(fast, l, nil), "framed/two-clients-chat.pcap", "notes.txt")
	var want strings.Builder
	l.WriteCapture(&want)
	if got, err := os.ReadFile(filepath.Join(path, "framed", "two-clients-chat.pcap")); err != nil || string(got) != want.String() {
		t.Errorf("the file has %d bytes, not %d: %v", len(got), want.Len(), err)
	}
}

// TestDirAgain: several plays of a name are all there, also when they end at the
// same time, and the next run begins anew.
func TestDirAgain(t *testing.T) {
	path := t.TempDir()
	play := Play{Suite: "framed", Scenario: "first-contact"}
	again := Play{Suite: "framed", Scenario: "first-contact", Slow: true}
	for range 2 {
		d, err := Create(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range []Play{play, again} {
			var players sync.WaitGroup
			for range 2 {
				players.Go(func() {
					if err := d.Write(p, NewLog(), words("")); err != nil {
						t.Error(err)
					}
				})
			}
			players.Wait()
		}
		want := []string{
			"framed/first-contact-2.pcap", "framed/first-contact-2.slow.pcap", "framed/first-contact-2.slow.txt", "framed/first-contact-2.txt",
			"framed/first-contact.pcap", "framed/first-contact.slow.pcap", "framed/first-contact.slow.txt", "framed/first-contact.txt",
		}
		if got := files(t, path); !slices.Equal(got, want) {
			t.Fatalf("there are %q, not %q", got, want)
		}
	}
	d, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	// The slow plays of this run stay, whatever is played after them.
	for _, p := range []Play{again, play, {Suite: "framed", Scenario: "first-contact-2"}, play} {
		if err := d.Write(p, NewLog(), nil); err != nil {
			t.Error(err)
		}
	}
	want := []string{
		"framed/first-contact-2.pcap", "framed/first-contact-3.pcap", "framed/first-contact.pcap", "framed/first-contact.slow.pcap",
	}
	if got := files(t, path); !slices.Equal(got, want) {
		t.Errorf("there are %q, not %q", got, want)
	}
}

func TestDirErrors(t *testing.T) {
	path := t.TempDir()
	file := filepath.Join(path, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{file, filepath.Join(file, "below")} {
		if _, err := Create(name); err == nil {
			t.Errorf("%s can be made a folder", name)
		}
	}
	d, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	full := errors.New("disk full")
	play := Play{Suite: "framed", Scenario: "hello"}
	if err := d.Write(play, NewLog(), func(io.Writer) error { return full }); !errors.Is(err, full) || !strings.HasPrefix(err.Error(), "write recording of framed/hello: ") {
		t.Errorf("%v", err)
	}
	if err := d.Write(Play{Suite: "file", Scenario: "hello"}, NewLog(), nil); err == nil {
		t.Error("a file can have files in it")
	}
	if err := d.Write(play, NewLog(), nil); err != nil {
		t.Error(err)
	}
	if !errors.Is(d.Err(), full) {
		t.Errorf("the first error was %v", d.Err())
	}
	if got, want := files(t, path), []string{"file", "framed/hello.pcap"}; !slices.Equal(got, want) {
		t.Errorf("there are %q, not %q", got, want)
	}
}

func TestDirAtOnce(t *testing.T) {
	path := t.TempDir()
	d, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	var players sync.WaitGroup
	for i := range 50 {
		play := Play{Suite: string(rune('a' + i/10)), Scenario: string(rune('a' + i%10))}
		players.Go(func() { d.Write(play, NewLog(), words(play.Path())) })
	}
	players.Wait()
	if got := files(t, path); len(got) != 100 || d.Err() != nil {
		t.Errorf("%d files, and %v", len(got), d.Err())
	}
}

func TestPath(t *testing.T) {
	for _, tt := range []struct{ suite, scenario, want string }{
		{"framed", "two-clients-chat", "framed/two-clients-chat"},
		{"framed", "text[size=10]", "framed/text,size=10"},
		{"framed", "text[size=10][end=crlf]", "framed/text,size=10,end=crlf"},
		{"framed", "text[size=-1]", "framed/text,size=-1"},
		{"a_b", "empty[x=]", "a_b/empty,x="},
		{"framed", "text[size=1.5]", "framed/text,size=1_5-559b92a3"},
		{"framed", "text[end=\\r\\n]", "framed/text,end=_r_n-"},
		{"framed", "text[end=CRLF]", "framed/text,end=crlf-"},
		{"framed", "text[who=ä/é:*?]", "framed/text,who=______-"},
		{"framed", "text[size=10]]", "framed/text,size=10-"},
		{"framed", "text,size=10", "framed/text,size=10-"},
		{"con", "lpt1", "con-/lpt1-"},
		{"con", "lpt10", "con-/lpt10"},
		{"..", "-rf", "__-/rf-"},
		{"", "/", "-/_-"},
		{"trailing. ", "x.slow", "trailing__-/x_slow-"},
	} {
		got := Play{Suite: tt.suite, Scenario: tt.scenario}.Path()
		pattern := strings.NewReplacer("-/", "-????????/").Replace(tt.want)
		if strings.HasSuffix(pattern, "-") {
			pattern += "????????"
		}
		if ok, err := filepath.Match(pattern, got); !ok || err != nil {
			t.Errorf("%q, %q: %s, not %s", tt.suite, tt.scenario, got, pattern)
		}
		if slow := (Play{Suite: tt.suite, Scenario: tt.scenario, Slow: true}).Path(); slow != got+".slow" {
			t.Errorf("the slow play is %s", slow)
		}
	}
}

// FuzzFileName: any name becomes one that is a name everywhere, and no other name
// becomes the same, also where capitals are small letters.
func FuzzFileName(f *testing.F) {
	f.Add("text[size=10]", "text,size=10")
	f.Add("A", "a")
	f.Add("con", "con-")
	f.Add(strings.Repeat("a", 300), strings.Repeat("a", 301))
	f.Fuzz(func(t *testing.T, a, b string) {
		got := fileName(a)
		if got == "" || len(got) > 120 || strings.Trim(got, "abcdefghijklmnopqrstuvwxyz0123456789_-=,") != "" || isDevice(got) {
			t.Errorf("%q becomes %q", a, got)
		}
		if a != b && got == fileName(b) {
			t.Errorf("%q and %q become %q", a, b, got)
		}
	})
}
