package arena

import "time"

// A clock counts the time of an episode, from start to stop, and calls up when the limit is reached.
type clock struct {
	limit time.Duration
	up    func()
	used  time.Duration // before it was started last
	since time.Time     // when it was started; zero: it stands still
	timer *time.Timer
}

func (c *clock) start() {
	c.since = time.Now()
	c.timer = time.AfterFunc(c.limit-c.used, c.up)
}

// stop stops the clock, if it was ever started.
func (c *clock) stop() {
	if c.timer != nil {
		c.timer.Stop()
	}
	c.used, c.since = c.elapsed(), time.Time{}
}

// elapsed returns the time that was counted so far.
func (c *clock) elapsed() time.Duration {
	if c.since.IsZero() {
		return c.used
	}
	return c.used + time.Since(c.since)
}

// A soFar is what an episode has used up when a turn ends, from its beginning, in the process facts of the turn's event: with it an episode
// that was cut goes on.
type soFar struct {
	ElapsedMS  int64              `json:"elapsed_ms"`            // on the clock of the episode
	OvertimeMS map[string]int64   `json:"overtime_ms,omitempty"` // left in the banks of those who have drawn from them, by agent
	Model      map[string]Metered `json:"model,omitempty"`       // used by those who have one, by agent
}

func (p *livePlayers) soFar() soFar {
	used := soFar{ElapsedMS: p.clock.elapsed().Milliseconds()}
	for _, player := range p.cast.players {
		if left := player.overtimeLeft(); left < player.bank {
			if used.OvertimeMS == nil {
				used.OvertimeMS = make(map[string]int64)
			}
			used.OvertimeMS[player.seat.Name] = left.Milliseconds()
		}
		if player.seat.Meter != nil {
			if used.Model == nil {
				used.Model = make(map[string]Metered)
			}
			used.Model[player.seat.Name] = player.used()
		}
	}
	return used
}

// goOn makes the clocks go on from where they were.
func (p *livePlayers) goOn(was soFar) {
	p.clock.used = time.Duration(was.ElapsedMS) * time.Millisecond
	for _, player := range p.cast.players {
		if left, ok := was.OvertimeMS[player.seat.Name]; ok {
			player.overtime.Store(left * int64(time.Millisecond))
		}
	}
}
