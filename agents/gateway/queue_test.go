package gateway

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
)

func TestTheQueueIsFirstComeFirstServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 2
		var q queue
		var order []int
		leave := make(chan struct{})
		for i := range 10 {
			go func() { // ends when it has left
				if err := q.enter(t.Context(), limit); err != nil {
					t.Error(err)
					return
				}
				order = append(order, i)
				<-leave
				q.leave(limit)
			}()
			synctest.Wait()
		}
		for entered := limit; len(order) < 10; entered++ {
			if len(order) != entered {
				t.Fatalf("%d have entered, want %d", len(order), entered)
			}
			leave <- struct{}{}
			synctest.Wait()
		}
		close(leave)
		synctest.Wait()
		if want := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}; !slices.Equal(order, want) {
			t.Errorf("order %v", order)
		}
		if q.inside != 0 || len(q.waiting) != 0 {
			t.Errorf("%d are still inside, %d wait", q.inside, len(q.waiting))
		}
	})
}

func TestOneWhoGivesUpLeavesTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q queue
		if err := q.enter(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var gaveUp error
		go func() { gaveUp = q.enter(ctx, 1) }() // ends when ctx does
		synctest.Wait()
		entered := false
		go func() { // ends when the first one leaves
			entered = q.enter(t.Context(), 1) == nil
		}()
		synctest.Wait()
		cancel()
		synctest.Wait()
		if gaveUp == nil || entered {
			t.Errorf("gave up: %v, the one behind entered: %t", gaveUp, entered)
		}
		q.leave(1)
		synctest.Wait()
		if !entered {
			t.Error("the one behind did not enter")
		}
		if err := q.enter(ctx, 1); err == nil {
			t.Error("one who is gone entered")
		}
		// One whose turn comes while it gives up passes it on. Which of the two it notices first is up to the machine.
		for range 100 {
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- q.enter(ctx, 1) }() // ends when ctx does, or at its turn
			synctest.Wait()
			cancel()
			q.leave(1)
			if err := <-done; err != nil {
				if err := q.enter(t.Context(), 1); err != nil {
					t.Fatal(err)
				}
			}
		}
		q.leave(1)
		if q.inside != 0 || len(q.waiting) != 0 {
			t.Errorf("%d are still inside, %d wait", q.inside, len(q.waiting))
		}
	})
}
