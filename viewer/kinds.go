package viewer

import "slices"

// Kinds of events that agents bring about, besides those that package world names. Whoever plays the game writes them.
const (
	KindAction  = "action"  // an agent asked for something; data: {"name": action, "args": {...}}
	KindMessage = "message" // an agent said something; data: {"text": text, "to": [names], or none for everybody}
	KindError   = "error"   // an agent could not act; process facts: {"reason", "detail"}
	KindCrash   = "crash"   // an agent's process is gone, or did not start; likewise
)

var failures = [...]string{"timeout", "invalid", KindError, KindCrash, "backoff", "budget"}

// Failures returns the kinds of events by which an agent has not acted when it was its turn.
func Failures() []string { return slices.Clone(failures[:]) }

// Failed says whether a kind is one of [Failures].
func Failed(kind string) bool { return slices.Contains(failures[:], kind) }
