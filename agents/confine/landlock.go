package confine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	landlock "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// system returns the folders with the system's programs, libraries and settings.
func system() []string {
	return []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/opt", "/nix/store"}
}

// devices returns the files in /dev that every program may use.
func devices() []string {
	return []string{"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"}
}

// processFacts returns the files in /proc that every program may read besides those about itself.
func processFacts() []string {
	return []string{"/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/loadavg", "/proc/uptime", "/proc/version", "/proc/filesystems"}
}

// What can be done with files and folders. Nothing more is of use with a single file than what both sets have in ofFile.
const (
	reading = landlock.AccessFSExecute | landlock.AccessFSReadFile | landlock.AccessFSReadDir
	writing = reading | landlock.AccessFSWriteFile | landlock.AccessFSTruncate | landlock.AccessFSRefer |
		landlock.AccessFSRemoveDir | landlock.AccessFSRemoveFile | landlock.AccessFSMakeChar | landlock.AccessFSMakeDir |
		landlock.AccessFSMakeReg | landlock.AccessFSMakeSock | landlock.AccessFSMakeFifo | landlock.AccessFSMakeBlock | landlock.AccessFSMakeSym
	ofFile = landlock.AccessFSExecute | landlock.AccessFSReadFile | landlock.AccessFSWriteFile | landlock.AccessFSTruncate
)

// rules are what Landlock is to allow; all else that it knows of, it forbids.
type rules struct {
	paths []allowed
	port  uint64 // of TCP, that may be connected to; 0: none
}

// allowed is what may be done with some files and folders, and with all in the folders.
type allowed struct {
	access uint64
	paths  []string
}

// restrictFiles keeps this process to the files of its cell, and lets it send signals, and connect to abstract sockets, only to what it
// has started itself.
func (o order) restrictFiles() error {
	r := rules{paths: []allowed{{reading, system()}, {writing, devices()}, {writing, o.Cell.writable()}}}
	if o.Proc {
		r.paths = append(r.paths, allowed{reading, []string{"/proc"}})
	} else {
		r.paths = append(r.paths, allowed{reading, []string{"/proc/self"}}, allowed{reading, processFacts()})
	}
	if o.Uses.Spaces { // they are its own
		r.paths = append(r.paths, allowed{writing, []string{"/dev/shm", "/tmp"}})
	}
	if o.Uses.Proxy {
		r.port = proxyPort
	}
	files := append(o.Cell.files(), o.Path)
	for _, path := range append(files, o.Cell.Read...) {
		if _, err := os.Stat(path); err != nil {
			return fmt.Errorf("what the agent may read: %w", err)
		}
	}
	r.paths = append(r.paths, allowed{reading, files}, allowed{reading, o.Cell.Read})
	return r.restrict()
}

// restrict makes the rules hold for this thread and what it becomes. It is for threads that execute a program next, so the others, which
// end then, need not be found.
func (r rules) restrict() error {
	fd, err := landlock.LandlockCreateRuleset(&landlock.RulesetAttr{
		HandledAccessFS:  writing | landlock.AccessFSIoctlDev,
		HandledAccessNet: landlock.AccessNetBindTCP | landlock.AccessNetConnectTCP,
		Scoped:           landlock.ScopeAbstractUnixSocket | landlock.ScopeSignal,
	}, 0)
	if err != nil {
		return fmt.Errorf("make a ruleset with scopes, which came with ABI 6 (Linux 6.12): %w", err)
	}
	defer unix.Close(fd)
	for _, a := range r.paths {
		for _, path := range a.paths {
			if err := a.add(fd, path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return &fs.PathError{Op: "allow", Path: path, Err: err}
			}
		}
	}
	if r.port != 0 {
		err := landlock.LandlockAddNetPortRule(fd, &landlock.NetPortAttr{AllowedAccess: landlock.AccessNetConnectTCP, Port: r.port}, 0)
		if err != nil {
			return fmt.Errorf("allow port %d: %w", r.port, err)
		}
	}
	return landlock.LandlockRestrictSelf(fd, 0)
}

// add adds a path to a ruleset.
func (a allowed) add(ruleset int, path string) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var info unix.Stat_t
	if err := unix.Fstat(fd, &info); err != nil {
		return err
	}
	access := a.access
	if info.Mode&unix.S_IFMT != unix.S_IFDIR {
		access &= ofFile
	}
	return landlock.LandlockAddPathBeneathRule(ruleset, &landlock.PathBeneathAttr{AllowedAccess: access, ParentFd: fd}, 0)
}

// files returns the paths of what the agent may read in its own folder, so far as it is there.
func (c Cell) files() []string {
	var paths []string
	for _, name := range c.Files {
		path := filepath.Join(c.Dir, name)
		if _, err := os.Lstat(path); err == nil {
			paths = append(paths, path)
		}
	}
	return paths
}

// tryLandlock restricts itself and demands that it is kept from other files and processes.
func tryLandlock() error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	if err := (rules{paths: []allowed{{reading, []string{"/proc"}}}}).restrict(); err != nil {
		return err
	}
	if _, err := os.ReadDir("/"); err == nil {
		return fmt.Errorf("files outside can be read")
	}
	if err := syscall.Kill(os.Getppid(), 0); err == nil {
		return fmt.Errorf("signals reach processes outside")
	}
	return nil
}
