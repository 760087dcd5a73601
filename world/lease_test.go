package world

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"
)

func TestRunHasOneSupervisorAndTheNextIsToldWhoItIs(t *testing.T) {
	dir := t.TempDir()
	p := start(t, "hold", dir)
	if !p.out.Scan() || p.out.Text() != "held" {
		t.Fatalf("%q %s", p.out.Text(), p.stderr.String())
	}
	_, err := Acquire(dir)
	var held *HeldError
	if !errors.As(err, &held) || held.PID != p.Process.Pid || time.Since(held.Start) > time.Minute {
		t.Fatalf("error %v, want the holder %d", err, p.Process.Pid)
	}
	text := fmt.Sprintf(`^run is held by process %d since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d$`, p.Process.Pid)
	if !regexp.MustCompile(text).MatchString(err.Error()) {
		t.Errorf("the error says %q", err)
	}
}

func TestLeaseEndsWhenItsHolderIsKilledThoughAChildLives(t *testing.T) {
	dir := t.TempDir()
	p := start(t, "hold", dir)
	if !p.out.Scan() || p.out.Text() != "held" {
		t.Fatalf("%q %s", p.out.Text(), p.stderr.String())
	}
	if err := p.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Process.Wait(); err != nil {
		t.Fatal(err)
	}
	lease, err := Acquire(dir)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(p.in, "are you there?")
	if !p.out.Scan() || p.out.Text() != "are you there?" {
		t.Errorf("the child does not live: %q", p.out.Text())
	}
	if err := errors.Join(p.in.Close(), lease.Release()); err != nil {
		t.Fatal(err)
	}
}

func TestLeaseCanBeReleasedAndTakenAgain(t *testing.T) {
	dir := t.TempDir()
	for range 3 {
		lease, err := Acquire(dir)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Acquire(dir)
		var held *HeldError
		if !errors.As(err, &held) || held.PID != os.Getpid() {
			t.Errorf("second lease: %v", err)
		}
		if err := lease.Release(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOfManyWhoAcquireAtOnceOneGetsItAndAllOthersLearnItsName(t *testing.T) {
	for range 50 {
		dir := t.TempDir()
		dead := `{"pid":1,"start":"2020-01-02T15:04:05Z"}`
		if err := os.WriteFile(filepath.Join(dir, leaseName), []byte(dead), 0o600); err != nil {
			t.Fatal(err)
		}
		var group sync.WaitGroup
		leases := make(chan *Lease, 8)
		for range cap(leases) {
			group.Go(func() {
				lease, err := Acquire(dir)
				var held *HeldError
				switch {
				case err == nil:
					leases <- lease
				case !errors.As(err, &held) || held.PID != os.Getpid():
					t.Errorf("error %v", err)
				}
			})
		}
		group.Wait()
		if len(leases) != 1 {
			t.Fatalf("%d got the lease", len(leases))
		}
		if err := (<-leases).Release(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestHolderWithoutANameIsStillAHolder(t *testing.T) {
	dir := t.TempDir()
	lease, err := Acquire(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer lease.Release()
	if err := os.WriteFile(filepath.Join(dir, leaseName), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Acquire(dir); err == nil || err.Error() != "run is held by another process" {
		t.Errorf("error %v", err)
	}
}

func TestAcquireNeedsAFolder(t *testing.T) {
	if _, err := Acquire(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

func TestHolderTellsWithoutTaking(t *testing.T) {
	dir := t.TempDir()
	if held := Holder(dir); held != nil {
		t.Errorf("a run that nobody ever held is held: %v", held)
	}
	lease, err := Acquire(dir)
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(filepath.Join(dir, leaseName))
	if err != nil {
		t.Fatal(err)
	}
	if held := Holder(dir); held == nil || held.PID != os.Getpid() {
		t.Errorf("the holder is %v, want this process", held)
	}
	if err := lease.Release(); err != nil {
		t.Fatal(err)
	}
	if held := Holder(dir); held != nil {
		t.Errorf("a run that was released is held: %v", held)
	}
	if after, err := os.ReadFile(filepath.Join(dir, leaseName)); err != nil || string(after) != string(before) {
		t.Errorf("asking changed the file from %s to %s (%v)", before, after, err)
	}
}
