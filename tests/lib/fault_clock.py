#!/usr/bin/env python3
"""The clock jumps between runs and within a run, backwards and forwards.

Run names stay unique, the chain of manifests holds, new mail of every run is
there once, and a haul whose clock jumped is as good as any other.
"""
import os
import sys

from fault_play import Stage, placements, serve

HOUR, DAY = 3600, 86400
# Seconds off the true clock, a run each; each run finds new mail.
BETWEEN = [0, -400 * DAY, 3 * HOUR, -1, -1, 40 * 365 * DAY, -HOUR, 0]
WITHIN = [-40 * 365 * DAY, -DAY, -2, 2, DAY, 40 * 365 * DAY]


class Clock(Stage):
    def environment(self, cwd, by, at):
        return {"LD_PRELOAD": os.path.join(self.o.inject, "inject.so"),
                "INJECT_CALL": "clock", "INJECT_LOG": os.path.join(cwd, "log"),
                "INJECT_AT": str(at), "INJECT_BY": str(by)}

    def reached(self, cwd, code):
        hurt = sum(w[0] == "hurt" for w in self.log(cwd))
        with self.lock:
            self.codes[code] += 1
            self.counts["injected" if hurt else "late"] += 1
            self.counts["by clock"] += bool(hurt)

    def states(self):
        """The account as it grows, from one message to all."""
        every = [(name, m) for name, messages in self.boxes.items()
                 for m in messages]
        for n in range(1, len(every) + 1):
            yield {name: [m for box, m in every[:n] if box == name]
                   for name in self.boxes}

    def between(self, cwd):
        """One archive, a run each of a clock that is somewhere else."""
        wrong = []
        states = list(self.states())[-len(BETWEEN):]
        for by, boxes in zip(BETWEEN, states):
            server = serve(boxes)
            ended = self.haul(cwd, server=server,
                              env=self.environment(cwd, by, 1))
            server.stop()
            self.reached(cwd, ended.code)
            if ended.code != 0:
                return [f"{by:+} s: exit {ended.code}: {ended.text[-900:]}"]
            self.wanted = placements(boxes)
            wrong += [f"{by:+} s: {w}" for w in self.whole(cwd)]
        names = [f for f in os.listdir(os.path.join(cwd, "archive", "runs"))
                 if f.endswith(".jsonl.zst")]
        if len(names) != len(BETWEEN):
            wrong.append(f"{len(names)} manifests of {len(BETWEEN)} runs")
        return wrong

    def within(self, by, at):
        def function(cwd):
            early = self.haul(cwd, server=self.early)
            assert early.code == 0, early.text
            ended = self.haul(cwd, env=self.environment(cwd, by, at))
            self.reached(cwd, ended.code)
            if ended.code != 0:
                return [f"exit {ended.code}: {ended.text[-900:]}"]
            return self.whole(cwd) + self.heals(cwd)
        return f"clock {by:+} s from reading {at} on", function

    def readings(self):
        cwd = self.folder()
        self.haul(cwd, env=self.environment(cwd, 0, 1 << 40))
        return int(self.log(cwd)[-1][2])

    def loops(self):
        self.play("clocks between runs", self.between)
        self.wanted = placements(self.boxes)
        last = self.readings()
        plays = [self.within(by, at) for by in WITHIN
                 for at in self.sample(last, 3)]
        self.play_all(plays)


def main():
    clock = Clock(__doc__)
    clock.loops()
    sys.exit(clock.end(15))


if __name__ == "__main__":
    main()
