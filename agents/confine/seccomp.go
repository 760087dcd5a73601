package confine

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Offsets in struct seccomp_data (seccomp(2)). Of arguments the kernel itself looks at the low half where they are an int.
const (
	atNumber = 0
	atArch   = 4
	atArgs   = 16
)

// namespaceFlags are those flags of clone that make a namespace.
const namespaceFlags = unix.CLONE_NEWCGROUP | unix.CLONE_NEWIPC | unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID |
	unix.CLONE_NEWTIME | unix.CLONE_NEWUSER | unix.CLONE_NEWUTS

// denied returns the system calls that no agent needs: they reach other processes, past the file system, or into parts of the kernel
// where most of its holes have been.
func denied() []uint32 {
	return []uint32{
		unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_PIDFD_GETFD, unix.SYS_KCMP, unix.SYS_PROCESS_MADVISE,
		unix.SYS_UNSHARE, unix.SYS_SETNS, unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_CHROOT, unix.SYS_MOVE_MOUNT,
		unix.SYS_OPEN_TREE, unix.SYS_FSOPEN, unix.SYS_FSCONFIG, unix.SYS_FSMOUNT, unix.SYS_FSPICK, unix.SYS_MOUNT_SETATTR,
		unix.SYS_NAME_TO_HANDLE_AT, unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_FANOTIFY_INIT, unix.SYS_QUOTACTL, unix.SYS_QUOTACTL_FD,
		unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER, unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN,
		unix.SYS_USERFAULTFD, unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, unix.SYS_KEYCTL, unix.SYS_KEXEC_LOAD, unix.SYS_KEXEC_FILE_LOAD,
		unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE, unix.SYS_SWAPON, unix.SYS_SWAPOFF, unix.SYS_REBOOT,
		unix.SYS_ACCT, unix.SYS_SYSLOG, unix.SYS_SETTIMEOFDAY, unix.SYS_CLOCK_SETTIME, unix.SYS_CLOCK_ADJTIME, unix.SYS_ADJTIMEX,
		unix.SYS_SETHOSTNAME, unix.SYS_SETDOMAINNAME, unix.SYS_SHMGET, unix.SYS_SHMAT, unix.SYS_SHMCTL, unix.SYS_MSGGET, unix.SYS_MSGSND,
		unix.SYS_MSGRCV, unix.SYS_MSGCTL, unix.SYS_SEMGET, unix.SYS_SEMOP, unix.SYS_SEMTIMEDOP, unix.SYS_SEMCTL, unix.SYS_MQ_OPEN,
		unix.SYS_MQ_UNLINK, unix.SYS_VHANGUP,
	}
}

// A program of the kernel's old packet filter, written from its beginning to its end. Jumps reach the next few instructions only.
type filter []unix.SockFilter

func (f *filter) add(code uint16, k uint32, jt, jf uint8) {
	*f = append(*f, unix.SockFilter{Code: code, Jt: jt, Jf: jf, K: k})
}

// load loads 32 bits of the call's description.
func (f *filter) load(at uint32) { f.add(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, at, 0, 0) }

// answer ends the program: 0 lets the call through, else it fails with errno.
func (f *filter) answer(errno uint32) {
	k := uint32(unix.SECCOMP_RET_ALLOW)
	if errno != 0 {
		k = unix.SECCOMP_RET_ERRNO | errno
	}
	f.add(unix.BPF_RET|unix.BPF_K, k, 0, 0)
}

// equal goes on if what was loaded is k, else it skips some instructions.
func (f *filter) equal(k uint32, skip int) {
	f.add(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, k, 0, uint8(skip))
}

// refuse lets a call fail.
func (f *filter) refuse(call uint32, errno uint32) {
	f.equal(call, 1)
	f.answer(errno)
}

// low returns the offset of the low half of the argument n, from 0, on the machines that this filter is for.
func low(n uint32) uint32 { return atArgs + 8*n }

// Types of sockets: their bits among flags, and that of those by which users are held, which no agent gets.
const (
	typeBits    = 0xf
	holdingType = unix.SOCK_SEQPACKET
)

