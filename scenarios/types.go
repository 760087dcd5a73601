package scenarios

import (
	"cmp"
	"strings"
	"time"
)

// A Scenario is one scenario file, with its overrides applied and its defaults filled in. The package comment explains the tags of its keys.
type Scenario struct {
	Name        string `toml:"name" pattern:"^[a-z0-9][a-z0-9-]{0,63}$" hint:"small letters, digits and -; the file's own name stands in for a missing one" doc:"What results call it; by default the name of the file."`
	Description string `toml:"description" doc:"What it is, for people."`
	Seed        uint64 `toml:"seed" default:"0" doc:"Of all chance in the world; another seed is another episode."`
	Schedule    string `toml:"schedule" enum:"parallel,sequential,shuffled,free" default:"parallel" doc:"All agents at once; one after the other in the order of their tables; in an order drawn for each turn; or each whenever it is ready."`
	Rotate      bool   `toml:"rotate" default:"false" doc:"Each turn of a sequential schedule begins one seat later than the one before."`

	// What follows is for all agents. Prompt is as written; Agent.Prompt is what an agent is told.
	Model      string   `toml:"model" doc:"Model of all agents; by default up to who runs the scenario."`
	Thinking   int      `toml:"thinking" or:"0" min:"1024" max:"1000000" default:"0" doc:"Tokens that each agent may think before it answers; 0: it does not think."`
	MaxTokens  int      `toml:"max_tokens" min:"1" max:"1000000" doc:"Tokens of one answer of a model at most, thoughts among them; by default up to Claude Code, which takes 32000."`
	Tools      []string `toml:"tools" enum:"Read,Write,Edit,Glob,Grep,Bash" doc:"Built-in tools of Claude Code that all agents may use, in their own work folders only."`
	Prompt     string   `toml:"prompt" doc:"What all agents are told at the start. {name}, {role}, {agents} (their number) and {rules.KEY} are filled in."`
	PromptFile string   `toml:"prompt_file" doc:"A file beside the scenario that holds the prompt, in its place."`
	Workdir    string   `toml:"workdir" doc:"A folder beside the scenario whose files are in the work folder of each agent when it starts."`
	Env        Env      `toml:"env" reserved:"true" doc:"Variables of the environment of all agents' processes."`
	Hosts      []string `toml:"hosts" max:"1000" pattern:"^([*][.])?[A-Za-z0-9_.-]+(:[0-9]{1,5})?$|^\\[[0-9A-Fa-f:.]+\\](:[0-9]{1,5})?$" hint:"such as \"registry.example.org\", \"*.example.org:8443\", \"10.0.0.5:80\" or \"[2001:db8::1]:443\"" doc:"What all agents' processes may reach of the network, by HTTP and through tunnels: names, addresses, or *. and a name for all below it; without a port 80 and 443. A name leads to public addresses only, unless the list has the other one as well. By default nothing."`

	Facts []string `toml:"facts" max:"1000" pattern:"^[^\\[\\]\\\\]+$" hint:"paths such as \"lake/tons\" or \"commons/**\"" doc:"Which facts all agents' processes can read as files, in the folder world beside their work folder: paths, with * for any text between slashes and ** for any parts; {name} is the agent's name. By default none; never those that the rules hide from the agent."`

	Rules    Rules     `toml:"rules" open:"true" short:"name" doc:"The law of the world. All keys but the name and the plugin are parameters of those rules. A string is its name."`
	Upstream Upstream  `toml:"upstream" doc:"Where the model is, if it is not the Messages API itself."`
	Prices   string    `toml:"prices" doc:"A file beside the scenario that says what models cost, in the form that vitrine prices prints; by default that one."`
	Budget   RunBudget `toml:"budget" doc:"What the models of all agents together may use at most."`
	Limits   Limits    `toml:"limits" doc:"Hard bounds, and what happens to an agent that does not keep to them."`
	Restart  Restart   `toml:"restart" optional:"true" doc:"Starts agents again whose processes have crashed; without this table they are out."`
	Messages Messages  `toml:"messages" optional:"true" doc:"Lets agents talk to each other by the action \"say\"; without this table they cannot."`
	Phases   []Phase   `toml:"phases" max:"100" doc:"Parts of each turn, in their order; without any a turn is one."`
	Look     Look      `toml:"look" optional:"true" doc:"What the world looks like in the viewer; without this table the viewer makes it out by itself."`
	Offline  Offline   `toml:"offline" doc:"How the offline model plays in place of a real one."`
	Agents   []Agent   `toml:"agents" required:"true" min:"1" max:"1000" hint:"write a table [[agents]] with a name for each agent" doc:"The players, in seat order."`

	File   string   // name of the file, as given to Parse
	Source []byte   // the file as it was read
	Set    []string // the overrides
	Files  Files    // what the scenario names beside it; Parse(File, Source, Set, Files) gives this scenario again

	Params map[string]any // of the rules, by name, as [Scenario.DecodeRules] has last read them

	doc *document
}

