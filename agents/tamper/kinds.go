package tamper

// The kinds of attempts.
const (
	File     = "file"
	Hidden   = "hidden"
	Shell    = "shell"
	Tool     = "tool"
	Author   = "author"
	Token    = "token"
	Garbage  = "garbage"
	Acts     = "acts"
	Output   = "output"
	Host     = "host"
	Private  = "private"
	Requests = "requests"
)

// A Meaning is what a kind of attempts is in words for people, and what they can do about it who run the agents.
type Meaning struct {
	Tried  string // what the agent has done
	Remedy string
}

// Means says what a kind of attempts means.
func Means(what string) Meaning {
	return map[string]Meaning{
		File:     {"a tool for files was denied a path outside of the agent's folder", `if it should read that, name it in read = ["PATH"]; nothing lets it write there`},
		Hidden:   {"it named a file of the run or of another agent, which it does not see", "look in its transcript why; its prompt can say that all it needs is in its own folder"},
		Shell:    {"the system denied something to a command of its shell", `read = ["PATH"] and hosts = ["NAME:PORT"] give it more; without "Bash" in tools it has no shell`},
		Tool:     {"it called a tool that it does not have", "tools names those that it has; its prompt can say so"},
		Author:   {"it acted in the name of another agent, and the act counts as its own", "nothing: nobody can act for others"},
		Token:    {"a request with a token that is no agent's came to the socket of its model", "look in what it started for a model of its own"},
		Garbage:  {"it said what is nothing in the protocol that it speaks", "mend the program; the words are what it said first"},
		Acts:     {"it acted more often than anybody can read", "nothing: only answers to what it was shown count"},
		Output:   {"it said more than is read, and waits for itself", "nothing, if its acts come in time; else let it print less"},
		Host:     {"it asked for a host that it may not reach", `if it should, name it in hosts = ["NAME:PORT"]`},
		Private:  {"a host that it may reach has an address that is not public, so it was not reached", `if that is meant, name the address itself in hosts = ["ADDRESS:PORT"]`},
		Requests: {"it bothered its gateway more than it needs a model, and waits for itself", "look in what it started for a loop"},
	}[what]
}