// calls returns the filter. With tcp there are sockets of it, in IPv4.
func calls(tcp bool) filter {
	var f filter
	f.load(atArch)
	f.add(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, auditArch, 1, 0)
	f.answer(uint32(unix.ENOSYS)) // such as those of 32-bit programs
	f.load(atNumber)
	f.add(unix.BPF_JMP|unix.BPF_JGE|unix.BPF_K, 0x40000000, 0, 1) // x32
	f.answer(uint32(unix.ENOSYS))
	for _, call := range denied() {
		f.refuse(call, uint32(unix.EPERM))
	}
	f.refuse(unix.SYS_CLONE3, uint32(unix.ENOSYS)) // its flags cannot be seen from here; who asks for it falls back to clone

	f.equal(unix.SYS_CLONE, 4)
	f.load(low(0))
	f.add(unix.BPF_JMP|unix.BPF_JSET|unix.BPF_K, namespaceFlags, 0, 1)
	f.answer(uint32(unix.EPERM))
	f.answer(0)

	f.equal(unix.SYS_PRLIMIT64, 4) // of others
	f.load(low(0))
	f.add(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, 0, 1, 0)
	f.answer(uint32(unix.EPERM))
	f.answer(0)

	f.equal(unix.SYS_IOCTL, 4) // what types into a terminal
	f.load(low(1))
	f.add(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, unix.TIOCSTI, 0, 1)
	f.answer(uint32(unix.EPERM))
	f.answer(0)

	f.keepType(unix.SYS_SOCKET)
	f.keepType(unix.SYS_SOCKETPAIR)
	f.equal(unix.SYS_SOCKETPAIR, 4)
	f.load(low(0))
	f.add(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, unix.AF_UNIX, 1, 0)
	f.answer(uint32(unix.EPERM))
	f.answer(0)

	if tcp {
		f.letTCP()
	}
	f.equal(unix.SYS_SOCKET, 8)
	f.load(low(0))
	f.add(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, unix.AF_UNIX, 5, 0)
	f.add(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, unix.AF_NETLINK, 1, 0)
	f.answer(uint32(unix.EPERM))
	f.load(low(2)) // of netlink only what says which interfaces there are
	f.add(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, unix.NETLINK_ROUTE, 1, 0)
	f.answer(uint32(unix.EPERM))
	f.answer(0)

	f.answer(0)
	return f
}

// keepType lets a call fail that makes sockets by which users are held; of others the number is loaded then.
func (f *filter) keepType(call uint32) {
	f.equal(call, 5)
	f.load(low(1))
	f.add(unix.BPF_ALU|unix.BPF_AND|unix.BPF_K, typeBits, 0, 0)
	f.refuse(holdingType, uint32(unix.EPERM))
	f.load(atNumber)
}

// letTCP lets a call through that makes a socket of TCP in IPv4; of others the number is loaded then.
func (f *filter) letTCP() {
	f.equal(unix.SYS_SOCKET, 9)
	f.load(low(0))
	f.equal(unix.AF_INET, 6)
	f.load(low(1))
	f.add(unix.BPF_ALU|unix.BPF_AND|unix.BPF_K, typeBits, 0, 0)
	f.equal(unix.SOCK_STREAM, 3)
	f.load(low(2))
	f.add(unix.BPF_JMP|unix.BPF_JGE|unix.BPF_K, unix.IPPROTO_TCP+1, 1, 0) // 0, which means TCP, or what is below it, which is no stream
	f.answer(0)
	f.load(atNumber)
}

// filterCalls lets this thread, and what it becomes, make no other system calls than those that an agent needs, sockets of TCP among them or not.
func filterCalls(tcp bool) error {
	return calls(tcp).apply()
}

// apply makes the filter hold for this thread and what it becomes.
func (f filter) apply() error {
	program := unix.SockFprog{Len: uint16(len(f)), Filter: &f[0]}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return errno
	}
	return nil
}
