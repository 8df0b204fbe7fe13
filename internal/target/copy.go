package target

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Limits on a folder that is copied for each instance of a program.
const (
	copyBytes = 256 << 20
	copyFiles = 20_000
)

// copyFolder copies a folder into a new temporary one and returns that. Links stay links; what is no file, such as a
// socket, is left out.
func copyFolder(dir string) (copied string, err error) {
	if dir == "" {
		dir = "."
	}
	if copied, err = os.MkdirTemp("", "chatprobe-"); err != nil {
		return "", fmt.Errorf("copy %s: %w", dir, err)
	}
	files, bytes := 0, int64(0)
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil || name == "." {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		files++
		bytes += info.Size()
		if files > copyFiles || bytes > copyBytes {
			return fmt.Errorf("there are more than %d files or %d MiB in it, which is too much to be copied for each start", copyFiles, copyBytes>>20)
		}
		to := filepath.Join(copied, name)
		switch info.Mode().Type() {
		case fs.ModeDir:
			return os.Mkdir(to, info.Mode().Perm()|0o700)
		case fs.ModeSymlink:
			link, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(link, to)
		case 0:
			return copyFile(path, to, info.Mode().Perm())
		}
		return nil
	})
	if err != nil {
		os.RemoveAll(copied)
		return "", fmt.Errorf("copy %s: %w", dir, err)
	}
	return copied, nil
}

func copyFile(from, to string, mode fs.FileMode) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode|0o200)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	if cerr := target.Close(); err == nil {
		err = cerr
	}
	return err
}
