// The command vitrine runs many Claude Code processes that share one world, and shows what came of it.
//
// Every subcommand takes --json: then standard output is one JSON document, and what is for people goes to standard error. A
// failure is a document {"errors": [{"message", "hint", "file", "line", "column"}]}.
//
// Exit codes: 0 all is well, the episode ended; 1 it failed; 2 usage or a bad file; 3 the clock of the whole episode ended
// it, or a budget did; 130 interrupted.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/vitrine-sim/vitrine/agents/confine"
	"github.com/vitrine-sim/vitrine/arena"
	"github.com/vitrine-sim/vitrine/scenarios"
)

// version of this program.
const version = "0.1.0"

const (
	exitFailed      = 1
	exitUsage       = 2
	exitBudget      = 3
	exitInterrupted = 130
)

const usage = `usage: vitrine COMMAND [FLAGS] ARGUMENTS

  run SCENARIO        play a scenario
  resume RUN          play a run on that was interrupted, or whose supervisor was killed
  replay RUN          play a run again from its recording: no network, no key, no cost, and the same log
  branch RUN          play the first turns of a run again, and then on from there with another model, policy, seed or setting
  check SCENARIO...   say what is wrong with scenario files; with --rules also where their rules do not keep what rules must
  new NAME            write a commented scenario to begin with, NAME.toml, which runs as it is
  explain SCENARIO    say what a run will be like: who acts when, what agents get to read, what it costs at worst
  schema              print the JSON Schema of scenario files, for editors
  prices              print what models cost, as a file to change
  show RUN            tell a run turn by turn
  view RUN            show a run in the browser, while it is played or afterwards
  export RUN          write a run as a page to share, a picture or a film: --html, --png, --gif, --mp4
  ask RUN AGENT TEXT  ask an agent about what it did, in a copy of its conversation
  compare RUN RUN     say where two runs part, and how they differ from there on, turn by turn
  metrics RUN         compute the metrics of a run from its log, with their formulas and sources; --follow: as it goes on
  verify RUN          prove that a run's log is whole and follows from its actions by the rules
  seal RUN            make the log of a run that is over small; everything reads it as before
  doctor              say what this machine has, and what follows from it
  version             print the version

While a run is being played, from any other terminal:

  play RUN SEAT       play a seat whose agent is "human" by hand; with --json as JSON lines
  pause RUN           nobody acts any more after the step that is being played
  step RUN            play one step of a paused run, or one turn with --turn
  continue RUN        play a paused run on
  stop RUN            end the episode now
  tell RUN AGENT TEXT       tell an agent something
  revise RUN FILE           let the rules of a file hold from now on, in the place of those in the scenario's
  world get RUN [PREFIX]    print the facts of the world, or those that begin so
  world set RUN PATH VALUE  give a fact a value, as JSON; the rules may refuse
  world delete RUN PATH     make a fact go; the rules may refuse
  world log RUN             print the log, event by event; --follow goes on with what happens
  world export RUN DIR      keep the facts as files in DIR; each that is saved is set, or refused beside it

"vitrine COMMAND --help" lists the flags of a command. Every command takes --json.
`

// A command is one subcommand. It returns what --json prints; without --json it has printed to app.out itself.
type command struct {
	name      string // of one word or two
	arguments string // as the usage line shows them
	least     int    // number of arguments
	most      int    // -1: any number
	flags     func(*flag.FlagSet) func(context.Context, *app, []string) (any, error)
}

// An app is what a command has of the outside world.
type app struct {
	out    io.Writer // for people, and for scripts without --json
	stdout io.Writer // for JSON lines, while a command works
	err    *os.File
	json   bool
	trusts bool // rules of a run that are a program are started
	log    *slog.Logger

	revision string // the file of rules that shall take the place of those of a run; empty: it is called as the run's scenario calls its own
}

