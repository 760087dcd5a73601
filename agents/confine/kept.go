package confine

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vitrine-sim/vitrine/agents"
)

// lastLook is how long it is looked at most at what an agent has left in its folders.
const lastLook = time.Second

// A kept is an agent, from its keeper's side.
type kept struct {
	order *order
	pid   int
	group *group
	watch *watch
}

// startAgent starts the agent's process and waits until it has become the agent's program.
func startAgent(o *order) (k *kept, err error) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		if o.UID == 0 {
			return nil, fmt.Errorf("become the subreaper of what it starts, which some kernels (gVisor's) do not offer: %w", err)
		}
		o.Loose = true
	}
	k = &kept{order: o}
	if o.Uses.Group != "" {
		if k.group, err = newGroup(o.Uses.Group); err != nil {
			return nil, err
		}
		defer func() {
			if err != nil {
				k.group.kill()
				err = errors.Join(err, k.group.remove())
			}
		}()
	}
	if o.Uses.Bounds {
		if err := k.group.bound(o.Cell.Limits); err != nil {
			return nil, err
		}
	}
	if o.Uses.Proxy {
		if err := offerProxy(controlFD); err != nil {
			return nil, fmt.Errorf("offer a proxy: %w", err)
		}
	}
	if o.Uses.Spaces {
		if o.Proc, err = build(o.Cell, o.Path); err != nil {
			return nil, fmt.Errorf("build the cell: %w", err)
		}
	}
	if k.watch, err = newWatch(*o, k.group); err != nil {
		return nil, err
	}
	return k, k.begin()
}

// begin starts the agent's process, in its control group from the beginning, and waits until it has become the agent's program.
func (k *kept) begin() error {
	orderIn, orderOut, err := os.Pipe()
	if err != nil {
		return err
	}
	failIn, failOut, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd := selfCommand(agentRole)
	child, err := os.StartProcess(cmd.Path, cmd.Args, &os.ProcAttr{
		Env: cmd.Env, Files: []*os.File{os.Stdin, os.Stdout, os.Stderr, orderIn, failOut},
		Sys: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
	})
	if err != nil {
		return err
	}
	k.pid = child.Pid
	_, _ = orderIn.Close(), failOut.Close()
	if err := errors.Join(silence(), k.group.join(k.pid)); err != nil {
		return err
	}
	if err := errors.Join(json.NewEncoder(orderOut).Encode(k.order), orderOut.Close()); err != nil {
		return err
	}
	raw, err := io.ReadAll(failIn)
	if err != nil {
		return err
	}
	if len(raw) > 0 {
		var r report
		if err := json.Unmarshal(raw, &r); err != nil {
			return err
		}
		return &startError{r.Error, r.Errno}
	}
	return nil
}

// attend waits for the agent's end, or brings it about, when it is told to or the agent breaks a limit. All that the agent has started is gone then.
func (k *kept) attend(terms <-chan os.Signal, ended <-chan struct{}) (r report, err error) {
	exited, none := make(chan syscall.WaitStatus, 1), make(chan struct{})
	go reap(k.pid, exited, none) // ends when no child is left
	breached := make(chan *agents.Breach, 1)
	k.watch.start(breached)
	status, byItself, found := k.await(terms, ended, exited, breached)
	if r.Breach = found; byItself {
		r.Breach = k.broken(status)
	}
	if err := sweep(k.order.Uses.Spaces, k.group, none); err != nil {
		return r, err
	}
	if k.order.Loose {
		if err := sweepUser(k.order.UID); err != nil {
			return r, err
		}
	}
	if byItself && r.Breach == nil { // not before all are gone, for it may take a while
		r.Breach = k.watch.disk(time.Now().Add(lastLook))
	}
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_CHILDREN, &usage); err != nil {
		return r, err
	}
	r.Exit, r.Peak, r.Last = exitText(status), max(usage.Maxrss*1024, k.watch.peak.Load()), k.watch.last.Load()
	return r, k.group.remove()
}

// await waits for the end of the agent's process, or brings it about. A breach that was found counts, though the process may have ended meanwhile.
func (k *kept) await(terms <-chan os.Signal, ended <-chan struct{}, exited <-chan syscall.WaitStatus, breached <-chan *agents.Breach) (
	status syscall.WaitStatus, byItself bool, breach *agents.Breach,
) {
	for {
		select {
		case <-terms:
			_ = unix.Kill(-k.pid, unix.SIGTERM) // it may have gone in between
		case breach = <-breached:
			_ = unix.Kill(k.pid, unix.SIGKILL) // which is not the last of it
		case <-ended:
			_ = unix.Kill(k.pid, unix.SIGKILL)
			ended = nil
		case status = <-exited:
			select {
			case breach = <-breached:
			default:
			}
			return status, breach == nil && ended != nil, breach
		}
	}
}

// broken returns the limit that an agent has broken which has ended by itself. What it could not have any more may be why it has.
func (k *kept) broken(status syscall.WaitStatus) *agents.Breach {
	l := k.watch.limits
	switch {
	case status.Signaled() && status.Signal() == unix.SIGXFSZ:
		return &agents.Breach{Resource: agents.FileSize, Used: l.FileSize + 1, Bound: l.FileSize, Unit: "bytes", Detail: "the kernel refused more"}
	case status.Signaled() && status.Signal() == unix.SIGXCPU:
		used := (l.CPU + roomOfCPU).Milliseconds()
		return &agents.Breach{Resource: agents.CPU, Used: used, Bound: l.CPU.Milliseconds(), Unit: "ms", Detail: "of one process"}
	}
	return cmp.Or(k.group.breach(), k.watch.judge(k.watch.look()))
}
