package confine

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A victim is what an attacker knows of another agent, its neighbour. All of it is there as long as that lives.
type victim struct {
	PID        int    // as the supervisor sees it
	Secret     string // a file in its work folder
	Path       string // a unix socket there, which anybody may connect to who gets there
	Abstract   string // an abstract unix socket, likewise
	Shared     int    // a segment of shared memory, likewise; -1: it could make none
	Tmp        string // a file in /tmp that anybody may read; empty: it could make none
	Shm        string // likewise in /dev/shm
	Port       int    // of TCP, where the supervisor listens on loopback
	Log        string // a file in the run's folder
	Supervisor int    // process id
}

// What stops an attack.
const (
	byUser = 1 << iota
	byLandlock
	bySeccomp
	bySpaces
	byNoListening // seccomp, and Landlock too where an agent can have sockets of TCP, for its proxy
)

// stops returns what of it these mechanisms are.
func (u uses) stops() int {
	stops := 0
	for bit, used := range map[int]bool{byUser: u.UID, byLandlock: u.Landlock, bySeccomp: u.Seccomp, bySpaces: u.Spaces, byNoListening: u.Seccomp && (u.Landlock || !u.Proxy)} {
		if used {
			stops |= bit
		}
	}
	return stops
}

// An attack is a thing that one agent must not be able to do to another, or to the machine. It fails where any of what stops it is used.
type attack struct {
	name    string
	stopped int
	try     func(victim) error // an error: it has not worked
}