// Rules names the rules of a scenario. [Scenario.DecodeRules] gives their parameters.
type Rules struct {
	Name   string   `toml:"name" required:"true" hint:"write [rules] with a name, such as name = \"fishery\"" doc:"Which rules; or a file beside the scenario that holds them, such as village.star; of a plugin, what results call it."`
	Plugin []string `toml:"plugin" min:"1" doc:"A program that has the rules, and its arguments, instead of rules of that name. Words that begin with ./ or ../ are paths from the scenario's folder."`
}

// InFile says whether the rules are those of a file beside the scenario, which is in [Scenario.Files] by their name.
func (r Rules) InFile() bool { return strings.HasSuffix(r.Name, ".star") && !r.InPlugin() }

// InPlugin says whether the rules are a program of its own.
func (r Rules) InPlugin() bool { return len(r.Plugin) > 0 }

// Limits bound an episode, and say what happens to an agent that does not keep to them.
type Limits struct {
	Turns     int           `toml:"turns" min:"1" default:"1000" doc:"The episode ends after so many turns, whatever the rules say."`
	Time      time.Duration `toml:"time" min:"1ms" default:"1h" doc:"Clock of the whole episode."`
	Act       time.Duration `toml:"act" min:"1ms" default:"2m" doc:"Clock of one act of one agent."`
	Overtime  time.Duration `toml:"overtime" min:"0s" default:"0s" doc:"Of each agent in the whole episode, for acts that take longer."`
	OnTimeout string        `toml:"on_timeout" enum:"pass,default,out" default:"pass" doc:"When it is late: it passes this once, the default action is done in its place, or its part is over."`
	OnInvalid string        `toml:"on_invalid" enum:"pass,default,out" default:"pass" doc:"When it did nothing, or nothing legal."`
	OnError   string        `toml:"on_error" enum:"pass,default,out" default:"pass" doc:"When it could not act this once. If its process has crashed it is out, unless there is a table [restart]."`
	Hung      int           `toml:"hung" min:"0" max:"1000" default:"3" doc:"A process for which an agent is late so many times in a row, and which says nothing and asks its model for nothing meanwhile, is ended, as if it had crashed; 0: never."`
	OnBudget  string        `toml:"on_budget" enum:"out,pass,default,end" default:"out" doc:"When it cannot act because a budget is spent: its part is over, it passes this once, the default action is done in its place, or the episode ends."`
	MinLevel  string        `toml:"min_level" enum:"A+,A,B,C,D,E,F" hint:"A+ is the best; vitrine doctor says the level of this machine" doc:"Where agents that are processes are kept apart less well, the run is refused; vitrine doctor says the level of a machine."`
	Default   Default       `toml:"default" doc:"The action that \"default\" means. If the rules offer it at first it is legal then, with these arguments, for somebody at least."`
	Agent     Resources     `toml:"agent" doc:"What the processes of each agent may use of the machine. An agent that uses more is ended, and the log says why."`
}

