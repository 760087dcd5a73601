package arena

// A Trouble is something that the model of an agent did not do as it should while the agent acted, and how often. It is a process fact of
// the act's event: the act may be none the worse for it.
type Trouble struct {
	What  string `json:"what"`
	Times int    `json:"times"`
}

// troubled takes down the troubles that there have been since the agent's last act.
func (p *player) troubled(a *act) {
	if p.seat.Troubles != nil {
		a.proc.Troubles = p.seat.Troubles()
	}
}
