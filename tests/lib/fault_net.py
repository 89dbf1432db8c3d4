#!/usr/bin/env python3
"""A short session with a real server is hurt at every octet, both ways.

Cut by FIN and by RST, once (the haul goes on by itself) and each time (it ends
with 6, or gets through), stalled, flipped in plain text and under TLS, and
passed on octet by octet. After each, the next haul completes: nothing is lost,
nothing doubled.
"""
import os
import queue
import re
import sys
import threading
import time

import proxy
from fault_play import CRASHES, RSS_MAX, Stage, dumped

ALWAYS = 1 << 30
NEXT = r"(^ *Then: mailhaul |the server.s owner has to)"


def add_options(parser):
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--tls-port", type=int, required=True)
    parser.add_argument("--ca-file", required=True)
    parser.add_argument("--server-password-file", required=True)
    parser.add_argument("--dump", required=True, help="imapdump.py's rows")
    parser.add_argument("--most", type=int, default=6,
                        help="octets of each kind in a sample")


class Wire(proxy.Proxy):
    """A proxy in this process; done tells what it did since it was set."""

    def __init__(self, work, name, to):
        path = os.path.join(work, name)
        super().__init__(proxy.parse([
            "--to", to, "--port-file", path + ".port", "--log", path]))
        self.done = []
        threading.Thread(target=self.run, daemon=True).start()

    def log(self, word, number=0):
        self.done.append((word, number))

    def set(self, **how):
        plan = {"cut": None, "stall": None, "flip": None, "sent": False,
                "how": "rst", "times": 1, "dribble": False,
                "dribble_sent": False, **how}
        with self.lock:
            vars(self.o).update(plan)
            self.hurt = 0
        self.done = []

    def has(self, word):
        return any(w == word for w, _ in self.done)

    def last(self, word):
        return max((n for w, n in self.done if w == word), default=0)