// Resources bound what the processes of an agent use of the machine, those together that it has started.
type Resources struct {
	Memory    Size          `toml:"memory" min:"16MiB" default:"4GiB" doc:"Memory of all of them together, but for what they have read of files."`
	CPU       time.Duration `toml:"cpu" min:"1s" or:"0s" default:"0s" doc:"Processor time of all of them together, from its start to its end; 0s: any."`
	Processes int           `toml:"processes" min:"16" max:"100000" default:"512" doc:"So many of them at a time; threads count."`
	FileSize  Size          `toml:"file_size" min:"64KiB" default:"1GiB" doc:"Of one file."`
	OpenFiles int           `toml:"open_files" min:"16" max:"1000000" default:"4096" doc:"Of one of them at a time."`
	Disk      Size          `toml:"disk" min:"1MiB" default:"4GiB" doc:"What the files in its own folder take."`
}

// OwnResources are [Resources] of one agent. What is 0 is as for all.
type OwnResources struct {
	Memory    Size          `toml:"memory" min:"16MiB" doc:"Memory of all its processes together, but for what they have read of files."`
	CPU       time.Duration `toml:"cpu" min:"1s" doc:"Processor time of all of them together, from its start to its end."`
	Processes int           `toml:"processes" min:"16" max:"100000" doc:"So many of them at a time; threads count."`
	FileSize  Size          `toml:"file_size" min:"64KiB" doc:"Of one file."`
	OpenFiles int           `toml:"open_files" min:"16" max:"1000000" doc:"Of one of them at a time."`
	Disk      Size          `toml:"disk" min:"1MiB" doc:"What the files in its own folder take."`
}

// or returns the limits of an agent among others that all have.
func (own OwnResources) or(all Resources) OwnResources {
	return OwnResources{
		cmp.Or(own.Memory, all.Memory), cmp.Or(own.CPU, all.CPU), cmp.Or(own.Processes, all.Processes),
		cmp.Or(own.FileSize, all.FileSize), cmp.Or(own.OpenFiles, all.OpenFiles), cmp.Or(own.Disk, all.Disk),
	}
}

// A Restart says how often and when an agent is started again whose process has crashed. Where the file has no such table all is 0 and it never is.
type Restart struct {
	Max        int `toml:"max_restarts" min:"1" max:"1000000" default:"3" doc:"Within any window; an agent that crashes once more is in quarantine: its part is over."`
	Window     int `toml:"window" min:"1" max:"1000000" default:"10" doc:"Turns."`
	Backoff    int `toml:"backoff" min:"0" max:"1000000" default:"1" doc:"Turns from a crash to the restart, twice as many for each other crash in the window. Until then what on_error says happens; with 0 it is asked again in the same turn."`
	MaxBackoff int `toml:"max_backoff" min:"0" max:"1000000" default:"8" doc:"Turns that this is at most."`
}

// An Upstream is a model endpoint.
type Upstream struct {
	BaseURL string   `toml:"base_url" pattern:"^https?://" hint:"a URL that begins with http:// or https://" doc:"Of anything that speaks the Messages API. A key goes there only if it is on this machine, or if whoever runs the scenario names it too."`
	CA      string   `toml:"ca" doc:"A file beside the scenario with the certificates, as PEM, by which it may be certified besides those of the machine."`
	Headers []string `toml:"headers" max:"100" pattern:"^[A-Za-z0-9-]+: *[!-~]" doc:"Of each request, like \"X-Team: fishers\". Nothing that is secret: a run keeps its scenario."`
}

// A Budget is what models may use at most. What is 0 has no limit.
type Budget struct {
	Requests int     `toml:"requests" min:"1" doc:"Requests to the model."`
	Tokens   int     `toml:"tokens" min:"1" doc:"Tokens of requests and answers, those from and to the cache among them."`
	Dollars  float64 `toml:"dollars" min:"0.000001" doc:"US dollars, by the table of prices."`
}

// A RunBudget is the budget of all agents together, and that of each of them.
type RunBudget struct {
	Requests int     `toml:"requests" min:"1" doc:"Requests to models."`
	Tokens   int     `toml:"tokens" min:"1" doc:"Tokens of requests and answers, those from and to the cache among them."`
	Dollars  float64 `toml:"dollars" min:"0.000001" doc:"US dollars, by the table of prices."`
	Agent    Budget  `toml:"agent" doc:"What the model of each agent may use at most."`
}

