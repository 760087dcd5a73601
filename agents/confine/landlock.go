package confine

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/landlock-lsm/go-landlock/landlock"
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

// restrictFiles keeps this process to the files of its cell, and lets it send signals, and connect to abstract sockets, only to what it
// has started itself.
func (o order) restrictFiles() error {
	cell := o.Cell
	rules := []landlock.Rule{
		landlock.RODirs(system()...).IgnoreIfMissing(),
		landlock.RWFiles(devices()...).IgnoreIfMissing(),
		landlock.RWDirs(cell.writable()...).WithRefer(),
	}
	if o.Proc {
		rules = append(rules, landlock.RODirs("/proc"))
	} else {
		rules = append(rules, landlock.RODirs("/proc/self"), landlock.ROFiles(processFacts()...).IgnoreIfMissing())
	}
	if o.Uses.Proxy {
		rules = append(rules, landlock.ConnectTCP(proxyPort))
	}
	if o.Uses.Spaces { // they are its own
		rules = append(rules, landlock.RWDirs("/dev/shm", "/tmp").WithRefer())
	}
	for _, path := range slices.Concat([]string{o.Path}, cell.Read, cell.files()) {
		switch info, err := os.Stat(path); {
		case err != nil:
			return fmt.Errorf("what the agent may read: %w", err)
		case info.IsDir():
			rules = append(rules, landlock.RODirs(path))
		case info.Mode().IsRegular():
			rules = append(rules, landlock.ROFiles(path))
		}
	}
	return landlock.V7.BestEffort().Restrict(rules...)
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
	if err := landlock.V7.BestEffort().Restrict(landlock.RODirs("/proc")); err != nil {
		return err
	}
	if _, err := os.ReadDir("/"); err == nil {
		return fmt.Errorf("files outside can be read: the kernel has no Landlock, or it is not switched on")
	}
	if err := syscall.Kill(os.Getppid(), 0); err == nil {
		return fmt.Errorf("signals reach processes outside: the kernel's Landlock has no scopes, which came with ABI 6 (Linux 6.12)")
	}
	return nil
}
