#!/usr/bin/env python3
"""The n-th allocation of a haul over TLS fails, ours or a library's.

Ours abort, which is always safe; a library's failure ends in an error or in an
abort. Never in a wrong result: a haul that ends with 0 has everything, and the
next one completes whatever the first did. Each different stack of calls that
allocates is visited once (--soak), or a sample of them.
"""
import os
import re
import sys

from fault_play import Stage, serve
from scripted_imap import tls_context

ONCE, FOR_GOOD = "once", "for good"
LAST = str(1 << 40)
# The last: the dynamic linker, where it loads a library and can't go back.
ABORTED, CRASHED, UNLOADED = -6, -11, 127
# All that it says then; our own words begin with the program's name.
NO_LIBRARY = re.compile(r"^out of memory\n\Z", re.M)
# libarchive takes the memory of a pax header for granted: it crashes itself, or
# the C library that it calls.
CARELESS = re.compile(r"(libc\.so\S+ )?libarchive\.so")
# Errors that a library's failure may show as.
ERRORS = {1, 2, 5, 6, 9, 11}


def add_options(parser):
    parser.add_argument("--certificate", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--most", type=int, default=40)


class Memory(Stage):
    def __init__(self):
        super().__init__(__doc__, add_options)
        context = tls_context(self.o.certificate, self.o.key)
        self.tls = serve(self.boxes, context)
        self.wordless = 0  # aborts that said nothing
        self.careless = 0  # crashes inside libarchive
        self.unloaded = 0  # ends inside the dynamic linker

    def environment(self, cwd, **more):
        return {"LD_PRELOAD": os.path.join(self.o.inject, "inject_malloc.so"),
                "INJECT_LOG": os.path.join(cwd, "log"), **more}

    def secure_haul(self, cwd, env):
        command = self.command(os.path.join(cwd, "archive"), "--ca-file",
                               self.o.certificate)
        command = [w.replace(f"imap://alice@127.0.0.1:{self.server.port}",
                             f"imaps://alice@127.0.0.1:{self.tls.port}")
                   for w in command if w != "--source-tls=plaintext"]
        return self.run(command, cwd, env)

    def places(self):
        """The first allocation of each stack."""
        cwd = self.folder()
        path = os.path.join(cwd, "stacks")
        ended = self.secure_haul(cwd, self.environment(cwd, INJECT_STACKS=path))
        assert ended.code == 0, ended.text
        with open(path) as file:
            numbers = sorted(int(line) for line in file)
        print(f"== memory: {len(numbers)} different stacks allocate, "
              f"{self.log(cwd)[-1][2].strip()} times in all")
        return numbers

    def stack(self, cwd, what):
        rows = [w for w in self.log(cwd) if w[0] == what]
        return rows[0][3].strip() if rows and len(rows[0]) > 3 else "?"

    def met(self, cwd, ended):
        if ended.code == CRASHED:
            stack = self.stack(cwd, "crash")
            if not CARELESS.match(stack):
                return [f"crashed at {stack}"]
            with self.lock:
                self.careless += 1
            return []
        if ended.code == ABORTED:
            with self.lock:
                self.wordless += "out of memory" not in ended.text
            return []
        if ended.code == 0:
            return [f"ended with 0, but {w}" for w in self.whole(cwd)]
        if ended.code == UNLOADED and NO_LIBRARY.search(ended.text):
            with self.lock:
                self.unloaded += 1
            return []
        if ended.code not in ERRORS:
            return [f"ended by {ended.code}: {ended.text[-1500:]}"]
        wrong = []
        # libarchive exits by itself where it can't return an error, and
        # GnuTLS, which libetpan brings, while it is loaded.
        if not re.search(r"^(mailhaul: |Fatal Internal Error in libarchive"
                         r"|Error in GnuTLS initialization)",
                         ended.text, re.M):
            wrong.append(f"exit {ended.code} without a word")
        return wrong

    def one(self, n, times):
        def function(cwd):
            more = {"INJECT_LAST": LAST} if times == FOR_GOOD else {}
            ended = self.secure_haul(
                cwd, self.environment(cwd, INJECT_AT=str(n), **more))
            hurt = [w for w in self.log(cwd) if w[0] == "hurt"]
            with self.lock:
                self.codes[ended.code] += 1
                self.counts["injected" if hurt else "late"] += 1
                self.counts[f"by malloc {times}"] += bool(hurt)
            stack = self.stack(cwd, "hurt")
            return [f"({stack}) {w}" for w in
                    self.met(cwd, ended) + self.heals(cwd)]
        return f"malloc {n} {times}", function

    def loops(self):
        numbers = self.places()
        chosen = (numbers if self.o.soak else
                  sorted(self.random.sample(numbers, self.o.most)))
        plays = [self.one(n, ONCE) for n in chosen]
        plays += [self.one(n, FOR_GOOD)
                  for n in chosen[::1 if self.o.soak else 4]]
        self.play_all(plays)
        print(f"== {self.codes[ABORTED]} aborts, {self.wordless} of them"
              f" without a word; {self.careless} crashes in libarchive,"
              f" {self.unloaded} ends in the dynamic linker")


def main():
    memory = Memory()
    memory.loops()
    # Threads, and what is done each second, move the n-th call of a place.
    sys.exit(memory.end(40, late_share=0.25))


if __name__ == "__main__":
    main()
