package confine

import (
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// A kernel without subreapers leaves what an agent has started to nobody that could find it but by its user.
func TestAllProcessesOfAUserAreEnded(t *testing.T) {
	c := cell(t)
	// Who reaps the processes may take its time, in which the kernel counts them: so they are of a user that no other test will have.
	const uid = lastUID
	held, err := holdUID(uid)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if err := (Boundary{}).prepare(order{UID: uid, Cell: c, Path: "/bin/sh"}); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/bin/sh", "-c", escape+"while :; do sleep 1; done")
	cmd.Dir = filepath.Join(c.Dir, "work")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	readLine(t, out)
	if _, living, err := ofUser(uid); err != nil || living < 60 {
		t.Errorf("%d processes have begun, %v", living, err)
	}
	if err := sweepUser(uid); err != nil {
		t.Error(err)
	}
	if _, living, err := ofUser(uid); err != nil || living > 0 {
		t.Errorf("%d processes are left, %v", living, err)
	}
	gone(t, c.Dir, 0)
	_ = cmd.Wait() // it was killed
}
