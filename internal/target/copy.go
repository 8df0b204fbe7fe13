package target

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Limits on a folder that is copied for each instance of a program.
const (
	copyBytes = 256 << 20
	copyFiles = 20_000
)

// copyError says that the folder could not be copied.
type copyError struct {
	dir string
	err error
}

func (e *copyError) Error() string { return fmt.Sprintf("cannot copy the folder %q: %v", e.dir, e.err) }

func (e *copyError) Unwrap() error { return e.err }

// startProcess starts p.cmd, on request in a copy of its directory.
func (p *Process) startProcess() error {
	if !p.copies {
		return p.startChild()
	}
	dir := p.cmd.Dir
	if dir == "" {
		dir = "."
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return p.startChild() // which says what is wrong with it
	}
	copied, err := os.MkdirTemp("", "chatprobe-")
	if err != nil {
		return &copyError{dir, err}
	}
	p.copied = copied
	// Before there is anything in it: copying takes a while, in which this process may be killed.
	tellKeeperOfFolder('+', copied)
	if err = copyFolder(dir, copied); err != nil {
		err = &copyError{dir, err}
	} else {
		p.cmd.Dir = copied
		err = p.startChild()
	}
	if err != nil {
		_ = p.removeCopy() // there is a better error
	}
	return err
}

// removeCopy removes the copy that the program has run in, if there is one.
func (p *Process) removeCopy() error {
	if p.copied == "" {
		return nil
	}
	if err := removeAll(p.copied); err != nil {
		return fmt.Errorf("remove the copy that the program has run in: %w", err)
	}
	tellKeeperOfFolder('-', p.copied)
	return nil
}

// removeAll removes a folder, also where the program has made folders in it that cannot be written to.
func removeAll(dir string) error {
	err := os.RemoveAll(dir)
	if err == nil || !errors.Is(err, fs.ErrPermission) {
		return err
	}
	_ = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if entry != nil && entry.IsDir() {
			_ = os.Chmod(path, 0o700) // before it is read; what does not work is said in the end
		}
		return nil
	})
	return os.RemoveAll(dir)
}

// copyFolder copies what is in a folder into another one, which may lie inside of it. Modes and times are kept. Links
// stay links; what is neither file nor link, such as a socket, is left out, and so is what vanishes in the meantime.
func copyFolder(from, to string) error {
	from, err := filepath.EvalSymlinks(from) // a link to a folder would not be followed
	if err != nil {
		return err
	}
	if from, err = filepath.Abs(from); err != nil {
		return err
	}
	itself, err := os.Stat(to)
	if err != nil {
		return err
	}
	files, bytes := 0, int64(0)
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == from {
			return unlessGone(err)
		}
		info, err := entry.Info()
		if err != nil {
			return unlessGone(err)
		}
		if os.SameFile(info, itself) {
			return fs.SkipDir
		}
		if files++; files > copyFiles {
			return fmt.Errorf("there are more than %d files in it, too many to be copied for each start", copyFiles)
		}
		if info.Mode().IsRegular() {
			bytes += info.Size()
		}
		if bytes > copyBytes {
			return fmt.Errorf("there is more than %d MiB in it, too much to be copied for each start", copyBytes>>20)
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		return unlessGone(copyEntry(from, name, filepath.Join(to, name), info))
	})
}

// unlessGone forgives that somebody has just removed a file, as editors do.
func unlessGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// copyEntry copies what has a name, relative to a folder: a folder without what is in it, a link, or a file.
func copyEntry(from, name, to string, info fs.FileInfo) error {
	path := filepath.Join(from, name)
	switch info.Mode().Type() {
	case fs.ModeDir:
		if err := os.Mkdir(to, 0o700); err != nil {
			return err
		}
		return os.Chmod(to, info.Mode().Perm()|0o700) // or nothing could be put into it
	case fs.ModeSymlink:
		link, err := os.Readlink(path)
		if err != nil {
			return err
		}
		// A path that leads out of the folder leads somewhere else from where the copy is.
		if !filepath.IsAbs(link) && !filepath.IsLocal(filepath.Join(filepath.Dir(name), link)) {
			link = filepath.Join(filepath.Dir(path), link)
		}
		return os.Symlink(link, to)
	case 0:
		return copyFile(path, to, info)
	}
	return nil
}

// copyFile copies a file with its mode, and with its time, by which Python and make know what they have compiled.
func copyFile(from, to string, info fs.FileInfo) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	// A program that was started in the meantime would, for a moment, have the copy open for writing, and what is open
	// for writing cannot be executed.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	target, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, io.LimitReader(source, copyBytes)) // it may be growing
	if cerr := target.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Chtimes(to, time.Time{}, info.ModTime())
	}
	if err == nil {
		err = os.Chmod(to, info.Mode().Perm())
	}
	return err
}