// attacks returns the attack list.
func attacks() []attack {
	const user, lock, sec, spaces = byUser, byLandlock, bySeccomp, bySpaces
	return []attack{
		{"read the neighbour's file", user | lock | spaces, func(v victim) error { return closed(os.Open(v.Secret)) }},
		{"write the neighbour's file", user | lock | spaces, func(v victim) error { return closed(os.OpenFile(v.Secret, os.O_WRONLY, 0)) }},
		{"make a file in the neighbour's folder", user | lock | spaces, func(v victim) error {
			return closed(os.OpenFile(v.Secret+".new", os.O_CREATE|os.O_WRONLY, 0o600))
		}},
		{"chmod the neighbour's file", user | spaces, func(v victim) error { return os.Chmod(v.Secret, 0o666) }},
		{"set the times of the neighbour's file", user | spaces, func(v victim) error { return os.Chtimes(v.Secret, time.Unix(0, 0), time.Unix(0, 0)) }},
		{"stat the neighbour's file", user | spaces, func(v victim) error { _, err := os.Stat(v.Secret); return err }},
		{"read the run's log", user | lock | spaces, func(v victim) error { return closed(os.Open(v.Log)) }},
		{"write the run's log", user | lock | spaces, func(v victim) error { return closed(os.OpenFile(v.Log, os.O_WRONLY|os.O_APPEND, 0)) }},
		{"find the run's log in its folder", user | lock | spaces, func(v victim) error { return v.find() }},
		{"read the neighbour's file in /tmp", lock | spaces, func(v victim) error { return readLeft(v.Tmp) }},
		{"read the neighbour's file in /dev/shm", lock | spaces, func(v victim) error { return readLeft(v.Shm) }},
		{"list /", lock, func(victim) error { return list("/") }},
		{"find the neighbour in /proc", lock | spaces, func(v victim) error { return v.known(v.findProcess) }},
		{"read the neighbour's /proc/PID/stat", lock | spaces, func(v victim) error { return v.open("stat") }},
		{"read the neighbour's /proc/PID/cmdline", lock | spaces, func(v victim) error { return v.open("cmdline") }},
		{"read the neighbour's /proc/PID/environ", user | lock | spaces, func(v victim) error { return v.open("environ") }},
		{"read the neighbour's /proc/PID/maps", user | lock | spaces, func(v victim) error { return v.open("maps") }},
		{"open the neighbour's /proc/PID/mem", user | lock | spaces, func(v victim) error { return v.open("mem") }},
		{"list the neighbour's /proc/PID/fd", user | lock | spaces, func(v victim) error { return v.list("fd") }},
		{"list the neighbour's /proc/PID/root", user | lock | spaces, func(v victim) error { return v.list("root") }},
		{"list the neighbour's /proc/PID/cwd", user | lock | spaces, func(v victim) error { return v.list("cwd") }},
		{"connect to a TCP port of the machine", sec | spaces, func(v victim) error { return dial("tcp", fmt.Sprintf("127.0.0.1:%d", v.Port)) }},
		{"make an MPTCP socket", sec, func(victim) error { return opened(unix.Socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP)) }},
		{"make a UDP socket", sec, func(victim) error { return opened(unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)) }},
		{"make a UDP socket of IPv6", sec, func(victim) error { return opened(unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM, 0)) }},
		{"listen on a TCP port", byNoListening, func(victim) error { return listen() }},
		{"make a raw socket", user | sec, func(victim) error { return opened(unix.Socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP)) }},
		{"make a packet socket", user | sec, func(victim) error { return opened(unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)) }},
		{"make a vsock socket", sec, func(victim) error { return opened(unix.Socket(unix.AF_VSOCK, unix.SOCK_STREAM, 0)) }},
		{"listen to the kernel's events", sec, func(victim) error {
			return opened(unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_KOBJECT_UEVENT))
		}},
		{"ask netlink for the network's interfaces", 0, func(victim) error {
			return opened(unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE))
		}},
		{"connect to the neighbour's abstract socket", lock | spaces, func(v victim) error { return dial("unix", v.Abstract) }},
		{"connect to the neighbour's unix socket", user | spaces, func(v victim) error { return v.connect() }},
		{"attach the neighbour's shared memory", sec | spaces, func(v victim) error { return v.attach() }},
		{"use io_uring", sec, func(victim) error { return ring() }},
		{"signal the neighbour", user | lock | spaces, func(v victim) error { return v.known(func() error { return unix.Kill(v.PID, 0) }) }},
		{"signal the supervisor", user | lock | spaces, func(v victim) error { return unix.Kill(v.Supervisor, 0) }},
		{"trace the neighbour", user | lock | sec | spaces, func(v victim) error { return v.trace() }},
		{"read the neighbour's memory", user | lock | sec | spaces, func(v victim) error { return v.readMemory() }},
		{"open a pidfd of the neighbour", spaces, func(v victim) error { return v.known(func() error { return opened(unix.PidfdOpen(v.PID, 0)) }) }},
		{"take the neighbour's descriptors", user | lock | sec | spaces, func(v victim) error { return v.known(v.stealDescriptor) }},
		{"ask for the neighbour's limits", user | sec | spaces, func(v victim) error {
			return v.known(func() error { return unix.Prlimit(v.PID, unix.RLIMIT_CORE, nil, new(unix.Rlimit)) })
		}},
		{"set the neighbour's priority", user | spaces, func(v victim) error {
			return v.known(func() error { return unix.Setpriority(unix.PRIO_PROCESS, v.PID, 5) })
		}},
		{"set the neighbour's processors", user | spaces, func(v victim) error {
			return v.known(func() error { var all unix.CPUSet; all.Fill(); return unix.SchedSetaffinity(v.PID, &all) })
		}},
		{"unshare a namespace", sec, func(victim) error { return call(unix.SYS_UNSHARE, unix.CLONE_NEWUTS) }},
		{"start a process in namespaces of its own", sec, func(victim) error { return cloneSpaces() }},
		{"become root", user, func(victim) error { return unix.Setuid(0) }},
		{"change the root folder", user | sec, func(victim) error { return unix.Chroot(".") }},
		{"mount a file system", user | sec, func(victim) error { return mountForAMoment() }},
	}
}

// closed closes what was opened.
func closed(f *os.File, err error) error {
	if err != nil {
		return err
	}
	return f.Close()
}

