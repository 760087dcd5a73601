package confine

import "golang.org/x/sys/unix"

// auditArch is what the kernel calls this machine.
const auditArch = unix.AUDIT_ARCH_X86_64
