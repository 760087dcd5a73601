"""Plugins of vitrine in Python: rules of a world, and players of it.

This is all that a program needs besides Debian's python3-grpcio and python3-protobuf. vitrine/v1/vitrine_pb2.py beside it is made from vitrine.proto,
which says what the two sides say to each other. A program calls serve with an object that has the methods of rules, of an agent, or both:

    params = {"capacity": 100}         parameters and their values by default: bools, ints, floats and strs; then self.params has them all
    metrics = [(name, unit, formula)]
    def reset(self, agents, random)    returns events
    def observe(self, state, agent)    returns observation(...), or None for somebody who does not play
    def step(self, state, actions)     returns events; an action is a dict with agent, name and args
    simultaneous = True                all that is done in a turn must come in one step; may be missing
    def hidden(self, state, agent)     returns paths of facts of which the agent must not learn anything; may be missing
    def check(self, state)             returns None, or why a state cannot be one of these rules'; may be missing
    def configure(self)                returns None, or (why these values cannot be, the name of the parameter); may be missing
    def policy_NAME(self, obs, random) a player as a function: returns act(...), or None to pass
    def measure(self, events)          returns the metrics by name

    def act(self, obs)                 of an agent: returns act(...), or None to pass

Rules are pure: the same arguments give the same result. They keep nothing from one call to another, look at no clock, and have no chance but
state.random("stream") and what they are given.
"""

import json
import os
import sys
import threading
from concurrent import futures

import grpc

from vitrine.v1 import vitrine_pb2 as pb

VERSION = 1
MASK64 = (1 << 64) - 1
MASK128 = (1 << 128) - 1


class Random:
    """The source of chance that all programs have: PCG-DXSM with 128 bits of state, drawn from as Go's math/rand/v2 does."""

    def __init__(self, high, low):
        self.state = high << 64 | low

    @classmethod
    def of(cls, seed, turn, stream):
        """Returns the source of a stream of a turn."""
        fnv = 0xCBF29CE484222325
        for byte in f"{turn}/{stream}".encode():
            fnv = (fnv ^ byte) * 0x100000001B3 & MASK64
        return cls(seed, fnv)

    def bits(self):
        """Returns 64 random bits."""
        self.state = (self.state * 0x2360ED051FC65DA44385DF649FCCF645 + 0x5851F42D4C957F2D14057B7EF767814F) & MASK128
        high, low = self.state >> 64, self.state & MASK64
        high ^= high >> 32
        high = high * 0xDA942042E4DD58B5 & MASK64
        high ^= high >> 48
        return high * (low | 1) & MASK64

    def int(self, n):
        """Returns a whole number from 0 to below n."""
        if n <= 0:
            raise ValueError(f"no number from 0 to below {n}")
        width = 32 if n < 1 << 32 else 64
        draw = (lambda: self.bits() >> 32) if width == 32 else self.bits
        if n & (n - 1) == 0:
            return self.bits() & (n - 1)
        product = draw() * n
        low = product & ((1 << width) - 1)
        if low < n:
            least = (1 << width) % n
            while low < least:
                product = draw() * n
                low = product & ((1 << width) - 1)
        return product >> width

    def float(self):
        """Returns a number from 0 to below 1."""
        return (self.bits() << 11 & MASK64) / (1 << 64)

    def choice(self, list):
        return list[self.int(len(list))]

    def shuffle(self, list):
        """Returns the list in another order."""
        list = [*list]
        for i in range(len(list) - 1, 0, -1):
            j = self.int(i + 1)
            list[i], list[j] = list[j], list[i]
        return list


class State:
    """Facts by path, as state["lake/tons"], state.get(path) or state.paths(prefix); and state.turn."""

    def __init__(self):
        self.facts, self.turn = {}, 0

    def __getitem__(self, path):
        return self.facts[path]

    def __contains__(self, path):
        return path in self.facts

    def get(self, path, default=None):
        return self.facts.get(path, default)

    def paths(self, prefix=""):
        return sorted(path for path in self.facts if path.startswith(prefix))

    def random(self, stream):
        seed = self.facts.get("run/seed")
        return Random.of(seed if type(seed) is int and 0 <= seed <= MASK64 else 0, self.turn, stream)


def event(kind, agent=None, data=None, set=None, delete=None):
    """What has happened: facts by path to set, and paths of facts to delete."""
    said = {"kind": kind, "agent": agent, "data": data, "set": set, "del": delete}
    return {key: value for key, value in said.items() if value is not None}


def refuse(action, reason):
    """The event of an action that is illegal."""
    return event("refusal", action["agent"], {"action": action["name"], "reason": reason})


def observation(view, actions=(), reward=0, terminated=False):
    """What an agent sees, and may do."""
    return {"view": view, "actions": list(actions), "reward": reward, "terminated": terminated}


