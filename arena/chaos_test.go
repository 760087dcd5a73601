package arena

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/vitrine-sim/vitrine/agents"
	"github.com/vitrine-sim/vitrine/agents/tamper"
	"github.com/vitrine-sim/vitrine/world"
)

// A chaos is a stage on which everything happens that chance can think of.
type chaos struct {
	*stage
	random *rand.Rand
}

// reopen makes the log end after so many bytes, as if its writer had been killed there.
func (c *chaos) reopen(keep func(size int) int) {
	c.t.Helper()
	if err := c.Store.Close(); err != nil {
		c.t.Fatal(err)
	}
	path := filepath.Join(c.dir, logFile)
	raw, err := os.ReadFile(path)
	if err == nil {
		err = os.Truncate(path, int64(keep(len(raw))))
	}
	if err != nil {
		c.t.Fatal(err)
	}
	if c.Store, err = world.Open(c.dir); err != nil {
		c.t.Fatal(err)
	}
}

// play lets an actor do something, good or bad.
func (c *chaos) play(seed uint64, name string, fenced Fenced) *actor {
	random := rand.New(rand.NewPCG(seed, uint64(name[0])))
	bad := random.IntN(3) == 0
	return does(func(ctx context.Context, obs world.Observation) (world.Action, error) {
		if random.IntN(3) > 0 {
			takes := time.Duration(random.IntN(3000)) * time.Microsecond
			if random.IntN(8) == 0 {
				takes *= 8 // of which the overtime pays a part
			}
			select {
			case <-time.After(takes):
			case <-ctx.Done():
				return world.Action{}, ctx.Err()
			}
		}
		if random.IntN(15) == 0 {
			fenced("fish", "late", false)
		}
		if evidence := c.Seats[slices.Index(five, name)].Evidence; evidence != nil && random.IntN(5) == 0 {
			evidence.Saw(tamper.Acts, "once more")
		}
		if c.Restart.Max > 0 && random.IntN(5) == 0 {
			return world.Action{}, &agents.DeadError{Reason: "killed"}
		}
		if bad {
			switch random.IntN(12) {
			case 0:
				return world.Action{}, agents.ErrNoAction
			case 1:
				return world.Action{}, errors.New("out of ink")
			case 2:
				return sleeps(ctx)
			case 3:
				return ask(-1), nil
			case 4:
				if random.IntN(6) == 0 {
					return world.Action{}, &agents.DeadError{Reason: "killed"}
				}
			}
		}
		switch random.IntN(4) {
		case 0:
			return say(strconv.Itoa(random.IntN(100))), nil
		case 1:
			return say("psst", five[random.IntN(5)]), nil
		}
		return ask(random.IntN(6)), nil
	})
}

func (c *chaos) command(random *rand.Rand, nastily bool) Command {
	switch random.IntN(16) {
	case 0, 1, 2:
		return Command{Do: DoSet, Path: "lake/tons", Value: world.JSON(random.IntN(100))}
	case 3:
		return Command{Do: DoSet, Path: "lake/next", Value: world.JSON(random.IntN(100))}
	case 4:
		if nastily {
			return Command{Do: DoSet, Path: "lake/tons", Value: world.JSON(0)}
		}
		return Command{Do: DoSet, Path: "note/" + strconv.Itoa(random.IntN(4)), Value: json.RawMessage(`{"a": 1.50}`)}
	case 5:
		return Command{Do: DoDelete, Path: "note/" + strconv.Itoa(random.IntN(4))}
	case 6, 7, 8:
		return Command{Do: DoTell, To: five[random.IntN(5)], Text: "hello " + strconv.Itoa(random.IntN(100))}
	case 9, 10:
		return Command{Do: DoPause}
	case 11:
		return Command{Do: DoStep}
	case 12:
		return Command{Do: DoTurn}
	case 14:
		return Command{Do: DoRevise, Source: strconv.Itoa(random.IntN(120))}
	case 13:
		if nastily && random.IntN(5) == 0 {
			return Command{Do: DoStop}
		}
	}
	return Command{Do: DoContinue}
}

