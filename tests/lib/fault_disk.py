#!/usr/bin/env python3
"""The n-th write, fsync, rename, open … of a haul fails, once or for good.

Faults come from inject.so, which counts across threads and knows the path, and
from strace, which reaches what the C library does inside. Printed at the end:
how many there were, that each was reached, and how the hauls ended.
"""
import collections
import errno
import os
import re
import shutil
import sys

import compare_catalog
from fault_play import CRASHES, RSS_MAX, Stage, noise, serve
from scripted_imap import Message

ONCE, FOR_GOOD = "once", "for good"
LAST = str(1 << 40)
READ = ("read", "lock")
NEXT = r"(Then: mailhaul |run it again|same command)"
# What is called on paths of this part of the archive, how it fails, whether
# once or for good, how many in a sample of each state; states that are not
# the first get a third.
FAULTS = [
    ("write", "", "ENOSPC", ONCE, 6), ("write", "", "ENOSPC", FOR_GOOD, 6),
    ("write", "", "EIO", ONCE, 4), ("write", "", "EIO", FOR_GOOD, 2),
    ("write", "", "short", ONCE, 4), ("write", "", "short", FOR_GOOD, 2),
    ("sync", "", "EIO", ONCE, 3), ("sync", "", "EIO", FOR_GOOD, 2),
    ("open", "", "EIO", ONCE, 3), ("open", "", "EMFILE", FOR_GOOD, 2),
    ("open", "/volumes", "ENOSPC", ONCE, 8), ("mkdir", "", "ENOSPC", ONCE, 1),
    ("mkdir", "", "ENOSPC", FOR_GOOD, 1),
    ("rename", "", "EIO", ONCE, 2), ("rename", "", "ENOSPC", FOR_GOOD, 2),
    ("unlink", "", "EIO", ONCE, 1), ("unlink", "", "EIO", FOR_GOOD, 1),
    ("truncate", "", "EIO", ONCE, 1), ("truncate", "", "ENOSPC", FOR_GOOD, 1),
    ("read", "", "EIO", ONCE, 3), ("read", "", "EIO", FOR_GOOD, 1),
    ("read", "/volumes/", "flip", ONCE, 5),
    ("read", "/mailhaul.db", "flip", ONCE, 2),
    ("lock", "", "EAGAIN", ONCE, 2), ("lock", "", "EIO", ONCE, 2),
    ("map", "", "ENOMEM", ONCE, 1), ("map", "", "ENOMEM", FOR_GOOD, 1),
]
# The same by strace, for the first haul.
TRACED = "pwrite64,fsync,fdatasync,rename,ftruncate,unlink"
TRACES = [
    ("pwrite64", "EIO", ONCE, 2), ("pwrite64", "ENOSPC", FOR_GOOD, 1),
    ("fsync", "EIO", ONCE, 1), ("fdatasync", "EIO", ONCE, 2),
    ("fdatasync", "EIO", FOR_GOOD, 1), ("rename", "EIO", ONCE, 1),
    ("ftruncate", "EIO", ONCE, 1), ("unlink", "EIO", ONCE, 1),
]
# Octets that a slow disk keeps waiting, and what may stand in memory then.
SLOW_OCTETS, SLOW_RSS = 40 << 20, 96 << 20
# What an archive is when the fault comes.
STATES = ["first", "more", "torn"]


