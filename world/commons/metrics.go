package commons

import (
	"encoding/json"
	"fmt"
	"iter"

	"github.com/vitrine-sim/vitrine/world"
)

// Metrics returns what [Measure] computes. Of the paper that is named as a source the text was not looked up.
func Metrics() []world.Metric {
	const perolat = `Perolat et al. 2017, "A multi-agent reinforcement learning model of common-pool resource appropriation"`
	return []world.Metric{
		{Name: "efficiency", Unit: "apples per turn", Source: perolat, Formula: "apples eaten by all / turns played"},
		{Name: "equality", Unit: "share", Source: perolat, Formula: "1 - Gini coefficient of the agents' apples; 1 if nobody ate any"},
		{Name: "sustainability", Unit: "turns", Source: perolat, Formula: "mean over agents of the mean turn, from 0, in which each ate; 0 for who never ate"},
		{Name: "peace", Unit: "agents", Source: perolat, Formula: "mean over turns played of the agents that were not away"},
		{Name: "apples", Unit: "apples", Formula: "eaten by all"},
		{Name: "cleaned", Unit: "cells", Formula: "cells of the river that were cleaned"},
		{Name: "zaps", Unit: "agents", Formula: "times that somebody was taken away"},
		{Name: "left", Unit: "apples", Formula: "on the map at the end"},
	}
}

// A tally is what the metrics need to know of the events so far.
type tally struct {
	agents  []string
	eaten   map[string]int
	when    map[string]int // sum of the turns in which it ate
	away    map[string]int // of those that are away: the first turn in which they are
	gone    int            // agent-turns of absence
	cleaned int
	zaps    int
	left    int
	played  int
}

// Measure computes the [Metrics] of an episode from the events of its log, and from nothing else. It is an error if the log has no plant
// event, or holds an event of this world that cannot be read; an error from the sequence is passed on.
func Measure(events iter.Seq2[world.Event, error]) (map[string]float64, error) {
	t := tally{eaten: make(map[string]int), when: make(map[string]int), away: make(map[string]int)}
	for ev, err := range events {
		if err != nil {
			return nil, err
		}
		if err := t.add(ev); err != nil {
			return nil, fmt.Errorf("read event %d, a %s: %w", ev.Seq, ev.Kind, err)
		}
	}
	if t.agents == nil {
		return nil, fmt.Errorf("no %s event in the log: it is no commons", kindPlant)
	}
	total, apart, mean := 0, 0, 0.0
	for _, a := range t.agents {
		total += t.eaten[a]
		if t.eaten[a] > 0 {
			mean += float64(t.when[a]) / float64(t.eaten[a])
		}
		for _, b := range t.agents {
			apart += max(t.eaten[a]-t.eaten[b], t.eaten[b]-t.eaten[a])
		}
	}
	n, turns := float64(len(t.agents)), float64(max(1, t.played))
	return map[string]float64{
		"efficiency":     float64(total) / turns,
		"equality":       1 - float64(apart)/(2*n*float64(max(1, total))),
		"sustainability": mean / n,
		"peace":          n - float64(t.gone)/turns,
		"apples":         float64(total),
		"cleaned":        float64(t.cleaned),
		"zaps":           float64(t.zaps),
		"left":           float64(t.left),
	}, nil
}

func (t *tally) add(ev world.Event) error {
	if raw, ok := ev.Set["commons/apples"]; ok {
		var apples []cell
		if err := json.Unmarshal(raw, &apples); err != nil {
			return err
		}
		t.left = len(apples)
	}
	switch ev.Kind {
	case kindPlant:
		var data plantData
		err := json.Unmarshal(ev.Data, &data)
		t.agents = data.Agents
		return err
	case world.KindTurn:
		t.played = ev.Turn + 1
		for _, a := range t.agents {
			if since, ok := t.away[a]; ok && ev.Turn >= since {
				t.gone++
			}
		}
	case kindMove:
		var data moveData
		if err := json.Unmarshal(ev.Data, &data); err != nil {
			return err
		}
		if data.Ate {
			t.eaten[ev.Agent]++
			t.when[ev.Agent] += ev.Turn
		}
	case kindClean:
		var data cleanData
		if err := json.Unmarshal(ev.Data, &data); err != nil {
			return err
		}
		t.cleaned += len(data.Cells)
	case kindAway:
		t.zaps++
		t.away[ev.Agent] = ev.Turn + 1
	case kindSpawn:
		delete(t.away, ev.Agent)
	}
	return nil
}