func (c *chaos) operate(ctx context.Context, beside bool, seed uint64, times int, nastily bool) {
	random := rand.New(rand.NewPCG(seed, 77))
	store, err := world.Open(c.dir)
	if err != nil {
		c.t.Error(err)
		return
	}
	defer store.Close()
	for range times {
		_, err := c.Game.Intervene(context.Background(), store, c.command(random, nastily))
		if no := (*RefusedError)(nil); err != nil && !errors.As(err, &no) {
			c.t.Error(err)
			return
		}
		if !beside {
			continue
		}
		select {
		case <-time.After(time.Duration(random.IntN(4000)) * time.Microsecond):
		case <-ctx.Done():
			return
		}
	}
	for beside && ctx.Err() == nil { // in the end it lets the game go on
		_, _ = c.Game.Intervene(context.Background(), store, Command{Do: DoContinue})
		select {
		case <-time.After(3 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

func (c *chaos) check(what string) Verified {
	c.t.Helper()
	v, err := Verify(c.dir, c.Game)
	if err != nil {
		c.t.Fatalf("%s: verify: %v", what, err)
	}
	st := world.State{}
	for _, ev := range readEvents(c.t, c.dir) {
		st = st.Apply(ev)
	}
	if got, want := string(world.JSON(v.State)), string(world.JSON(st)); got != want {
		c.t.Fatalf("%s: the verified state is %s, the fold %s", what, got, want)
	}
	if now, err := world.Now(c.dir); err != nil || string(world.JSON(now)) != string(world.JSON(st)) {
		c.t.Fatalf("%s: now is %s, %v", what, world.JSON(now), err)
	}
	c.checkOvertime(what)
	return v
}

// checkOvertime checks that each turn says how much overtime is left of what the acts have drawn.
func (c *chaos) checkOvertime(what string) {
	c.t.Helper()
	cast := newCast(c.Seats, c.Overtime, 0)
	phase := &Phase{}
	for _, ev := range readEvents(c.t, c.dir) {
		if i := slices.IndexFunc(c.Phases, func(p Phase) bool {
			return ev.Kind == KindPhase && string(ev.Set[world.PhaseFact]) == string(world.JSON(p.Name))
		}); i >= 0 {
			phase = &c.Phases[i]
		}
		if a, err := actOf(ev, 0); err == nil && IsAct(ev) {
			cast.byName[ev.Agent].draw(a, cmp.Or(phase.Act, c.Act))
		}
		if ev.Kind != world.KindTurn {
			continue
		}
		var used soFar
		if err := json.Unmarshal(ev.Proc, &used); err != nil {
			c.t.Fatal(err)
		}
		for _, p := range cast.players {
			left, drew := used.OvertimeMS[p.seat.Name]
			if lost := p.overtimeLeft().Milliseconds() - left; drew && (lost < 0 || lost > 5) || !drew && p.overtimeLeft() < p.bank { // each time it was resumed, what is less than a millisecond
				c.t.Errorf("%s: event %d: %s has %d ms of overtime left (%t), and its acts have left %v", what, ev.Seq, p.seat.Name, left, drew, p.overtimeLeft())
			}
		}
	}
}

func newChaos(t *testing.T, seed uint64) *chaos {
	c := &chaos{stage: newStage(t), random: rand.New(rand.NewPCG(seed, 1))}
	one := func(cs ...Consequence) Consequence { return cs[c.random.IntN(len(cs))] }
	any := []Consequence{ConsequencePass, ConsequenceDefault, ConsequencePass, ConsequenceDefault, ConsequenceOut}
	c.Consequences = Consequences{Timeout: one(any...), Invalid: one(any...), Error: one(any...), Budget: one(append(any, ConsequenceEnd)...)}
	c.Default = ask(1)
	if c.random.IntN(2) == 0 {
		c.Restart = Restart{Max: 1 + c.random.IntN(4), Window: 1 + c.random.IntN(6), Backoff: c.random.IntN(3), MaxBackoff: 4}
	}
	c.Seed = seed
	c.Turns = 2 + c.random.IntN(5)
	c.Act = 10 * time.Millisecond
	c.Overtime = time.Duration(c.random.IntN(2)) * 20 * time.Millisecond
	if c.random.IntN(3) > 0 {
		c.Talk = Talk{Turn: 1 + c.random.IntN(2), Length: 10}
	}
	schedules := []Schedule{Parallel, Sequential, Shuffled(seed, ""), Rotated(seed)}
	pick := func() Schedule { return schedules[c.random.IntN(len(schedules))] }
	switch c.random.IntN(3) {
	case 0:
		c.Schedule = pick()
	case 1:
		c.Free = true
	case 2:
		c.Phases = []Phase{{Name: "talk", Schedule: pick(), Actions: []string{Say}}, {Name: "fish", Schedule: pick(), Actions: []string{"fish"}}}
		if c.random.IntN(2) == 0 {
			c.Phases = append(c.Phases, Phase{Name: "late", Schedule: pick(), Agents: []string{"b", "d"}})
		}
		for i := range c.Phases {
			c.Phases[i].Act = time.Duration(c.random.IntN(3)) * 6 * time.Millisecond
		}
	}
	for i := range c.Seats {
		seat := &c.Seats[i]
		if c.random.IntN(3) == 0 {
			seat.Clocks = &Clocks{Act: time.Duration(c.random.IntN(3)) * 6 * time.Millisecond, Overtime: time.Duration(c.random.IntN(3)) * 15 * time.Millisecond}
		}
		if c.random.IntN(2) == 0 {
			seat.Evidence = new(tamper.Evidence)
		}
		if acts := c.random.IntN(40); acts < 10 {
			seat.Spent = func() string {
				if acts--; acts < 0 {
					return "spent"
				}
				return ""
			}
		}
	}
	return c
}

func (c *chaos) sitAll(seed uint64) {
	for _, name := range five {
		c.actors[name] = nil
		started := uint64(0)
		c.Seats[slices.Index(five, name)].Start = func(_ context.Context, fenced Fenced) (agents.Agent, error) {
			started++
			if started > 1 && seed%5 == 0 && started%3 == 0 {
				return nil, errors.New("no room")
			}
			return c.play(seed+started<<32, name, fenced), nil
		}
	}
}

func (c *chaos) runOnce(seed uint64, stopAfter time.Duration, nastily bool) Outcome {
	c.t.Helper()
	c.sitAll(seed)
	ctx, cancel := context.WithCancel(c.t.Context())
	defer cancel()
	over := make(chan struct{})
	operator, quiet := context.WithCancel(context.Background())
	go func() {
		defer close(over)
		c.stage.awaitStart(operator)
		c.operate(operator, true, seed, c.random.IntN(12), nastily)
	}()
	if stopAfter > 0 {
		time.AfterFunc(stopAfter, cancel)
	}
	done := make(chan struct{})
	var out Outcome
	var err error
	go func() { defer close(done); out, err = c.Run(ctx) }()
	select {
	case <-done:
	case <-time.After(time.Minute):
		panic(fmt.Sprintf("hangs: seed %d", seed))
	}
	quiet()
	<-over
	if err != nil {
		c.t.Fatalf("run: %v", err)
	}
	return out
}

func (s *stage) awaitStart(ctx context.Context) {
	for range world.Follow(ctx, s.dir, 0) {
		return
	}
}

// TestWhateverHappensToAGameItsLogVerifies plays seeds from..from+n-1: schedules, agents, operators, cuts and resumes by chance.
func TestWhateverHappensToAGameItsLogVerifies(t *testing.T) {
	from, n := uint64(1), 24
	nastily := true
	for seed := from; seed < from+uint64(n); seed++ {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			c := newChaos(t, seed)
			if nastily && c.random.IntN(4) == 0 {
				c.Time = time.Duration(c.random.IntN(60)) * time.Millisecond
			}
			for i := range c.random.IntN(4) {
				c.runOnce(seed*100+uint64(i), time.Duration(c.random.IntN(30))*time.Millisecond, nastily)
				c.check(fmt.Sprintf("%d: interrupted", i))
				c.reopen(func(size int) int {
					if c.random.IntN(3) == 0 {
						return size
					}
					return c.random.IntN(size + 1)
				})
				v := c.check(fmt.Sprintf("%d: cut", i))
				if c.random.IntN(2) == 0 && v.State.Seq > 0 {
					c.operate(t.Context(), false, seed*100+uint64(i), 1+c.random.IntN(3), nastily)
					c.check(fmt.Sprintf("%d: outside", i))
				}
			}
			out := c.runOnce(seed*100+50, 0, nastily)
			if v := c.check("the end"); !v.Over || v.End != out.End {
				t.Errorf("it ends %+v, verified %+v", out.End, v.End)
			}
		})
	}
}
