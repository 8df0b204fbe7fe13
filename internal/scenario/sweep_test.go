package scenario

import "testing"

func TestSweeps(t *testing.T) {
	for steps, want := range map[string]bool{
		"alice sends: {say: {text: x}}\n    split: everywhere":           true,
		"carol connects:\n  - carol sends: login\n    split: everywhere": true,
		"alice sends: {say: {text: x}}\n    split: [1]":                  false,
		"alice sends: {say: {text: x}}\n    pieces: 1":                   false,
	} {
		if sc := play(t, "clients: [alice, bob]\nsteps:\n  - "+steps); sc.Sweeps() != want || !sc.CutsUp() {
			t.Errorf("%s: sweeps %v, want %v; cuts up %v", steps, sc.Sweeps(), want, sc.CutsUp())
		}
	}
}