class Net(Stage):
    def __init__(self):
        super().__init__(__doc__, add_options)
        self.wanted = dumped(self.o.dump)
        self.wires = {}
        for scheme, port in (("imap", self.o.port), ("imaps", self.o.tls_port)):
            self.wires[scheme] = queue.Queue()
            for i in range(self.o.jobs):
                self.wires[scheme].put(Wire(self.o.work, f"{scheme}{i}",
                                            f"{self.o.host}:{port}"))

    def command(self, archive, *options, server=None):
        return [self.o.program, "copy",
                f"imap://alice@{self.o.host}:{self.o.port}/", archive,
                "--source-tls=plaintext", "--source-password-file",
                self.o.server_password_file, "--account", "alice",
                "--retry-wait", "0.02", "--retries", "2", "--timeout", "20",
                "--threads", "1", *options]

    def through(self, wire, scheme, cwd, *options):
        command = self.command(os.path.join(cwd, "archive"),
                               "--source-connect", f"127.0.0.1:{wire.port}",
                               *options)
        if scheme == "imaps":
            command[2] = f"imaps://alice@{self.o.host}:{self.o.tls_port}/"
            command[command.index("--source-tls=plaintext")] = "--ca-file"
            command.insert(command.index("--ca-file") + 1, self.o.ca_file)
        return self.run(command, cwd)

    # ---- one hurt session ----

    def met(self, cwd, ended, allowed):
        if ended.code == "hung" or ended.code in CRASHES:
            return [f"ended by {ended.code}: {ended.text[-2000:]}"]
        wrong = []
        if ended.code not in allowed:
            wrong.append(f"exit {ended.code}: {ended.text[-900:]}")
        elif ended.code and not re.search(NEXT, ended.text, re.M):
            wrong.append(f"no next command: {ended.text[-900:]}")
        if ended.rss > RSS_MAX * self.slow:
            wrong.append(f"{ended.rss >> 20} MiB")
        return wrong

    def one(self, word, scheme, allowed, exact, *options, **how):
        """exact: 0 means that all is there, and the next run is judged."""
        def function(cwd):
            wire = self.wires[scheme].get()
            try:
                wire.set(**how)
                ended = self.through(wire, scheme, cwd, *options)
                reached = wire.has(word)
            finally:
                self.wires[scheme].put(wire)
            with self.lock:
                self.codes[ended.code] += 1
                self.counts["injected" if reached else "late"] += 1
                self.counts[f"by {word}"] += reached
            wrong = self.met(cwd, ended, allowed)
            if not exact:
                return wrong + self.protocol_only(cwd)
            if ended.code == 0:
                wrong += [f"ended with 0, but {w}" for w in self.whole(cwd)]
            if not reached and ended.code != 0:
                wrong.append("it failed, but nothing was hurt")
            return wrong + (self.heals(cwd) if ended.code else [])
        told = " ".join(f"{k}={v}" for k, v in how.items())
        return f"{scheme}: {word} {told}", function

    def protocol_only(self, cwd):
        """Plain text may be made up on its way: what came is what is kept."""
        again = self.haul(cwd)
        wrong = []
        if again.code != 0:
            wrong.append(f"the next haul: exit {again.code}: "
                         f"{again.text[-900:]}")
        verify = self.run([self.o.program, "verify",
                           os.path.join(cwd, "archive")], cwd)
        if verify.code != 0:
            wrong.append(f"verify {verify.code}: {verify.text[-600:]}")
        return wrong

    # ---- all of them ----

    def length(self, scheme):
        """(octets received, octets sent) by a whole session."""
        cwd = self.folder()
        wire = self.wires[scheme].get()
        for _ in range(5):
            wire.set()
            ended = self.through(wire, scheme, cwd)
            assert ended.code == 0, ended.text
            # The proxy's thread may still be at its last words. It has none
            # if the client's last octets met a connection that was reset.
            for _ in range(100):
                if wire.has("end"):
                    break
                time.sleep(0.05)
            if wire.has("end"):
                break
            cwd = self.folder()
        assert wire.has("end"), "the proxy never came to the end"
        self.wires[scheme].put(wire)
        return wire.last("end"), wire.last("sent")

    def loops(self):
        most, plays = self.o.most, []
        got, sent = self.length("imap")
        print(f"== a session of {got} octets received, {sent} sent")
        for way, last in ((False, got), (True, sent)):
            for how in ("rst", "fin"):
                # A cut in the logout comes too late to matter.
                plays += [self.one("cut", "imap", {0, 6}, True, cut=n,
                                   how=how, sent=way)
                          for n in self.sample(last, most)]
                plays += [self.one("cut", "imap", {0, 1, 6}, True, cut=n,
                                   how=how, sent=way, times=ALWAYS)
                          for n in self.sample(last, most // 2, 400)]
            plays += [self.one("flip", "imap", {0, 1, 2, 4, 5, 6, 9}, False,
                               "--timeout", "1", flip=n, sent=way)
                      for n in self.sample(last, most)]
            plays += [self.one("stall", "imap", {0, 6}, True, "--timeout", "1",
                               stall=n, sent=way)
                      for n in self.sample(last, 2, 200)]
        got, sent = self.length("imaps")
        for way, last in ((False, got), (True, sent)):
            plays += [self.one("flip", "imaps", {0, 6}, True, "--timeout", "1",
                               flip=n, sent=way)
                      for n in self.sample(last, most, 1500)]
            plays += [self.one("cut", "imaps", {0, 6}, True, cut=n, sent=way,
                               how=self.random.choice(["rst", "fin"]))
                      for n in self.sample(last, most // 2, 400)]
        for scheme in ("imap", "imaps"):
            plays += [self.one("end", scheme, {0}, True, dribble=down,
                               dribble_sent=up)
                      for down, up in ((True, False), (False, True),
                                       (True, True))]
        self.play_all(plays)


def main():
    net = Net()
    net.loops()
    sys.exit(net.end(50))


if __name__ == "__main__":
    main()
