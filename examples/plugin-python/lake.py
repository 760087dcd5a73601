#!/usr/bin/env python3
"""The law of a lake that everybody fishes from, as a plugin: the fishery of the command, with the same bytes for the same seed and actions.

    [rules]
    name = "lake"
    plugin = ["/usr/bin/python3", "./lake.py"]
"""

from vitrine_plugin import act, action, event, observation, serve

MOST = 1000000
FISH = action(
    "fish",
    "Ask for whole tons of fish. If all agents together ask for more than there is, lots are drawn for each ton.",
    tons={"type": "integer", "minimum": 0, "maximum": MOST},
)


def grown(tons, turns, capacity, collapse):
    """Returns what tons that a harvest has left have become some turns later."""
    if tons < collapse:
        return tons
    for _ in range(turns):
        if tons <= 0 or tons >= capacity:
            break
        tons = min(capacity, 2 * tons)
    return tons


def read(state):
    """Returns the lake as it is in the turn being played."""
    lake = {name: state["lake/" + name] for name in ["capacity", "collapse", "turns", "agents", "turn", "tons"]}
    lake["tons"] = grown(lake["tons"], state.turn - lake["turn"], lake["capacity"], lake["collapse"])
    lake["over"] = lake["tons"] < lake["collapse"] or state.turn >= lake["turns"]
    return lake


def fisher(name, total, turn, asked, caught):
    at = f"agents/{name}/"
    return {at + "total": total, at + "turn": turn, at + "asked": asked, at + "caught": caught}


def share(pool, asked, random):
    """Pays a pool out: to each what it asked for or, if there is too little, ton by ton and by lot among all that still want more."""
    if sum(asked) <= pool:
        return asked
    caught = [0] * len(asked)
    open = [i for i, tons in enumerate(asked) if tons > 0]
    for _ in range(pool):
        at = random.int(len(open))
        i = open[at]
        caught[i] += 1
        if caught[i] == asked[i]:
            open.pop(at)
    return caught


class Lake:
    params = {"capacity": 100, "collapse": 5, "turns": 12}
    metrics = [("total", "tons", "caught by all")]

    def configure(self):
        if not 1 <= self.params["capacity"] <= MOST:
            return f"the lake must hold 1 to {MOST} tons", "capacity"

    def reset(self, agents, random):
        p = self.params
        facts = {
            "lake/capacity": p["capacity"],
            "lake/collapse": p["collapse"],
            "lake/turns": p["turns"],
            "lake/agents": len(agents),
            "lake/turn": 0,
            "lake/tons": p["capacity"],
            "lake/next": p["capacity"],
            "lake/caught": {},
        }
        for name in agents:
            facts.update(fisher(name, 0, -1, 0, 0))
        return [event("stock", data={"agents": agents, **p}, set=facts)]

    def observe(self, state, agent):
        total = state.get(f"agents/{agent}/total")
        if total is None:
            return None
        lake = read(state)
        view = {name: lake[name] for name in ["agents", "capacity", "tons", "turns"]}
        view.update(total=total, turns_left=max(0, lake["turns"] - state.turn))
        caught = state["lake/caught"]
        if lake["turn"] >= state.turn - 1 and caught != {}:
            view["caught"] = caught
        may = not lake["over"] and state[f"agents/{agent}/turn"] < state.turn
        return observation(view, [FISH] if may else [], total, lake["over"])

    def step(self, state, actions):
        lake = read(state)
        if lake["over"]:
            return []
        actions = sorted(actions, key=lambda a: a["agent"])
        asked = [int(a["args"]["tons"]) for a in actions]
        caught = share(lake["tons"], asked, state.random("share"))
        after = lake["tons"] - sum(caught)
        by = dict(state["lake/caught"]) if lake["turn"] == state.turn else {}
        catches = []
        for a, tons, got in zip(actions, asked, caught):
            agent = a["agent"]
            by[agent] = got
            data = {"asked": tons, "caught": got}
            if sum(asked) > lake["tons"]:
                data["contested"] = True
            total = state[f"agents/{agent}/total"] + got
            catches.append(event("catch", agent, data, fisher(agent, total, state.turn, tons, got)))
        facts = {
            "lake/turn": state.turn,
            "lake/tons": after,
            "lake/next": grown(after, 1, lake["capacity"], lake["collapse"]),
            "lake/caught": by,
        }
        return [event("lake", data={"before": lake["tons"], "caught": sum(caught), "after": after}, set=facts)] + catches

    def check(self, state):
        if not 0 <= state["lake/tons"] <= state["lake/capacity"]:
            return "the lake must hold 0 tons to its capacity"

    def policy_steady(self, obs, random):
        return self.ask(obs, obs["view"]["tons"] // 2 // obs["view"]["agents"])

    def policy_greedy(self, obs, random):
        return self.ask(obs, obs["view"]["tons"])

    def ask(self, obs, tons):
        return act("fish", tons=tons) if obs.get("actions") else None

    def measure(self, events):
        return {"total": sum(ev["data"]["caught"] for ev in events if ev["kind"] == "catch")}


if __name__ == "__main__":
    serve(rules=Lake())