func commands() []command {
	return []command{
		{"run", "SCENARIO", 1, 1, runFlags},
		{"resume", "RUN", 1, 1, trusting(resumeFlags)},
		{"replay", "RUN", 1, 1, trusting(replayFlags)},
		{"branch", "RUN", 1, 1, trusting(branchFlags)},
		{"check", "SCENARIO...", 1, -1, checkFlags},
		{"new", "NAME", 1, 1, noFlags(newScenario)},
		{"explain", "SCENARIO", 1, 1, explainFlags},
		{"schema", "", 0, 0, noFlags(schema)},
		{"prices", "", 0, 0, noFlags(printPrices)},
		{"show", "RUN", 1, 1, showFlags},
		{"view", "RUN", 1, 1, trusting(viewFlags)},
		{"export", "RUN", 1, 1, trusting(exportFlags)},
		{"ask", "RUN AGENT QUESTION...", 3, -1, trusting(askFlags)},
		{"compare", "RUN RUN", 2, 2, trusting(noFlags(compare))},
		{"metrics", "RUN", 1, 1, trusting(metricsFlags)},
		{"verify", "RUN", 1, 1, trusting(noFlags(verify))},
		{"seal", "RUN", 1, 1, noFlags(seal)},
		{"play", "RUN SEAT", 2, 2, playFlags},
		{"pause", "RUN", 1, 1, haltFlags(arena.DoPause)},
		{"step", "RUN", 1, 1, haltFlags(arena.DoStep)},
		{"continue", "RUN", 1, 1, operate(do(arena.DoContinue), "it goes on")},
		{"stop", "RUN", 1, 1, haltFlags(arena.DoStop)},
		{"tell", "RUN AGENT TEXT...", 3, -1, tellFlags},
		{"revise", "RUN FILE", 2, 2, trusting(noFlags(revise))},
		{"world get", "RUN [PREFIX]", 1, 2, noFlags(worldGet)},
		{"world set", "RUN PATH VALUE", 3, 3, trusting(worldSetFlags)},
		{"world delete", "RUN PATH", 2, 2, trusting(noFlags(worldDelete))},
		{"world log", "RUN", 1, 1, worldLogFlags},
		{"world export", "RUN DIR", 2, 2, trusting(noFlags(worldExport))},
		{"doctor", "", 0, 0, noFlags(doctor)},
		{"version", "", 0, 0, noFlags(printVersion)},
	}
}

func noFlags(f func(context.Context, *app, []string) (any, error)) func(*flag.FlagSet) func(context.Context, *app, []string) (any, error) {
	return func(*flag.FlagSet) func(context.Context, *app, []string) (any, error) { return f }
}

// trusting adds the flag --trust to a command that needs the rules of a run.
func trusting(command func(*flag.FlagSet) func(context.Context, *app, []string) (any, error)) func(*flag.FlagSet) func(context.Context, *app, []string) (any, error) {
	return func(flags *flag.FlagSet) func(context.Context, *app, []string) (any, error) {
		trusts := flags.Bool("trust", false, "start the program that has the rules of the run, if it is one; its manifest names it, so only of a run that is yours, or of somebody you trust")
		do := command(flags)
		return func(ctx context.Context, a *app, args []string) (any, error) {
			a.trusts = *trusts
			return do(ctx, a, args)
		}
	}
}

func main() {
	confine.Main()
	ends := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // under nohup it stays ignored
		ends = append(ends, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), ends...)
	go releaseAfter(ctx, stop)
	os.Exit(vitrine(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// sameEnd is how long signals are taken for one: timeout(1) sends one to the program and then to all of its group.
const sameEnd = 500 * time.Millisecond

// releaseAfter lets a second signal end the program at once, when ctx has ended with the first.
func releaseAfter(ctx context.Context, release func()) {
	<-ctx.Done()
	time.Sleep(sameEnd)
	release()
}

// vitrine runs the command line and returns the exit code.
func vitrine(ctx context.Context, args []string, stdout io.Writer, stderr *os.File) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return exitUsage
	}
	if isHelp(args[0]) || args[0] == "world" && len(args) > 1 && isHelp(args[1]) {
		fmt.Fprint(stdout, usage)
		return 0
	}
	if args[0] == "-version" || args[0] == "--version" {
		args[0] = "version"
	}
	known := commands()
	for _, c := range known {
		if words := strings.Fields(c.name); len(args) >= len(words) && slices.Equal(words, args[:len(words)]) {
			return c.run(ctx, args[len(words):], stdout, stderr)
		}
	}
	name, names, below := args[0], make([]string, len(known)), []string(nil)
	for i, c := range known {
		names[i] = c.name
		if strings.HasPrefix(c.name, args[0]+" ") {
			name, below = strings.Join(args[:min(2, len(args))], " "), append(below, c.name)
		}
	}
	if name == args[0] && len(below) > 0 {
		names = below
	}
	a := &app{err: stderr, json: slices.Contains(args, "--json") || slices.Contains(args, "-json")}
	return a.fail(stdout, misuse(scenarios.Suggest(name, names), "unknown command %q", name))
}

