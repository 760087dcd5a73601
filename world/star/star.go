// Package star makes rules of a world from a file in Starlark, the small language of github.com/google/starlark-go that reads like Python: a law
// that its author can change without a compiler.
//
// # A whole file
//
//	# A pot of coins. Whoever asks for no more than is left gets it; the pot grows by a coin a round.
//	params = {"coins": 10, "rounds": 5}
//	simultaneous = True  # a round is one step, for the pot grows in each
//
//	def reset(agents, random):
//	    facts = {"pot": params["coins"]}
//	    for name in agents:
//	        facts["purse/" + name] = 0
//	    return [event("pot", data = {"coins": params["coins"]}, set = facts)]
//
//	def observe(state, agent):
//	    purse = state.get("purse/" + agent)
//	    if purse == None:
//	        return None
//	    over = state.turn >= params["rounds"]
//	    take = action("take", "Take coins from the pot.", {"coins": integer(0, state["pot"])})
//	    return observation({"pot": state["pot"]}, [] if over else [take], reward = purse, terminated = over)
//
//	def step(state, actions):
//	    pot, events = state["pot"], []
//	    for a in state.random("order").shuffle(actions):
//	        coins = a.args["coins"]
//	        if coins > pot:  # others were first: alone this is never so, for observe offers no more than there are
//	            events.append(refuse(a, "there are only %d left" % pot))
//	            continue
//	        pot -= coins
//	        purse = "purse/" + a.agent
//	        events.append(event("take", agent = a.agent, data = {"coins": coins}, set = {purse: state[purse] + coins}))
//	    return events + [event("grow", set = {"pot": pot + 1})]
//
//	def modest(obs, random):
//	    return act("take", coins = min(1, obs.view["pot"])) if "take" in obs.actions else None
//
//	policies = {"modest": modest}
//	metrics = [metric("taken", "coins", "taken by all")]
//
//	def measure(events):
//	    taken = 0
//	    for ev in events:
//	        if ev.kind == "take":
//	            taken += ev.data["coins"]
//	    return {"taken": taken}
//
// # What a file defines
//
//	params            a dict of bools, ints, floats and strings; a scenario may give each of them another value of its type, which
//	                  takes its place as soon as the dict is assigned
//	simultaneous      may be missing; True if the rules are right only where all that agents do in a turn is done in one step, as bids of an
//	                  auction are. Then a scenario is refused in which they would not: it has the schedule "parallel", or phases, each of
//	                  which has that schedule or only talk in it, and none the actions of another one. And step is called only where
//	                  somebody acts, so not in a phase of talk
//	reset(agents, random)
//	                  returns the events that make the world; agents are names in seat order
//	observe(state, agent)
//	                  returns an observation, or None for somebody who does not play here. What it offers is legal now: a step in which nobody
//	                  else acts accepts each such action, with whatever arguments its schemas allow. Only of those who act at once may step
//	                  refuse one for what the others do
//	step(state, actions)
//	                  returns the events that follow when some agents act at once. A turn has one such step or many, as the scenario says,
//	                  and also those in which nobody acts. The actions, in a drawn order, are those that observe had offered, with arguments
//	                  as their schemas say; all others are refused before, and passes are left out. An action has agent, name and args, a dict.
//	check(state)      may be missing; returns None or why a state cannot be one of these rules', see [world.Checker]
//	hidden(state, agent)
//	                  may be missing; returns a list of the paths of facts of which the agent must not learn anything: whatever their values, it
//	                  observes the same. A run does not ask for it; vitrine check --rules sees whether it is so
//	policies          may be missing; functions of obs and random by name, each of which returns act(...), or None to pass. obs has
//	                  agent, turn, view, messages, refused, actions (names), reward and terminated
//	metrics, measure(events)
//	                  may be missing; measure returns the values of the metrics by name. It goes once through the events of the log, each with
//	                  kind, agent, data, set, delete and turn. They are not held; one takes about 4 microseconds where Go takes 0.6.
//
// # What a file finds there
//
// All that is built into Starlark but set, print and load, and no recursion, no while and no *args. And besides:
//
//	event(kind, agent = "", data = None, set = {}, delete = [])   facts by path to set, and paths of facts to delete
//	refuse(action, reason)                                        the event of an action that is illegal
//	observation(view, actions = [], reward = 0, terminated = False)
//	action(name, description = "", args = {})                     arguments: schemas by name, all required
//	integer(minimum, maximum)  number(minimum, maximum)  boolean()  string(maxLength, minLength = 0)
//	enum(values)  array(items, maxItems, minItems = 0)            schemas; each may have a description
//	act(name, **args)                                             what a policy does
//	metric(name, unit, formula, source = "")
//	floor(x)  ceil(x)  sqrt(x)                                    whole numbers, and a float
//
//	state[path]  path in state  state.get(path, default = None)   a fact
//	state.paths(prefix = "")                                      the sorted paths of facts
//	state.turn                                                    the turn being played, from 0
//	state.random(stream)                                          chance: the same for a seed, a turn and a stream, so ask once for each
//	random.int(n)  random.range(start, stop)  random.float()      from 0 to below n, from start to below stop, from 0 to below 1
//	random.choice(list)  random.shuffle(list)                     one of them; all of them in another order
//
// # Pure, and the same everywhere
//
// A file sees nothing but its arguments: no clock, no other file, no chance but that of the seed. What it is given and its globals are frozen once it
// is loaded, so that no call can leave anything for another. Facts, views and data are JSON: None, bools, whole numbers up to 2^53, finite floats,
// strings, lists and dicts by strings.
//
// # Bounds
//
// A call of the file has a budget of ten million steps, which on one machine are half a second; measure has it for each event. What makes much of
// little, like s * 1000000 or a == b, takes steps for all that it makes or goes through, and a string that is made has at most 64 kB. A
// step has at most 100,000 events, and an observation 1000 actions. So a file that runs
// away ends in an error, at the same place on every machine. The interpreter knows no such bounds: [Load] puts calls of guards into the file before it is
// compiled. Beyond that, a minute ends any call.
package star
