package werewolf

import (
	"encoding/json"
	"fmt"
	"iter"

	"github.com/vitrine-sim/vitrine/world"
)

// Metrics returns what [Measure] computes.
func Metrics() []world.Metric {
	const migdal = `Migdal 2010, "A mathematical model of the Mafia game", whose w(n, m) is its mean in random play`
	return []world.Metric{
		{Name: "wolves_won", Unit: "games", Formula: "1 if the wolves have won, else 0", Source: migdal},
		{Name: "villagers_won", Unit: "games", Formula: "1 if the villagers have won, else 0", Source: migdal},
		{Name: "lynched", Unit: "agents", Formula: "lynched by a vote of the village"},
		{Name: "lynched_wolves", Unit: "agents", Formula: "of those, how many were wolves"},
		{Name: "killed", Unit: "agents", Formula: "killed by wolves"},
	}
}

// Measure computes the [Metrics] of an episode from the events of its log, and from nothing else. It is an error if the log has no cast
// event, or holds an event of this world that cannot be read; an error from the sequence is passed on.
func Measure(events iter.Seq2[world.Event, error]) (map[string]float64, error) {
	cast := false
	metrics := make(map[string]float64)
	for _, m := range Metrics() {
		metrics[m.Name] = 0
	}
	for ev, err := range events {
		if err != nil {
			return nil, err
		}
		cast = cast || ev.Kind == kindCast
		if err := count(metrics, ev); err != nil {
			return nil, fmt.Errorf("read event %d, a %s: %w", ev.Seq, ev.Kind, err)
		}
	}
	if !cast {
		return nil, fmt.Errorf("no %s event in the log: it is no game of werewolf", kindCast)
	}
	return metrics, nil
}

func count(metrics map[string]float64, ev world.Event) error {
	switch ev.Kind {
	case kindDeath:
		var data deathData
		if err := json.Unmarshal(ev.Data, &data); err != nil {
			return err
		}
		if data.By == byWolves {
			metrics["killed"]++
			return nil
		}
		metrics["lynched"]++
		if data.Role == wolf {
			metrics["lynched_wolves"]++
		}
	case kindWin:
		var data winData
		if err := json.Unmarshal(ev.Data, &data); err != nil {
			return err
		}
		if data.Winner != wolves && data.Winner != villagers {
			return fmt.Errorf("%q is no side", data.Winner)
		}
		metrics[data.Winner+"_won"] = 1
	}
	return nil
}