// A Default is the action that is played where a consequence says so.
type Default struct {
	Action string         `toml:"action" doc:"Its name."`
	Args   map[string]any `toml:"args" doc:"Its arguments."`
}

// Messages lets agents talk to each other by the action "say". Where the file has no such table all is 0 and they cannot.
type Messages struct {
	Turn   int `toml:"turn" min:"1" max:"1000" default:"3" doc:"Messages of one agent in one turn, at most."`
	Length int `toml:"length" min:"1" max:"10000" default:"500" doc:"Characters of one message, at most."`
}

// Offline says how the offline model plays, where that plays in place of a real one. By default it answers at once, in one line, and does
// what its policy says.
type Offline struct {
	Latency time.Duration `toml:"latency" min:"0s" default:"0s" doc:"How long it takes before an answer begins."`
	Rate    int           `toml:"rate" min:"0" max:"1000000" default:"0" doc:"Tokens in a second, as an answer comes; 0: all at once."`
	Script  []Line        `toml:"script" max:"10000" doc:"What it says and does besides. The first entry that is for an agent in a turn counts."`
}

// A Line is what the offline model says and does in some turns of some agents. In texts, and those of args of tools, {agent} and {turn} are
// filled in, and in what it thinks and says {action}.
type Line struct {
	Agents []string       `toml:"agents" doc:"For whom it is, by the names of agents or groups; empty: everybody."`
	Turns  []int          `toml:"turns" doc:"In which turns, counted from 0; empty: all."`
	Think  string         `toml:"think" doc:"What it thinks, where thinking is not 0."`
	Say    string         `toml:"say" doc:"What it says when it acts."`
	Tools  []ToolUse      `toml:"tools" max:"100" doc:"Tools that it uses before it acts, one after another."`
	Action string         `toml:"action" doc:"What it does, in the place of what its policy says."`
	Args   map[string]any `toml:"args" doc:"The arguments of that."`
}

// A ToolUse is the use of a tool other than act.
type ToolUse struct {
	Name string         `toml:"name" required:"true" pattern:"." hint:"a tool that the agent has, such as \"Read\" or \"mcp__notes__add\"" doc:"Its name, as the model knows it."`
	Args map[string]any `toml:"args" doc:"Its arguments."`
}

// A Phase is a named part of a turn. What it does not say itself is filled in from its scenario.
type Phase struct {
	Name     string        `toml:"name" required:"true" pattern:"^[a-z][a-z0-9_-]{0,31}$" hint:"a small letter, then small letters, digits, _ and -; at most 32" doc:"What the rules know it by."`
	Schedule string        `toml:"schedule" enum:"parallel,sequential,shuffled" doc:"By default the scenario's."`
	Actions  []string      `toml:"actions" doc:"Names of the actions that are legal in it; empty: all that the rules allow."`
	Act      time.Duration `toml:"act" min:"1ms" doc:"Clock of one act; by default that of [limits]."`
	Agents   []string      `toml:"agents" doc:"Who takes part, by the names of agents or groups; empty: everybody."`
}

