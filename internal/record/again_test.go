package record

import (
	"slices"
	"sync"
	"testing"
)

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
