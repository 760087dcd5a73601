package scenarios

import "fmt"

// contradictions returns a mistake for each value that does not go together with the others.
func (s *Scenario) contradictions() (errs Errors) {
	if s.Rotate && s.Schedule != Sequential {
		msg := fmt.Sprintf("rotate is for a sequential schedule, and this one is %s", s.Schedule)
		errs = append(errs, s.Error("rotate", msg, `write schedule = "sequential"`))
	}
	return errs
}
