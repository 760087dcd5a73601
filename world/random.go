package world

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
)

// RandomAction is the [Policy] "random": one of the actions that are legal now, all as likely, with arguments drawn uniformly
// from its schema; a pass if there are none. Of a schema it understands objects with properties, integers and numbers with
// minimum and maximum, booleans, strings with minLength and maxLength, arrays with items, minItems and maxItems, and enum.
// All properties get a value. Strings are short words. Bounds that are missing are 0 and 100 for numbers, 1 and 8 for the
// letters of a string, 0 and 3 for the items of an array.
func RandomAction(obs Observation, random *rand.Rand) Action {
	if len(obs.Actions) == 0 {
		return Action{Agent: obs.Agent, Name: Pass}
	}
	spec := obs.Actions[random.IntN(len(obs.Actions))]
	act := Action{Agent: obs.Agent, Name: spec.Name}
	if args, err := ReadSchema(spec.Schema); err == nil && len(spec.Schema) > 0 {
		act.Args = JSON(args.draw(random))
	}
	return act
}

// draw returns one of the values that the schema allows.
func (s Schema) draw(random *rand.Rand) any {
	if len(s.Enum) > 0 {
		return s.Enum[random.IntN(len(s.Enum))]
	}
	switch s.Type {
	case "object":
		object := make(map[string]any, len(s.Properties))
		for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
			object[name] = s.Properties[name].draw(random)
		}
		return object
	case "array":
		array := []any{}
		for n := drawInt(random, s.MinItems, s.MaxItems, 0, 3); n > 0 && s.Items != nil; n-- {
			array = append(array, s.Items.draw(random))
		}
		return array
	case "integer":
		return drawInt(random, s.Minimum, s.Maximum, 0, 100)
	case "number":
		low, high := bounds(s.Minimum, s.Maximum, 0, 100)
		t := random.Float64()
		return min(low*(1-t)+high*t, high)
	case "boolean":
		return random.IntN(2) == 1
	case "string":
		low, high := bounds(s.MinLength, s.MaxLength, 1, 8)
		high = min(high, low+7)
		word := make([]byte, drawInt(random, &low, &high, 1, 8))
		for i := range word {
			word[i] = 'a' + byte(random.IntN('z'-'a'+1))
		}
		return string(word)
	}
	return nil
}

// drawInt returns a whole number between the bounds.
func drawInt(random *rand.Rand, low, high *float64, defaultLow, defaultHigh float64) int64 {
	const most = 1 << 53 // beyond it a float64 skips whole numbers
	l, h := bounds(low, high, defaultLow, defaultHigh)
	first := int64(max(-most, min(math.Ceil(l), most)))
	last := int64(max(-most, min(math.Floor(h), most)))
	return first + random.Int64N(max(0, last-first)+1)
}

// bounds returns the bounds that a schema gives. One that is missing has its default distance from the other.
func bounds(low, high *float64, defaultLow, defaultHigh float64) (float64, float64) {
	switch {
	case low != nil && high != nil:
		return *low, max(*low, *high)
	case low != nil:
		return *low, *low + defaultHigh - defaultLow
	case high != nil:
		return min(defaultLow, *high), *high
	}
	return defaultLow, defaultHigh
}
