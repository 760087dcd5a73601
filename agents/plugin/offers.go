package plugin

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/vitrine-sim/vitrine/world"
)

// actionName is what an action can be called.
var actionName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,63}$`)

// An observation is what an agent sees by a plugin's rules, with what it may do.
type observation struct {
	world.Observation
	plays   bool
	schemas []world.Schema // of the arguments of its actions
}

// readObservation reads what a plugin says that an agent sees, who does not play if it says nothing.
func readObservation(raw []byte) (observation, error) {
	var o observation
	if len(raw) == 0 {
		return o, nil
	}
	var said struct {
		View       json.RawMessage    `json:"view"`
		Actions    []world.ActionSpec `json:"actions"`
		Reward     float64            `json:"reward"`
		Terminated bool               `json:"terminated"`
	}
	err := read(raw, &said)
	if err == nil && len(said.View) == 0 {
		err = errors.New("it has no view")
	}
	if err == nil {
		o.View, err = world.Canonical(said.View)
	}
	if err != nil {
		return o, fmt.Errorf("what it answers is no observation: %w", err)
	}
	o.plays, o.Reward, o.Terminated = true, said.Reward, said.Terminated
	if said.Terminated && len(said.Actions) > 0 {
		return o, fmt.Errorf("who is terminated may still do %q", said.Actions[0].Name)
	}
	for _, spec := range said.Actions {
		if !actionName.MatchString(spec.Name) || spec.Name == world.Pass {
			return o, fmt.Errorf("an action is called %.80q, which must match %s and not be %q", spec.Name, actionName, world.Pass)
		}
		if o.offer(spec.Name) >= 0 {
			return o, fmt.Errorf("there are two actions %q", spec.Name)
		}
		var s world.Schema
		if len(spec.Schema) > 0 {
			if spec.Schema, err = world.Canonical(spec.Schema); err == nil {
				s, err = world.ReadSchema(spec.Schema)
			}
			if err == nil && s.Type != "object" {
				err = errors.New("it must be that of an object")
			}
			if err != nil {
				return o, fmt.Errorf("schema of the action %q: %w", spec.Name, err)
			}
		}
		o.Actions, o.schemas = append(o.Actions, spec), append(o.schemas, s)
	}
	return o, nil
}

// offer returns the index of the action of that name, or -1.
func (o *observation) offer(name string) int {
	return slices.IndexFunc(o.Actions, func(spec world.ActionSpec) bool { return spec.Name == name })
}

// refuses says why an action is none of those that are offered; empty if it is.
func (o *observation) refuses(a world.Action) string {
	if !o.plays {
		return fmt.Sprintf("no agent %.40q in this world", a.Agent)
	}
	i := o.offer(a.Name)
	switch {
	case len(o.Actions) == 0:
		return "there is nothing that you may do now"
	case i < 0:
		var names []string
		for _, spec := range o.Actions {
			names = append(names, spec.Name)
		}
		return fmt.Sprintf("there is no action %.40q now; there is %s", a.Name, strings.Join(names, ", "))
	}
	return o.schemas[i].Disallows(a.Args)
}
