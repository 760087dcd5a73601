package confine

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

const (
	maxDeep   = 100  // folders in each other that are looked into; each is a descriptor meanwhile
	manyNames = 256  // read at a time, for a folder may have any number
	leastFile = 4096 // bytes that a file counts for at least, for an empty one takes its place in the tables of the disk as well
)

// A diskTally adds up the files in folders. Whoever owns the folders may change them meanwhile.
type diskTally struct {
	most    int64     // it stops beyond so many bytes
	until   time.Time // and then; zero: whenever it is done
	bytes   int64     // that files take on the disk
	largest int64     // size of the largest file
	hidden  string    // what keeps something from being counted; empty: nothing
}

// folder adds what is in a folder.
func (t *diskTally) folder(path string) { t.enter(unix.AT_FDCWD, path, 0) }

// enter adds what is in a folder in another one, and in those in it. No link is followed.
func (t *diskTally) enter(parent int, name string, deep int) {
	if deep > maxDeep {
		t.hidden = "folders lie too deep in each other"
		return
	}
	fd, err := unix.Openat(parent, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		if errors.Is(err, unix.EACCES) {
			t.hidden = "the folder " + filepath.Base(name) + " cannot be read"
		}
		return // else it is gone, or no folder any more
	}
	dir := os.NewFile(uintptr(fd), name)
	defer dir.Close()
	for t.bytes <= t.most && (t.until.IsZero() || time.Now().Before(t.until)) {
		names, err := dir.Readdirnames(manyNames)
		for _, name := range names {
			var s unix.Stat_t
			if unix.Fstatat(fd, name, &s, unix.AT_SYMLINK_NOFOLLOW) != nil {
				continue // it is gone
			}
			const block = 512 // what the kernel counts in, whatever the disk does
			takes := max(s.Blocks*block, leastFile)
			switch s.Mode & unix.S_IFMT {
			case unix.S_IFDIR:
				t.bytes += takes
				t.enter(fd, name, deep+1)
			default:
				t.bytes += takes / max(1, int64(s.Nlink)) // its other names are counted as well
				t.largest = max(t.largest, s.Size)
			}
		}
		if err != nil {
			return
		}
	}
}