def action(name, description, **args):
    """An action with arguments by their names, each a JSON Schema such as {"type": "integer", "minimum": 0}."""
    schema = {"type": "object", "properties": args, "required": sorted(args), "additionalProperties": False}
    return {"name": name, "description": description, "schema": schema}


def act(name, **args):
    """What a player does."""
    return pb.Action(name=name, json=encode(args))


def encode(value):
    return json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


class Rules:
    """The service vitrine.v1.Rules for an object with the methods that serve wants."""

    POLICY = "policy_"

    def __init__(self, law):
        self.law, self.state = law, State()
        law.params = dict(getattr(law, "params", {}))

    def Describe(self, request, context):
        together = getattr(self.law, "simultaneous", False)
        said = pb.Description(checks=hasattr(self.law, "check"), hides=hasattr(self.law, "hidden"), simultaneous=together)
        for name, value in self.law.params.items():
            field = {bool: "boolean", int: "integer", float: "number", str: "text"}[type(value)]
            said.parameters.add(name=name, **{field: value})
        said.policies.extend(name[len(self.POLICY):] for name in dir(self.law) if name.startswith(self.POLICY))
        for name, unit, formula in getattr(self.law, "metrics", []):
            said.metrics.add(name=name, unit=unit, formula=formula)
        return said

    def Configure(self, request, context):
        for p in request.parameters:
            self.law.params[p.name] = getattr(p, p.WhichOneof("value"))
        mistake = self.law.configure() if hasattr(self.law, "configure") else None
        return pb.Configured(mistake=mistake[0], parameter=mistake[1]) if mistake else pb.Configured()

    def Reset(self, request, context):
        return self.events(self.law.reset(list(request.agents), Random.of(request.seed, 0, "reset")))

    def Update(self, request, context):
        if request.whole:
            self.state = State()
        for path in request.delete:
            self.state.facts.pop(path, None)
        for path, raw in request.set.items():
            self.state.facts[path] = json.loads(raw)
        self.state.turn = request.turn
        return pb.Updated()

    def Observe(self, request, context):
        seen = self.law.observe(self.state, request.agent)
        return pb.Observed(json=encode(seen)) if seen is not None else pb.Observed()

    def Step(self, request, context):
        return self.events(self.law.step(self.state, json.loads(request.json)))

    def Check(self, request, context):
        return pb.Checked(mistake=self.law.check(self.state) or "")

    def Hidden(self, request, context):
        return pb.Paths(paths=self.law.hidden(self.state, request.agent))

    def Decide(self, request, context):
        play = getattr(self.law, self.POLICY + request.policy)
        return play(json.loads(request.json), Random(request.high, request.low)) or pb.Action(name="pass")

    def Measure(self, requests, context):
        events = (ev for some in requests for ev in json.loads(some.json))
        return pb.Measured(values=self.law.measure(events))

    @staticmethod
    def events(events):
        return pb.Events(json=encode(events))


class Agent:
    """The service vitrine.v1.Agent for an object with a method act."""

    def __init__(self, player):
        self.player = player

    def Act(self, request, context):
        return self.player.act(json.loads(request.json)) or pb.Action(name="pass")

    def Close(self, request, context):
        return pb.Closed()


def handlers(name, servicer):
    """Returns what makes a service of gRPC of a servicer, by what vitrine.proto says of its methods."""
    methods = {}
    for method in pb.DESCRIPTOR.services_by_name[name].methods:
        kind = grpc.stream_unary_rpc_method_handler if method.name == "Measure" else grpc.unary_unary_rpc_method_handler
        request, response = getattr(pb, method.input_type.name), getattr(pb, method.output_type.name)
        methods[method.name] = kind(getattr(servicer, method.name), request.FromString, response.SerializeToString)
    return grpc.method_handlers_generic_handler("vitrine.v1." + name, methods)


def serve(rules=None, agent=None):
    """Serves rules, an agent, or both, until the program is told to go."""
    if os.environ.get("VITRINE_PLUGIN") != "1":
        sys.exit("This program is a plugin: name it in a scenario of vitrine.")
    over = threading.Event()

    def shutdown(request, context):
        over.set()
        return b""

    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4), options=[("grpc.max_receive_message_length", 1 << 30)])
    controller = {"Shutdown": grpc.unary_unary_rpc_method_handler(shutdown)}
    services = [grpc.method_handlers_generic_handler("plugin.GRPCController", controller)]
    if rules is not None:
        services.append(handlers("Rules", Rules(rules)))
    if agent is not None:
        services.append(handlers("Agent", Agent(agent)))
    server.add_generic_rpc_handlers(services)
    socket = os.path.join(os.environ["PLUGIN_UNIX_SOCKET_DIR"], "socket")
    server.add_insecure_port("unix:" + socket)
    server.start()
    print(f"1|{VERSION}|unix|{socket}|grpc", flush=True)
    over.wait()
    server.stop(0.1).wait()
