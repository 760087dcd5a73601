package main

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestASignalThatComesTwiceAtOnceIsOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, interrupt := context.WithCancel(t.Context())
		var released atomic.Bool
		go releaseAfter(ctx, func() { released.Store(true) })
		time.Sleep(time.Hour)
		if synctest.Wait(); released.Load() {
			t.Error("the first signal would have ended it at once")
		}
		interrupt()
		time.Sleep(sameEnd - time.Nanosecond)
		if synctest.Wait(); released.Load() {
			t.Error("the same signal again would have ended it at once")
		}
		time.Sleep(time.Nanosecond)
		if synctest.Wait(); !released.Load() {
			t.Error("another signal would not have ended it")
		}
	})
}