func opened(fd int, err error) error {
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

func dial(network, address string) error {
	conn, err := net.DialTimeout(network, address, time.Second)
	if err != nil {
		return err
	}
	return conn.Close()
}

func listen() error {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	return l.Close()
}

func call(number uintptr, args ...uintptr) error {
	var a [3]uintptr
	copy(a[:], args)
	if _, _, errno := unix.Syscall(number, a[0], a[1], a[2]); errno != 0 {
		return errno
	}
	return nil
}

// known does something to the process with the victim's number, unless in the attacker's PID namespace that is one of its own.
func (v victim) known(do func() error) error {
	own, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	if v.PID == 1 || slices.ContainsFunc(own, func(task os.DirEntry) bool { return task.Name() == strconv.Itoa(v.PID) }) {
		return unix.ESRCH
	}
	return do()
}

func (v victim) open(name string) error {
	return v.known(func() error { return closed(os.Open(fmt.Sprintf("/proc/%d/%s", v.PID, name))) })
}

func (v victim) list(name string) error {
	return v.known(func() error { return list(fmt.Sprintf("/proc/%d/%s/.", v.PID, name)) })
}

// find finds the log by listing the folder that it is in.
func (v victim) find() error {
	found, err := os.ReadDir(filepath.Dir(v.Log))
	if err == nil && !slices.ContainsFunc(found, func(e os.DirEntry) bool { return e.Name() == filepath.Base(v.Log) }) {
		err = os.ErrNotExist
	}
	return err
}

// findProcess finds the victim by listing /proc.
func (v victim) findProcess() error {
	found, err := os.ReadDir("/proc")
	if err == nil && !slices.ContainsFunc(found, func(e os.DirEntry) bool { return e.Name() == strconv.Itoa(v.PID) }) {
		err = os.ErrNotExist
	}
	return err
}

// readLeft reads a file that the victim has left for all.
func readLeft(path string) error {
	if path == "" {
		return errors.New("the victim can have none")
	}
	return closed(os.Open(path))
}

func list(dir string) error {
	_, err := os.ReadDir(dir)
	return err
}

// connect connects to the victim's socket, whose path may be too long to say.
func (v victim) connect() error {
	dir, err := unix.Open(filepath.Dir(v.Path), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	return dial("unix", fmt.Sprintf("/proc/self/fd/%d/%s", dir, filepath.Base(v.Path)))
}

// trace traces the victim for a moment.
func (v victim) trace() error {
	return v.known(func() error {
		if err := call(unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(v.PID)); err != nil {
			return err
		}
		_ = call(unix.SYS_PTRACE, unix.PTRACE_DETACH, uintptr(v.PID)) // one that is not stopped stays traced until the attacker ends
		return nil
	})
}

// readMemory reads at an address where the victim has nothing: the kernel says so to who may read.
func (v victim) readMemory() error {
	var b [8]byte
	local := []unix.Iovec{{Base: &b[0], Len: 8}}
	_, err := unix.ProcessVMReadv(v.PID, local, []unix.RemoteIovec{{Base: 8, Len: 8}}, 0)
	if errors.Is(err, unix.EFAULT) {
		return nil
	}
	return err
}

// stealDescriptor takes the victim's standard input.
func (v victim) stealDescriptor() error {
	fd, err := unix.PidfdOpen(v.PID, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return opened(unix.PidfdGetfd(fd, 0, 0))
}

// attach attaches the victim's segment of shared memory.
func (v victim) attach() error {
	if v.Shared < 0 {
		return errors.New("the victim can have none")
	}
	at, err := unix.SysvShmAttach(v.Shared, 0, unix.SHM_RDONLY)
	if err != nil {
		return err
	}
	return unix.SysvShmDetach(at)
}

func ring() error {
	var params [120]byte
	fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 1, uintptr(unsafe.Pointer(&params)), 0)
	if errno != 0 {
		return errno
	}
	return unix.Close(int(fd))
}

// mountForAMoment mounts a file system, and takes it away again.
func mountForAMoment() error {
	const dir = "mounted"
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	if err := unix.Mount("none", dir, "tmpfs", 0, ""); err != nil {
		return err
	}
	return unix.Unmount(dir, unix.MNT_DETACH)
}

// cloneSpaces starts a process in namespaces of its own.
func cloneSpaces() error {
	p, err := os.StartProcess("/bin/true", []string{"true"}, &os.ProcAttr{
		Sys: &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET},
	})
	if err != nil {
		return err
	}
	_, err = p.Wait()
	return err
}
