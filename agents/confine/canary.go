package confine

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vitrine-sim/vitrine/agents"
)

// An Outcome is how an attack of one agent on another went.
type Outcome struct {
	Attack string `json:"attack"`
	Worked bool   `json:"worked"`
	Must   bool   `json:"must"`          // it must not work behind this boundary
	Why    string `json:"why,omitempty"` // it has not worked
}

// canaryLimit is for all attacks together.
const canaryLimit = 20 * time.Second

// Canary tries the boundary: of two dummy agents behind it one makes each attack there is on the other, on the run, the supervisor and the
// machine. The error says that attacks have worked that must not, or that they could not be made.
func (b Boundary) Canary(ctx context.Context) ([]Outcome, error) {
	dir, err := os.MkdirTemp("", "vitrine-canary-")
	if err != nil {
		return nil, err
	}
	c := canary{boundary: b, dir: dir, dummy: filepath.Join(dir, "dummy")}
	outcomes, err := c.sing(ctx)
	if err = errors.Join(err, os.RemoveAll(dir)); err != nil { // what cannot be removed, an attack has done

		return outcomes, fmt.Errorf("the canary: %w", err)
	}
	return verdict(b, outcomes)
}

// verdict says whether a boundary holds.
func verdict(b Boundary, outcomes []Outcome) ([]Outcome, error) {
	var worked []string
	for _, o := range outcomes {
		if o.Worked && o.Must {
			worked = append(worked, o.Attack)
		}
	}
	if len(worked) > 0 {
		return outcomes, fmt.Errorf("%s does not hold: an agent could %s", b, strings.Join(worked, ", "))
	}
	return outcomes, nil
}

// A canary is two dummy agents and what is around them.
type canary struct {
	boundary Boundary
	dir      string
	dummy    string // a program that all users can run, which is this one
}

func (c canary) sing(ctx context.Context) ([]Outcome, error) {
	ctx, end := context.WithCancel(ctx)
	defer end()
	if err := c.furnish(); err != nil {
		return nil, err
	}
	machine, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer machine.Close()
	prey, err := c.start(ctx, "a", victimRole)
	if err != nil {
		return nil, err
	}
	defer func() { _ = prey.Stop(stopLimit) }()
	stop := context.AfterFunc(ctx, prey.Kill)
	defer stop()
	deadline := time.Now().Add(canaryLimit)
	var v victim
	if err := errors.Join(prey.Stdout.SetReadDeadline(deadline), json.NewDecoder(prey.Stdout).Decode(&v)); err != nil {
		return nil, fmt.Errorf("the victim: %w", err)
	}
	v.Port, v.Log, v.Supervisor = machine.Addr().(*net.TCPAddr).Port, filepath.Join(c.run(), "events.jsonl"), os.Getpid()
	if v.PID, err = childOf(prey.PID()); err != nil {
		return nil, err
	}
	attacker, err := c.start(ctx, "b", attackerRole)
	if err != nil {
		return nil, err
	}
	defer func() { _ = attacker.Stop(stopLimit) }()
	if err := errors.Join(attacker.Stdout.SetReadDeadline(deadline), json.NewEncoder(attacker.Stdin).Encode(v)); err != nil {
		return nil, fmt.Errorf("the attacker: %w", err)
	}
	var outcomes []Outcome
	if err := json.NewDecoder(attacker.Stdout).Decode(&outcomes); err != nil {
		return nil, fmt.Errorf("the attacker: %w", err)
	}
	return outcomes, nil
}

func (c canary) run() string { return filepath.Join(c.dir, "run") }

// furnish makes a run's folder and a program for the dummies.
func (c canary) furnish() error {
	err := errors.Join(os.Chmod(c.dir, 0o711), os.Mkdir(c.run(), 0o755), os.WriteFile(filepath.Join(c.run(), "events.jsonl"), nil, 0o644))
	if err != nil {
		return err
	}
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		return err
	}
	defer self.Close()
	program, err := os.OpenFile(c.dummy, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(program, self)
	return errors.Join(err, program.Chmod(0o755), program.Close())
}

// start starts a dummy in a role.
func (c canary) start(ctx context.Context, name, role string) (*agents.Process, error) {
	cell := Cell{Dir: filepath.Join(c.run(), "agents", name), Hidden: c.run()}
	if c.boundary.uses.Proxy {
		cell.Serve = func(l net.Listener) { context.AfterFunc(ctx, func() { _ = l.Close() }) } // there to be connected to
	}
	for _, dir := range cell.writable() {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	cmd := exec.Command(c.dummy)
	cmd.Args = append(selfCommand(role).Args, string(told(c.boundary.uses)))
	cmd.Env, cmd.Dir = []string{"SECRET=canary"}, filepath.Join(cell.Dir, "work")
	return c.boundary.Start(cmd, cell)
}

// told returns mechanisms as a dummy is told of them.
func told(u uses) []byte {
	raw, err := json.Marshal(u)
	if err != nil {
		panic("internal error: " + err.Error())
	}
	return raw
}

// childOf returns a child of a process.
func childOf(parent int) (int, error) {
	found, err := descendants(parent)
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("process %d has no child", parent)
	}
	if err != nil {
		return 0, err
	}
	return found[0].pid, nil
}

// suffer is the life of a dummy that is attacked. It ends with its input.
func suffer() error {
	here, err := os.Getwd()
	if err != nil {
		return err
	}
	v := victim{Secret: filepath.Join(here, "secret"), Path: filepath.Join(here, "s"), Abstract: "@vitrine/canary/" + rand.Text()}
	if err := os.WriteFile(v.Secret, []byte("canary"), 0o644); err != nil {
		return err
	}
	for _, name := range []string{"s", v.Abstract} { // relative, for the path of a socket must be short
		l, err := net.Listen("unix", name)
		if err != nil {
			return err
		}
		defer l.Close()
	}
	if err := os.Chmod("s", 0o777); err != nil {
		return err
	}
	if v.Shared, err = unix.SysvShmGet(unix.IPC_PRIVATE, 4096, unix.IPC_CREAT|0o666); err != nil {
		v.Shared = -1
	} else {
		defer func() { _, _ = unix.SysvShmCtl(v.Shared, unix.IPC_RMID, nil) }()
	}
	v.Tmp, v.Shm = leave("/tmp"), leave("/dev/shm")
	defer func() { _, _ = os.Remove(v.Tmp), os.Remove(v.Shm) }() // what is not there need not go
	if err := json.NewEncoder(os.Stdout).Encode(v); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// leave leaves a file in a folder that anybody may read, if it can.
func leave(dir string) string {
	f, err := os.CreateTemp(dir, "vitrine-canary-")
	if err != nil {
		return ""
	}
	if err := errors.Join(f.Chmod(0o644), f.Close()); err != nil {
		return ""
	}
	return f.Name()
}

// assail is the life of a dummy that attacks.
func assail(known string) error {
	var u uses
	if err := json.Unmarshal([]byte(known), &u); err != nil {
		return err
	}
	var v victim
	if err := json.NewDecoder(os.Stdin).Decode(&v); err != nil {
		return err
	}
	var outcomes []Outcome
	for _, a := range attacks() {
		o := Outcome{Attack: a.name, Must: a.stopped&u.stops() != 0}
		if err := a.try(v); err != nil {
			o.Why = err.Error()
		} else {
			o.Worked = true
		}
		outcomes = append(outcomes, o)
	}
	return json.NewEncoder(os.Stdout).Encode(outcomes)
}