func isHelp(arg string) bool { return slices.Contains([]string{"help", "-h", "-help", "--help"}, arg) }

func (c command) run(ctx context.Context, args []string, stdout io.Writer, stderr *os.File) int {
	said := &output{Writer: stdout}
	stdout = said
	a := &app{out: screen{stdout}, stdout: stdout, err: stderr}
	a.log = slog.New(notices{app: a})
	flags := flag.NewFlagSet(c.name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.BoolVar(&a.json, "json", false, "print one JSON document on standard output")
	do := c.flags(flags)
	arguments, err := interspersed(flags, args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(stdout, "usage: vitrine %s [FLAGS] %s\n%s\n", c.name, c.arguments, c.does())
		flags.SetOutput(stdout)
		flags.PrintDefaults()
		return 0
	}
	if err == nil && (len(arguments) < c.least || c.most >= 0 && len(arguments) > c.most) {
		err = fmt.Errorf("%d arguments", len(arguments))
	}
	if err != nil {
		a.json = a.json || slices.Contains(args, "--json") // it may stand after the flag that is wrong
		hint := fmt.Sprintf("usage: vitrine %s [FLAGS] %s", c.name, c.arguments)
		return a.fail(stdout, &failure{code: exitUsage, err: fmt.Errorf("%s: %w", c.name, err), hint: hint})
	}
	if a.json {
		a.out = io.Discard
	}
	document, err := do(ctx, a, arguments)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = &failure{code: exitInterrupted, err: errors.New("interrupted")}
	}
	if err != nil && document == nil {
		return a.fail(stdout, err)
	}
	if a.json && document != nil {
		a.print(stdout, document)
	}
	if err == nil {
		err = said.failure()
	}
	if err != nil {
		a.complain(err)
		return exitCode(err)
	}
	return 0
}

// does says what the command does, as the usage does.
func (c command) does() string {
	for line := range strings.Lines(usage) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), c.name+" "); ok {
			_, does, _ := strings.Cut(rest, "  ")
			return strings.TrimSpace(does)
		}
	}
	return ""
}

// interspersed parses flags before, between and after the arguments, which it returns.
func interspersed(flags *flag.FlagSet, args []string) ([]string, error) {
	var arguments []string
	for {
		if len(args) > 0 && len(arguments) > 0 && isNumber(args[0]) { // less than nothing, and no flag
			arguments, args = append(arguments, args[0]), args[1:]
			continue
		}
		if err := flags.Parse(args); err != nil {
			return nil, err
		}
		rest := flags.Args()
		if len(rest) == 0 {
			return arguments, nil
		}
		if taken := len(args) - len(rest); taken > 0 && args[taken-1] == "--" {
			return append(arguments, rest...), nil
		}
		arguments, args = append(arguments, rest[0]), rest[1:]
	}
}

func isNumber(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil
}

// fail tells an error to people and, with --json, to scripts, and returns the exit code.
func (a *app) fail(stdout io.Writer, err error) int {
	if a.json {
		a.print(stdout, map[string]any{"errors": reports(err)})
	}
	a.complain(err)
	return exitCode(err)
}

func (a *app) complain(err error) {
	for _, r := range reports(err) {
		a.tell("%s", r)
		if r.Hint != "" {
			a.tell("hint: %s", r.Hint)
		}
	}
}

// tell says something to people.
func (a *app) tell(format string, args ...any) {
	fmt.Fprintf(a.err, "vitrine: %s\n", printable(fmt.Sprintf(format, args...)))
}

func (a *app) print(stdout io.Writer, document any) {
	enc := json.NewEncoder(stdout)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	_ = enc.Encode(document) // the output knows why it failed
}

func printVersion(_ context.Context, a *app, _ []string) (any, error) {
	v := versions()
	fmt.Fprintf(a.out, "vitrine %s (%s), tested with Claude Code %s\n", v.Vitrine, v.Go, strings.Join(v.Claude, ", "))
	return v, nil
}
