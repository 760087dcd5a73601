package confine

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The users that agents run as, where each has its own. Nothing else uses these numbers, by the list that systemd keeps of who uses which.
const (
	firstUID = 60600
	lastUID  = 61183
)

// takeUID takes a user for the agent of a cell that no other agent has, on this machine or at least in this network namespace. It is held for
// as long as held is open, in whatever process. An agent gets the user again that it had, if that is free.
func takeUID(cell Cell) (uid int, held *os.File, err error) {
	var had int
	if info, err := os.Lstat(cell.home()); err == nil {
		had = owner(info)
	}
	if isAgents(had) {
		if held, err = holdUID(had); err == nil {
			return had, held, nil
		}
	}
	for uid := firstUID; uid <= lastUID; uid++ {
		held, err := holdUID(uid)
		if err == nil {
			return uid, held, nil
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			return 0, nil, err
		}
	}
	return 0, nil, fmt.Errorf("all %d users that agents can run as are taken", lastUID-firstUID+1)
}

// holdUID holds a user by a name that the kernel lets only one socket of its type have. Agents get no sockets of that type, so none of them can
// take the users of others.
func holdUID(uid int) (*os.File, error) {
	fd, err := syscall.Socket(syscall.AF_UNIX, holdingType|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: fmt.Sprintf("@vitrine/user/%d", uid)}); err != nil {
		return nil, errors.Join(fmt.Errorf("hold user %d: %w", uid, err), syscall.Close(fd))
	}
	return os.NewFile(uintptr(fd), "user"), nil
}

// sweepUser ends every process of an agent's user, until none is left, as [sweep] does those that have come from this one.
func sweepUser(uid int) error {
	for until := time.Now().Add(stopLimit); ; time.Sleep(sweepPause) {
		// A process can start another one and end while somebody looks, so all must be killed at once.
		cmd := selfCommand(killerRole)
		cmd.Args = append(cmd.Args, strconv.Itoa(uid))
		if said, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("end the processes of user %d: %w: %s", uid, err, said)
		}
		_, living, err := ofUser(uid)
		if err != nil || living == 0 {
			return err
		}
		if time.Now().After(until) {
			return fmt.Errorf("%d processes of user %d are left after %v", living, uid, stopLimit)
		}
	}
}

// killOwn becomes an agent's user and kills all other processes of that user at once.
func killOwn(user string) error {
	uid, err := strconv.Atoi(user)
	if err != nil || !isAgents(uid) {
		return fmt.Errorf("%q is no user of agents", user)
	}
	if err := errors.Join(becomeUser(uid), dropCapabilities()); err != nil {
		return err
	}
	if unix.Kill(os.Getppid(), 0) == nil {
		return errors.New("those of others could be killed as well")
	}
	if err := unix.Kill(-1, unix.SIGKILL); !errors.Is(err, unix.ESRCH) { // there is none
		return err
	}
	return nil
}

// ofUser returns the processes of a user, and how many of them do not only wait to be reaped.
func ofUser(uid int) (found []proc, living int, err error) {
	paths, err := filepath.Glob("/proc/[0-9]*/status")
	if err != nil {
		return nil, 0, err
	}
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			continue // it is gone
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil || !bytes.Contains(raw, fmt.Appendf(nil, "\nUid:\t%d\t", uid)) {
			continue
		}
		if p, ok := look(pid); ok {
			found = append(found, p)
			if !bytes.Contains(raw, []byte("\nState:\tZ")) {
				living++
			}
		}
	}
	return found, living, nil
}

func isAgents(uid int) bool { return firstUID <= uid && uid <= lastUID }

func owner(info fs.FileInfo) int {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid)
	}
	return 0
}

// handOver makes the cell's folders the agent's own, and lets it read what it may read in the one above them. Nobody else but root can look
// into any of them.
func handOver(cell Cell, uid int) error {
	if err := errors.Join(os.Chown(cell.Dir, 0, uid), os.Chmod(cell.Dir, 0o710)); err != nil {
		return err
	}
	for _, path := range cell.files() {
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		mode := fs.FileMode(0o640)
		switch {
		case info.Mode()&fs.ModeSocket != 0:
			mode = 0o660
		case info.IsDir():
			mode = 0o750
		}
		if err := errors.Join(os.Lchown(path, 0, uid), os.Chmod(path, mode)); err != nil {
			return err
		}
	}
	for _, dir := range cell.writable() {
		if err := giveAll(dir, uid); err != nil {
			return err
		}
	}
	return nil
}

// giveAll makes a folder and all in it the agent's own. Should somebody change it meanwhile, that leads no further than the folder.
func giveAll(dir string, uid int) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return give(root, path, uid)
	})
}

// closeToOthers lets other users pass through the run's folder to that of the cell, and read nothing on the way, now or later.
func closeToOthers(cell Cell) error {
	syscall.Umask(0o077)
	if !within(cell.Dir, cell.Hidden) || cell.Hidden == "" {
		return nil
	}
	for dir := filepath.Dir(cell.Dir); within(dir, cell.Hidden); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o711); err != nil {
			return err
		}
	}
	found, err := os.ReadDir(cell.Hidden)
	for _, entry := range found {
		if entry.Type().IsRegular() {
			err = errors.Join(err, os.Chmod(filepath.Join(cell.Hidden, entry.Name()), 0o600))
		}
	}
	return err
}

// give makes a file the agent's own. One that has a second name elsewhere, and was not an agent's, is not given away.
func give(root *os.Root, path string, uid int) error {
	info, err := root.Lstat(path)
	if err != nil || owner(info) == uid {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() && stat.Nlink > 1 && !isAgents(owner(info)) {
		return fmt.Errorf("%s is not only there: it has %d names", filepath.Join(root.Name(), path), stat.Nlink)
	}
	return root.Lchown(path, uid, uid)
}
