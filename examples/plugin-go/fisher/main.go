// The program fisher is a player of the fishery, as a plugin: it takes its part of what grows again. A scenario names it:
//
//	[[agents]]
//	name = "a"
//	kind = "plugin"
//	command = ["./fisher"]
package main

import (
	"context"
	"encoding/json"

	"github.com/vitrine-sim/vitrine/agents/plugin"
	"github.com/vitrine-sim/vitrine/world"
)

func main() { plugin.Serve(nil, act) }

func act(_ context.Context, obs world.Observation) (world.Action, error) {
	var lake struct{ Tons, Agents int }
	if err := json.Unmarshal(obs.View, &lake); err != nil {
		return world.Action{}, err
	}
	return world.Action{Name: "fish", Args: world.JSON(map[string]int{"tons": lake.Tons / 2 / lake.Agents})}, nil
}
