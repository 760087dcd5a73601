package confine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// Where the new root is put together, and where the old one is meanwhile.
const (
	newRoot = "/new"
	oldRoot = "/old"
)

const scratch = "size=64m,nr_inodes=10000,mode=1777" // of folders that live in memory

// build makes this process's mount namespace hold nothing but what the cell may reach. It is called in namespaces of its own. proc says
// that /proc is that of the PID namespace; else it is that of the machine, because this one's was not to be had.
func build(cell Cell, program string) (proc bool, err error) {
	if err := stage(); err != nil {
		return false, err
	}
	if proc, err = mountProc(); err != nil {
		return false, err
	}
	if err := furnish(); err != nil {
		return false, err
	}
	for _, path := range slices.Concat(system(), cell.Read, []string{program}) {
		if err := show(path, true); err != nil {
			return false, err
		}
	}
	if slices.ContainsFunc(cell.Read, func(path string) bool { return within(cell.Hidden, path) }) {
		if err := memory(cell.Hidden, "mode=0755"); err != nil {
			return false, err
		}
	}
	if err := show(cell.Dir, true); err != nil {
		return false, err
	}
	for _, path := range cell.writable() {
		if err := show(path, false); err != nil {
			return false, err
		}
	}
	return proc, settle()
}

// stage mounts an empty root, with another empty one and the old one below it.
func stage() error {
	const base = "/tmp" // any folder that is there
	if err := mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := mount("tmpfs", base, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755"); err != nil {
		return err
	}
	if err := errors.Join(os.Mkdir(base+newRoot, 0o755), os.Mkdir(base+oldRoot, 0o755)); err != nil {
		return err
	}
	if err := unix.PivotRoot(base, base+oldRoot); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	return mount("tmpfs", newRoot, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755,size=1m")
}

// settle makes the new root the only one.
func settle() error {
	if err := os.Chdir(newRoot); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil { // the old one lies on top
		return fmt.Errorf("unmount the old root: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	return seal("/", unix.MOUNT_ATTR_RDONLY, 0)
}

func mount(what, where, kind string, flags uintptr, options string) error {
	if err := unix.Mount(what, where, kind, flags, options); err != nil {
		return fmt.Errorf("mount %s on %s: %w", kind, where, err)
	}
	return nil
}

// seal sets attributes of a mount, and of those below it if flags say so.
func seal(path string, attributes uint64, flags uint) error {
	if err := unix.MountSetattr(unix.AT_FDCWD, path, flags, &unix.MountAttr{Attr_set: attributes}); err != nil {
		return fmt.Errorf("mount_setattr %s: %w", path, err)
	}
	return nil
}

// mountProc mounts a /proc of this PID namespace, or else that of the machine, to be read only.
func mountProc() (own bool, err error) {
	if err := os.Mkdir(newRoot+"/proc", 0o755); err != nil {
		return false, err
	}
	if err := mount("proc", newRoot+"/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err == nil {
		return true, nil
	}
	return false, show("/proc", true) // part of it is covered, as in most containers
}

// furnish makes /dev and /tmp.
func furnish() error {
	for _, path := range devices() {
		if err := place(path, false); err != nil {
			return err
		}
		if err := mount(oldRoot+path, newRoot+path, "", unix.MS_BIND, ""); err != nil {
			return err
		}
	}
	for link, to := range map[string]string{"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"} {
		if err := os.Symlink(to, newRoot+"/dev/"+link); err != nil {
			return err
		}
	}
	return errors.Join(memory("/dev/shm", scratch), memory("/tmp", scratch))
}

// memory mounts an empty folder.
func memory(path, options string) error {
	if err := place(path, true); err != nil {
		return err
	}
	return mount("tmpfs", newRoot+path, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, options)
}

// show makes a file or folder of the old root, if it is there, appear in the new one at the same place.
func show(path string, readOnly bool) error {
	info, err := os.Lstat(oldRoot + path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		return showLink(path, readOnly)
	}
	if err := place(path, info.IsDir()); err != nil {
		return err
	}
	if err := mount(oldRoot+path, newRoot+path, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	attributes := uint64(unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV)
	if readOnly {
		attributes |= unix.MOUNT_ATTR_RDONLY
	}
	return seal(newRoot+path, attributes, unix.AT_RECURSIVE)
}

// showLink makes a symbolic link appear, and what it leads to.
func showLink(path string, readOnly bool) error {
	to, err := os.Readlink(oldRoot + path)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(newRoot + path); err == nil {
		return nil // below something that is shown already
	}
	if err := os.MkdirAll(filepath.Dir(newRoot+path), 0o755); err != nil {
		return err
	}
	if err := os.Symlink(to, newRoot+path); err != nil {
		return err
	}
	if !filepath.IsAbs(to) {
		to = filepath.Join(filepath.Dir(path), to)
	}
	return show(to, readOnly)
}

// place makes an empty file or folder in the new root for something to be mounted on, if there is none.
func place(path string, folder bool) error {
	if _, err := os.Stat(newRoot + path); err == nil {
		return nil
	}
	if folder {
		return os.MkdirAll(newRoot+path, 0o755)
	}
	if err := os.MkdirAll(filepath.Dir(newRoot+path), 0o755); err != nil {
		return err
	}
	f, err := os.Create(newRoot + path)
	if err != nil {
		return err
	}
	return f.Close()
}