class Disk(Stage):
    def __init__(self):
        super().__init__(__doc__)
        self.states = {}
        self.numbers = {}
        self.volumes_hurt = 0  # whose fsync failed, seen by strace

    # ---- what there is before ----

    def prepare(self):
        for state in STATES:
            cwd = self.folder()
            archive = os.path.join(cwd, "archive")
            if state == "more":
                ended = self.haul(cwd, server=self.early)
                assert ended.code == 0, ended.text
            elif state == "torn":
                ended = self.haul(cwd, env={
                    "MAILHAUL_CRASH_AT":
                    "archive: after a finished volume is synced"})
                assert ended.code == -9, "no crash points in this program"
            self.states[state] = archive if os.path.exists(archive) else None

    def enter(self, state, cwd):
        if self.states[state]:
            shutil.copytree(self.states[state], os.path.join(cwd, "archive"))

    # ---- counting ----

    def environment(self, cwd, call, part, how=None, at=None, last=None):
        env = {"LD_PRELOAD": os.path.join(self.o.inject, "inject.so"),
               "INJECT_CALL": call, "INJECT_LOG": os.path.join(cwd, "log"),
               "INJECT_WHERE": os.path.join(cwd, "archive") + part}
        if how:
            env["INJECT_HOW"] = str(getattr(errno, how, how))
        for name, value in (("AT", at), ("LAST", last)):
            if value is not None:
                env["INJECT_" + name] = str(value)
        return env

    def count(self, state, call, part):
        """How many calls a haul that nothing hurts makes."""
        if (state, call, part) not in self.numbers:
            cwd = self.folder()
            self.enter(state, cwd)
            ended = self.haul(cwd, env=self.environment(cwd, call, part))
            assert ended.code == 0, ended.text
            found = [int(w[2]) for w in self.log(cwd) if w[0] == "count"]
            self.numbers[state, call, part] = max(found, default=0)
            shutil.rmtree(cwd)
        return self.numbers[state, call, part]

    # ---- one fault ----

    def met(self, cwd, ended, allowed):
        """What is wrong with how a haul took its fault."""
        wrong = []
        if ended.code == "hung" or ended.code in CRASHES:
            return [f"ended by {ended.code}: {ended.text[-2000:]}"]
        if ended.code not in allowed:
            wrong.append(f"exit {ended.code}: {ended.text[-900:]}")
        if ended.code != 0:
            if ended.code == 11 and not re.search(NEXT, ended.text):
                wrong.append(f"no next command: {ended.text[-900:]}")
            if not re.search(r"(/archive|index|volume|manifest)", ended.text):
                wrong.append(f"names no file: {ended.text[-900:]}")
        if ended.rss > RSS_MAX * self.slow:
            wrong.append(f"{ended.rss >> 20} MiB")
        # To end well is to have everything.
        if ended.code == 0:
            wrong += [f"ended with 0, but {w}" for w in self.whole(cwd)]
        return wrong

    def one(self, state, call, part, how, times, n):
        def function(cwd):
            self.enter(state, cwd)
            ended = self.haul(cwd, env=self.environment(
                cwd, call, part, how, n, LAST if times == FOR_GOOD else None))
            hurt = [w[3].strip() for w in self.log(cwd) if w[0] == "hurt"]
            with self.lock:
                self.codes[ended.code] += 1
                self.counts["injected" if hurt else "late"] += 1
                self.counts[f"by {call}"] += bool(hurt)
            if how == "flip" and part == "/mailhaul.db":
                wrong = self.survived(cwd, ended)
            else:
                # SQLite calls damaged what it can't read.
                allowed = {0, 11} | ({8, 9} if call in READ else set())
                wrong = self.met(cwd, ended, allowed) + self.heals(cwd)
            if not hurt and ended.code != 0:
                wrong.append("it failed without a fault")
            where = hurt[0].replace(cwd, "") if hurt else "never reached"
            return [f"({where}) {w}" for w in wrong]
        return f"{state}: {call}{part and ' of ' + part} {n} {how} {times}", \
            function

    def survived(self, cwd, ended):
        """SQLite has no checksums, and a bit that was read wrongly may be
        written back. No crash, and no volume is any worse for it."""
        wrong = []
        for one in ended, self.haul(cwd):
            if one.code not in (0, 1, 8, 9, 11):
                wrong.append(f"exit {one.code}: {one.text[-900:]}")
        rows = compare_catalog.catalog_rows(os.path.join(cwd, "archive"),
                                            wrong.append)
        contents = set(self.wanted.values())
        return wrong + [f"made up: {key}" for key, row in rows.items()
                        if row["sha256"] not in contents]

    def loops(self):
        self.prepare()
        plays = []
        for call, part, how, times, most in FAULTS:
            for state in STATES:
                last = self.count(state, call, part)
                share = most if state == "first" else max(1, most // 3)
                plays += [self.one(state, call, part, how, times, n)
                          for n in self.sample(last, share)]
        self.play_all(plays)

    # ---- what strace can ----

    def traced(self, call, error, times, n):
        """By the kernel; strace counts for each thread by itself."""
        def function(cwd):
            log = os.path.join(cwd, "trace")
            when = f"{n}+" if times == FOR_GOOD else str(n)
            ended = self.haul(cwd, before=(
                "strace", "-f", "-y", "--seccomp-bpf", "-qq", "-o", log,
                "-e", f"trace={TRACED}",
                "-e", f"inject={call}:error={error}:when={when}"))
            with open(log, errors="replace") as file:
                trace = file.read().splitlines()
            hurt = [x for x in trace if x.endswith("(INJECTED)")]
            with self.lock:
                self.codes[ended.code] += 1
                self.counts["injected" if hurt else "late"] += 1
                self.counts[f"by {call}"] += bool(hurt)
            wrong = self.met(cwd, ended, {0, 11})
            where = hurt[0].replace(cwd, "") if hurt else "never reached"
            return [f"({where}) {w}" for w in wrong + self.heals(cwd)]
        return f"strace: {call} {n} {error} {times}", function

    def left_alone(self, state, n):
        """D02: a volume whose fsync failed is never written, synced again or
        renamed. inject.so makes it fail, strace sees what comes after."""
        def function(cwd):
            self.enter(state, cwd)
            log = os.path.join(cwd, "trace")
            given = [f"-E{k}={v}" for k, v in self.environment(
                cwd, "sync", "/volumes/", "EIO", n).items()]
            ended = self.haul(cwd, before=(
                "strace", "-f", "-y", "-s", "400", "-qq", "-o", log, *given,
                "-e", f"trace=write,{TRACED}"))
            with open(log, errors="replace") as file:
                trace = file.read().splitlines()
            failed, wrong = None, self.met(cwd, ended, {11})
            for line in trace:
                told = re.search(r'"hurt sync \d+ (.*?\.part)', line)
                if told:
                    failed = told[1]
                elif failed and failed in line and re.search(
                        r" (pwrite64|\w*sync|rename|ftruncate)\(", line):
                    wrong.append(f"after its fsync failed: {line}")
            with self.lock:
                self.codes[ended.code] += 1
                self.volumes_hurt += bool(failed)
                self.counts["injected"] += bool(failed)
                self.counts["by volume's sync"] += bool(failed)
            if not failed:
                wrong.append("never reached")
            return wrong + self.heals(cwd)
        return f"{state}: a volume's fsync {n} fails", function

    def thread_counts(self):
        """The most calls of each kind that one thread makes."""
        cwd = self.folder()
        log = os.path.join(cwd, "trace")
        ended = self.haul(cwd, before=(
            "strace", "-f", "--seccomp-bpf", "-qq", "-o", log,
            "-e", f"trace={TRACED}"))
        assert ended.code == 0, ended.text
        each = collections.Counter()
        with open(log, errors="replace") as file:
            for line in file:
                found = re.match(r"(\d+) +(\w+)\(", line)
                if found:
                    each[found.groups()] += 1
        most = collections.Counter()
        for (_, call), n in each.items():
            most[call] = max(most[call], n)
        return most

    def slow_disk(self, ms):
        """The server is far ahead: the belt has to hold it back."""
        def function(cwd):
            block = noise(1, 66000)
            many = [Message(i + 1, b"Subject: %d\r\n\r\n" % i + block[i:])
                    for i in range(SLOW_OCTETS // len(block))]
            server = serve({"INBOX": many})
            log = os.path.join(cwd, "trace")
            ended = self.haul(
                cwd, "--volume-size", "8M", server=server, seconds=300,
                before=("strace", "-f", "--seccomp-bpf", "-qq", "-o", log,
                        "-e", "trace=fdatasync",
                        "-e", f"inject=fdatasync:delay_enter={ms * 1000}"))
            server.stop()
            with open(log) as file:
                times = sum("(DELAYED)" in line for line in file)
            with self.lock:
                self.codes[ended.code] += 1
                self.counts["injected"] += times
                self.counts["by delay"] += times
                print(f"== {len(many)} messages, {times} x {ms} ms:"
                      f" {ended.rss >> 20} MiB")
            wrong = []
            if ended.code != 0 or not times:
                wrong.append(f"exit {ended.code}: {ended.text}")
            if f"complete: {len(many)} listed = {len(many)} " not in ended.text:
                wrong.append(f"not all: {ended.text}")
            if ended.rss > SLOW_RSS * self.slow:
                wrong.append(f"{ended.rss >> 20} MiB")
            return wrong
        return f"strace: each fdatasync takes {ms} ms more", function

    def kernel_loops(self):
        last = self.thread_counts()
        plays = [self.slow_disk(ms) for ms in
                 ((5, 50, 500) if self.o.soak else (5,))]
        for call, error, times, most in TRACES:
            plays += [self.traced(call, error, times, n)
                      for n in self.sample(last[call], most)]
        plays += [self.left_alone(state, n) for state in STATES for n in
                  self.sample(self.count(state, "sync", "/volumes/"), 2)]
        self.play_all(plays)
        if not self.volumes_hurt and not self.o.only:
            self.findings.append(("strace", ["no volume's fsync failed"]))
            print("FAILED: no volume's fsync failed")
        print(f"== {self.volumes_hurt} volumes whose fsync failed were left")


def main():
    disk = Disk()
    disk.loops()
    disk.kernel_loops()
    sys.exit(disk.end(100))


if __name__ == "__main__":
    main()