// An Agent is one player. What it does not say itself is filled in from its scenario. A group of them is as many agents.
type Agent struct {
	Name       string   `toml:"name" required:"true" pattern:"^[a-z][a-z0-9_-]{0,31}$" hint:"a small letter, then small letters, digits, _ and -; at most 32" doc:"What the world knows it by; with a count, the beginning of the names of its members."`
	Count      int      `toml:"count" min:"1" max:"1000" doc:"Makes a group of so many agents that differ in nothing but their names: NAME1, NAME2 and so on."`
	Kind       string   `toml:"kind" enum:"claude,scripted,exec,plugin,human" default:"claude" doc:"A Claude Code process; one that plays its policy without any process; a program of one's own that speaks JSON lines, or gRPC; whoever takes the seat with vitrine play."`
	Command    []string `toml:"command" doc:"Of kinds exec and plugin: the program and its arguments. Words that begin with ./ or ../ are paths from the scenario's folder."`
	Gateway    bool     `toml:"gateway" doc:"Of kinds exec and plugin: the program gets the model, through a socket of its own."`
	Policy     string   `toml:"policy" doc:"What a scripted agent plays, or the offline model in place of a real one; by default \"random\"."`
	Role       string   `toml:"role" doc:"Fills in {role} in its prompt."`
	Model      string   `toml:"model" doc:"By default the scenario's."`
	Thinking   int      `toml:"thinking" or:"0" min:"1024" max:"1000000" doc:"By default the scenario's."`
	MaxTokens  int      `toml:"max_tokens" min:"1" max:"1000000" doc:"By default the scenario's."`
	Budget     Budget   `toml:"budget" doc:"Its own; what it does not limit, [budget.agent] does."`
	Tools      []string `toml:"tools" enum:"Read,Write,Edit,Glob,Grep,Bash" doc:"In place of the scenario's."`
	Prompt     string   `toml:"prompt" doc:"What it is told besides the scenario's prompt, after a blank line."`
	PromptFile string   `toml:"prompt_file" doc:"A file beside the scenario that holds the prompt, in its place."`
	Workdir    string   `toml:"workdir" doc:"In place of the scenario's."`
	Env        Env      `toml:"env" reserved:"true" doc:"Added to the scenario's; its own value of a variable counts."`
	Read       []string `toml:"read" pattern:"^[.]{0,2}/." hint:"a path that begins with /, ./ or ../" doc:"Files and folders that its process may read, besides its own and the system's, and what lies beside the program that it is. Paths that begin with ./ or ../ begin in the scenario's folder."`
	Hosts      []string `toml:"hosts" max:"1000" pattern:"^([*][.])?[A-Za-z0-9_.-]+(:[0-9]{1,5})?$|^\\[[0-9A-Fa-f:.]+\\](:[0-9]{1,5})?$" hint:"such as \"registry.example.org\", \"*.example.org:8443\", \"10.0.0.5:80\" or \"[2001:db8::1]:443\"" doc:"In place of the scenario's; [] is nothing."`
	Facts      []string `toml:"facts" max:"1000" pattern:"^[^\\[\\]\\\\]+$" hint:"paths such as \"lake/tons\" or \"commons/**\"" doc:"In place of the scenario's; [] is none."`
	MCP        []MCP    `toml:"mcp" max:"20" doc:"MCP servers whose tools Claude Code gets besides the world's, each a process of its own beside the agent's."`

	Limits OwnResources `toml:"limits" doc:"What its processes may use of the machine, in place of [limits.agent]."`

	Act      time.Duration `toml:"act" min:"1ms" doc:"Clock of one act of its own, in any phase; by default that of the phase, or of [limits]."` // 0: the default
	Overtime time.Duration `toml:"overtime" min:"0s" doc:"For those of its acts that take longer; by default that of [limits]."`

	Work map[string][]byte // files of Workdir by their paths in it, with slashes
}

// IsProgram says whether it is a program of one's own.
func (a Agent) IsProgram() bool { return a.Kind == Exec || a.Kind == Plugin }

// IsProcess says whether it is a process, which is kept apart from others.
func (a Agent) IsProcess() bool { return a.Kind == Claude || a.IsProgram() }

// An Env is variables of the environment of a process.
type Env map[string]string

// An MCP is an MCP server on standard input and output that Claude Code starts for an agent. Its tools are mcp__NAME__TOOL.
type MCP struct {
	Name    string   `toml:"name" required:"true" pattern:"^[a-z][a-z0-9-]{0,31}$" hint:"a small letter, then small letters, digits and -; at most 32" doc:"The model knows its tools as mcp__NAME__TOOL."`
	Command string   `toml:"command" required:"true" pattern:"." hint:"the program to start, such as \"python3\"" doc:"The program, found on /usr/local/bin:/usr/bin:/bin, or by its path; it runs in the agent's work folder."`
	Args    []string `toml:"args" doc:"Its arguments."`
	Env     Env      `toml:"env" doc:"Variables of its environment."`
}
