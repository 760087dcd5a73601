#!/usr/bin/env python3
"""A player of the fishery, as a plugin: it takes its part of what grows again.

    [[agents]]
    name = "a"
    kind = "plugin"
    command = ["/usr/bin/python3", "./fisher.py"]
"""

from vitrine_plugin import act, serve


class Fisher:
    def act(self, obs):
        return act("fish", tons=obs["view"]["tons"] // 2 // obs["view"]["agents"])


if __name__ == "__main__":
    serve(agent=Fisher())
