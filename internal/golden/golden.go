// Package golden compares what a test got with a file that holds what is
// right. Tests of any package share its flag:
//
//	go test ./internal/wire ./internal/scenario -update
//
// writes the files anew; read the difference before you commit it.
package golden

import (
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Updating says that files are to be written anew.
func Updating() bool { return *update }

// Check fails the test where got differs from the file.
func Check(t testing.TB, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("there is no %s yet; -update writes it:\n%s", file, got)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (-update writes it anew)\ngot:\n%s\nwant:\n%s", file, got, want)
	}
}

// Glob is the files that a pattern names. None at all fails the test: it
// would test nothing.
func Glob(t testing.TB, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatalf("no file is called %s: there is nothing to test", pattern)
	}
	return files
}

// Beside is the golden file of an input: wrong/x.yaml has wrong/x.golden.
func Beside(file string) string {
	return strings.TrimSuffix(file, filepath.Ext(file)) + ".golden"
}
