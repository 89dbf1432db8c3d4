"""What the fault loops share: a small account on a scripted server, hauls of
it under a fault, and a judge of the archive after the fault is gone.

A play is one archive: a haul that a fault meets, then one that nothing meets.
The first may end as the table of the loop allows; the second must complete,
and then each message is there once, octet for octet.
"""
import argparse
import collections
import hashlib
import json
import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import compare_catalog
from scripted_imap import Message, Server

PASSWORD = "marked-pa55word-of-alice"
RSS_MAX = 256 << 20
CRASHES = (-4, -6, -7, -8, -11, 97, 98, 99, 134, 139)
Ended = collections.namedtuple("Ended", "code text rss")


# ---- the account ----

def noise(seed, size):
    """Text that doesn't compress, so that small volumes get full."""
    letters = random.Random(seed)
    return b"\r\n".join(b"%064x" % letters.getrandbits(256)
                        for _ in range(size // 66)) + b"\r\n"


def mail(n, size, received=""):
    head = f"Subject: message {n}\r\nMessage-ID: <{n}@faults.example>\r\n"
    return (received + head).encode() + b"\r\n" + noise(n, size)


def account():
    """Three mailboxes: contents of all sizes, repeats, a shared body."""
    inbox = [mail(n, size) for n, size in
             enumerate((900, 200, 5000, 2500, 400, 7000))]
    sent = [inbox[2], mail(7, 1500), mail(2, 5000, "Received: by x\r\n")]
    boxes = {"INBOX": inbox, "Sent": sent, "Empty": []}
    return {name: [Message(i + 1, body) for i, body in enumerate(bodies)]
            for name, bodies in boxes.items()}


def before(boxes):
    """The same account earlier: half of each mailbox."""
    return {name: messages[:(len(messages) + 1) // 2]
            for name, messages in boxes.items()}


def dumped(path):
    """placements() of what imapdump.py read."""
    with open(path) as file:
        rows = [json.loads(line) for line in file]
    return {(r["mailbox"], r["uid"]): r["sha256"] for r in rows}


def placements(boxes):
    return {(name, m.uid): hashlib.sha256(m.body).hexdigest()
            for name, messages in boxes.items() for m in messages}


def serve(boxes, context=None):
    """A server on a free port; with a context it speaks TLS."""
    server = Server({}, boxes, "IMAP4rev1", context is not None, context)
    server.start()
    return server


# ---- hauls ----

class Stage:
    """Options, counts and findings of a script of loops."""

    def __init__(self, description, add_options=None):
        parser = argparse.ArgumentParser(description=description)
        parser.add_argument("--program", required=True)
        parser.add_argument("--work", required=True)
        parser.add_argument("--inject", required=True,
                            help="the folder of inject.so")
        parser.add_argument("--seed", default="1")
        parser.add_argument("--soak", action="store_true",
                            help="every fault, not a sample")
        parser.add_argument("--only", default="", metavar="REGEX")
        parser.add_argument("--jobs", type=int, default=2)
        parser.add_argument("--verbose", action="store_true")
        if add_options:
            add_options(parser)
        self.o = parser.parse_args()
        if not os.path.exists(os.path.join(self.o.inject, "inject.so")):
            sys.exit(f"no inject.so in {self.o.inject}: make programs")
        self.random = random.Random(f"faults {self.o.seed}")
        self.boxes = account()
        self.wanted = placements(self.boxes)
        self.server = serve(self.boxes)
        self.early = serve(before(self.boxes))
        self.lock = threading.Lock()  # guards what follows
        self.plays = 0
        self.counts = collections.Counter()
        self.codes = collections.Counter()
        self.findings = []
        with open(self.o.program, "rb") as file:
            octets = file.read()
        self.asan = b"__asan_init" in octets
        self.tsan = b"__tsan_init" in octets
        if self.tsan:
            print("== SKIPPED: TSan and preloaded helpers don't go together")
            sys.exit(0)
        self.slow = 10 if self.asan else 1
        self.password_file = os.path.join(self.o.work, "password")
        with open(os.open(self.password_file, os.O_WRONLY | os.O_CREAT, 0o600),
                  "w") as file:
            file.write(PASSWORD + "\n")

    def folder(self):
        with self.lock:
            self.plays += 1
            path = os.path.join(self.o.work, f"play{self.plays}")
        os.mkdir(path)
        return path

    def command(self, archive, *options, server=None):
        port = (server or self.server).port
        return [self.o.program, "copy", f"imap://alice@127.0.0.1:{port}/",
                archive, "--source-tls=plaintext", "--source-password-file",
                self.password_file, "--account", "alice", "--threads", "1",
                "--volume-size", "8K", "--min-free", "0", "--window", "3",
                "--retry-wait", "0.02", "--retries", "2", "--timeout", "20",
                *options]

    @staticmethod
    def peak(pid):
        """Of its memory so far, in octets; 0 once it has ended. What wait4
        tells begins with the memory of this process."""
        try:
            with open(f"/proc/{pid}/status") as file:
                found = re.search(r"VmHWM:\s+(\d+)", file.read())
        except OSError:
            return 0
        return int(found[1]) << 10 if found else 0

    def run(self, command, cwd, env=None, seconds=60,
            stdin=subprocess.DEVNULL):
        """Its end; code "hung" if it had to be killed."""
        surroundings = {**os.environ, "LC_ALL": "C.UTF-8", **(env or {})}
        if self.asan:
            # Leaks can't be looked for under strace.
            surroundings["ASAN_OPTIONS"] = (
                os.environ.get("ASAN_OPTIONS", "") +
                ":detect_leaks=0:verify_asan_link_order=0")
        out_path = os.path.join(cwd, "output")
        with open(out_path, "wb+") as out:
            process = subprocess.Popen(command, stdout=out, stderr=out,
                                       stdin=stdin, cwd=cwd,
                                       env=surroundings)
            end = time.monotonic() + seconds * self.slow
            rss = 0
            while True:
                rss = max(rss, self.peak(process.pid))
                pid, status, _ = os.wait4(process.pid, os.WNOHANG)
                if pid:
                    break
                if time.monotonic() > end:
                    process.kill()
                    os.wait4(process.pid, 0)
                    status = None
                    break
                time.sleep(0.003)
            code = ("hung" if status is None
                    else os.waitstatus_to_exitcode(status))
            process.returncode = 0 if status is None else code
            out.seek(0)
            return Ended(code, out.read().decode("utf-8", "replace"), rss)

    def haul(self, cwd, *options, env=None, server=None, seconds=60,
             before=()):
        archive = os.path.join(cwd, "archive")
        return self.run([*before, *self.command(archive, *options,
                                                server=server)],
                        cwd, env, seconds)

    @staticmethod
    def log(cwd):
        """The words of each line that the preloaded helper wrote."""
        try:
            with open(os.path.join(cwd, "log"), errors="replace") as file:
                return [line.split(None, 3) for line in file]
        except FileNotFoundError:
            return []

    # ---- the judge ----

    def whole(self, cwd):
        """What is wrong with an archive that has to be complete."""
        archive = os.path.join(cwd, "archive")
        wanted = self.wanted
        wrong = []
        verify = self.run([self.o.program, "verify", archive], cwd)
        if verify.code != 0:
            wrong.append(f"verify {verify.code}: {verify.text[-600:]}")
        for folder, _, files in os.walk(archive):
            wrong += [f"left over: {folder}/{f}" for f in files
                      if f.endswith((".part", ".new"))]
        rows = compare_catalog.catalog_rows(archive, wrong.append)
        got = {key[1:2] + key[3:]: row["sha256"] for key, row in rows.items()}
        if len(got) != len(rows):
            self.counts["doubled"] += 1
            wrong.append("placements of two generations")
        lost = wanted.items() - got.items()
        more = got.items() - wanted.items()
        self.counts["lost"] += len(lost)
        self.counts["doubled"] += len(more)
        if lost or more:
            wrong.append(f"lost {sorted(lost)}, made up {sorted(more)}")
        return wrong + self.ledger(archive, len(wanted))

    def ledger(self, archive, messages):
        path = os.path.join(archive, "mailhaul.db")
        wrong = []
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        for what, query, wanted in (
                ("integrity", "PRAGMA integrity_check", "ok"),
                ("deliveries", "SELECT count(*) FROM delivery"
                 " WHERE outcome = 1", messages),
                ("runs left open", "SELECT count(*) FROM run"
                 " WHERE state = 0", 0),
                ("volumes not sealed", "SELECT count(*) FROM volume"
                 " WHERE state <> 1", 0),
                ("runs without a manifest", "SELECT count(*) FROM run"
                 " WHERE manifest_sha256 IS NULL", 0)):
            got = db.execute(query).fetchone()[0]
            if got != wanted:
                wrong.append(f"index: {what}: {got}, not {wanted}")
        db.close()
        return wrong

    def heals(self, cwd, *options):
        """The next haul completes, and all is there once."""
        again = self.haul(cwd, *options)
        if again.code != 0:
            return [f"the next haul: exit {again.code}: {again.text[-900:]}"]
        return self.whole(cwd)

    # ---- playing ----

    def play(self, name, function):
        """function(cwd) -> findings, in a folder of its own."""
        cwd = self.folder()
        began = time.monotonic()
        try:
            wrong = function(cwd)
        except Exception as error:  # a play must not hide the others
            wrong = [f"{type(error).__name__}: {error}"]
        with self.lock:
            if wrong:
                self.findings.append((name, wrong))
                print(f"FAILED: {name}")
                for finding in wrong:
                    print(f"    {finding}")
                sys.stdout.flush()
                keep = os.environ.get("FAULTS_KEEP")
                if keep:
                    shutil.copytree(cwd, os.path.join(
                        keep, re.sub(r"[^\w.+-]+", "-", name)),
                        dirs_exist_ok=True)
            elif self.o.verbose:
                print(f"ok: {name} ({time.monotonic() - began:.1f} s)")
        shutil.rmtree(cwd)
        return not wrong

    def play_all(self, plays):
        """plays: (name, function); False if one failed."""
        chosen = [p for p in plays if re.search(self.o.only, p[0])]
        with ThreadPoolExecutor(self.o.jobs) as pool:
            return all(list(pool.map(lambda p: self.play(*p), chosen)))

    def sample(self, last, most, soak_most=1 << 30):
        """Numbers from 1 to last: all, or so many of them by chance."""
        if self.o.soak:
            most = soak_most
        if last <= most:
            return range(1, last + 1)
        return sorted(self.random.sample(range(1, last + 1), most))

    def end(self, least, late_share=0.1):
        """The closing line; the exit code. So many may come too late."""
        done, late = self.counts["injected"], self.counts["late"]
        each = ", ".join(f"{k[3:]} {v}" for k, v in sorted(self.counts.items())
                         if k.startswith("by "))
        codes = ", ".join(f"{k}: {v}" for k, v in sorted(
            self.codes.items(), key=str))
        print(f"== faults: {done + late} set up, {done} reached ({each}),"
              f" {late} ended before;"
              f" {self.counts['lost']} lost, {self.counts['doubled']} doubled")
        print(f"== ends: {codes}; {len(self.findings)} plays failed")
        if done < least and not self.o.only:
            print(f"FAILED: only {done} faults, not {least}")
            return 1
        if late > late_share * (done + late):
            print(f"FAILED: {late} of {done + late} faults came too late")
            return 1
        return 1 if self.findings else 0
