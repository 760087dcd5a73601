package confine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/vitrine-sim/vitrine/agents"
)

const (
	stopLimit  = 5 * time.Second // for a keeper to end by itself, and then to hear that it must
	beginLimit = time.Minute     // for a program to begin
)

// A keeper is the supervisor's end of the one that keeps an agent. It implements [agents.Keeper].
type keeper struct {
	control *os.File
	kill    sync.Once

	mu      sync.Mutex // whoever has it reads what the keeper says
	mail    *mailbox
	reports *json.Decoder
}

var _ agents.Keeper = (*keeper)(nil)

// startKeeper starts a keeper, who holds a file if there is one.
func startKeeper(u uses, stderr io.Writer, held *os.File) (*agents.Process, *keeper, error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "keeper"), os.NewFile(uintptr(fds[1]), "supervisor")
	defer theirs.Close() // the keeper has it, and its end must be seen
	cmd := selfCommand(keeperRole)
	cmd.Stderr, cmd.ExtraFiles, cmd.SysProcAttr = stderr, []*os.File{theirs}, u.attributes()
	cmd.WaitDelay = stopLimit // for what is left in the pipe of its standard error
	if held != nil {
		cmd.ExtraFiles = append(cmd.ExtraFiles, held)
	}
	k := &keeper{control: ours, mail: &mailbox{control: ours}}
	k.reports = json.NewDecoder(k.mail)
	p, err := agents.StartKept(cmd, k)
	if err != nil {
		return nil, nil, errors.Join(err, ours.Close())
	}
	return p, k, nil
}

// selfCommand returns the command of this program in a role. It sees nothing of our environment, where keys are.
func selfCommand(role string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{"vitrine", hidden, role}
	cmd.Env = []string{"GOMAXPROCS=1"}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	return cmd
}

// begin gives the order and waits until the program has begun.
func (k *keeper) begin(o order) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.control.SetDeadline(time.Now().Add(beginLimit)); err != nil {
		return err
	}
	if err := json.NewEncoder(k.control).Encode(o); err != nil {
		return err
	}
	var r report
	switch err := k.reports.Decode(&r); {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("it has not begun after %v", beginLimit)
	case err != nil:
		return errors.New("its keeper ended before it had begun")
	}
	if r.Error != "" {
		return &startError{r.Error, r.Errno}
	}
	return k.control.SetDeadline(time.Time{})
}

// A startError is why a program could not begin.
type startError struct {
	text  string
	errno syscall.Errno
}

func (e *startError) Error() string { return e.text }

func (e *startError) Unwrap() error {
	if e.errno == 0 {
		return nil
	}
	return e.errno
}

// Kill implements [agents.Keeper].
func (k *keeper) Kill() {
	k.kill.Do(func() {
		raw, err := k.control.SyscallConn()
		if err == nil {
			_ = raw.Control(func(fd uintptr) { _ = syscall.Shutdown(int(fd), syscall.SHUT_WR) }) // one that is gone needs no telling
		}
	})
}

// Ending implements [agents.Keeper].
func (k *keeper) Ending(own agents.Ending) agents.Ending {
	k.mu.Lock()
	defer k.mu.Unlock()
	defer func() { _ = k.control.Close() }()
	defer k.mail.close()
	var r report
	if err := k.reports.Decode(&r); err != nil || r.Exit == "" {
		own.Exit += " (of its keeper)"
		return own
	}
	return agents.Ending{Exit: r.Exit, PeakMemory: r.Peak, Memory: r.Last, Breach: r.Breach}
}
