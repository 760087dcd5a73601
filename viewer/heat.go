package viewer

// A Heat is how often something was where: counts by the names of agents or places, or by cells, which are "x,y".
type Heat struct {
	Name   string
	Counts map[string]int
}
