package main

import (
	"fmt"

	"github.com/vitrine-sim/vitrine/agents/gateway"
	"github.com/vitrine-sim/vitrine/arena"
)

// caching returns how well the requests through an endpoint suited a prompt cache; nil if there were none, or none before them.
func caching(endpoint *gateway.Endpoint) *arena.Caching {
	if endpoint == nil {
		return nil
	}
	c := endpoint.Caching()
	if c.Requests == 0 {
		return nil
	}
	return &arena.Caching{
		Share: c.Share(), Kept: c.Kept(), Changed: c.Changed, Over5m: c.Over5m, Over1h: c.Over1h, LongestMS: c.Longest.Milliseconds(),
	}
}

// cacheWarnings says which agents pay for their whole conversation again and again, because the prompt cache does not know it, and why.
func cacheWarnings(result arena.Result) []string {
	const few, half = 3, 0.5
	var warnings []string
	for _, a := range result.Agents {
		if a.Caching == nil || a.ModelRequests <= few {
			continue
		}
		if a.Caching.Kept < half {
			warnings = append(warnings, fmt.Sprintf("the prompt cache is of no use to %s: only %.0f %% of a request is how the next one begins; what changes is in its %s",
				a.Name, 100*a.Caching.Kept, a.Caching.Changed))
		}
		if late := a.Caching.Over5m; float64(late) > half*float64(a.ModelRequests) {
			warnings = append(warnings, fmt.Sprintf("the prompt cache is of no use to %s: %d of its %d requests came more than 5 minutes after the one before, when it is forgotten",
				a.Name, late, a.ModelRequests))
		}
	}
	return warnings
}

// cacheLine says how well an agent's requests suited a prompt cache.
func cacheLine(c *arena.Caching) string {
	line := fmt.Sprintf("%.0f %% of its requests repeat the one before, %.0f %% of which is kept; at most %.1f s between two", 100*c.Share, 100*c.Kept, float64(c.LongestMS)/1000)
	if c.Over5m > 0 {
		line += fmt.Sprintf(", %d times more than 5 minutes", c.Over5m)
	}
	return line
}
