#!/usr/bin/env python3
"""Archives that somebody made to harm whoever reads them (R01-R06), or that
others may write into (O07).

A good archive of two volumes is made from a scripted server. Each case of
hostile_archive_cases.py then turns the second volume, its catalog, its seek
table, the manifests, the index or what lies beside them, and everything that
reads archives is let loose on it: verify, ls, show, find, export, unpack.sh
under dash, `index --rebuild`, verify and export behind that; and a haul into a
second copy. Asserted: the exit codes of the case's row and what verify says,
that the case did change something, no signal, 256 MiB of memory, a minute and
a half, nobody waited for at the standard input, no control octets on the
screen, no file outside the folder of each command, no file of octets that
aren't a message, and every message of the volume that was not touched is
there: by the old index, by unpack.sh and by the new one.
"""
import hashlib
import io
import json
import os
import re
import shutil
import sqlite3
import stat
import sys
import tarfile
import time

from fault_play import CRASHES, RSS_MAX, Stage, mail, serve
from hostile_archive_cases import CASES, OF_ANOTHER, WAYS, truncations
from hostile_tar import expand, frames_of
from scripted_imap import Message

# A row that nobody added or that got lost is noticed.
ROWS = 161
# What takes seconds of the processor.
SOAK_ONLY = re.compile("R02 .*(million|00,000|512 MiB)|R03 a million")
COMMANDS = ("verify", "index --rebuild", "unpack.sh", "a haul")


class Play:
    """An archive; one that a case turns is a copy of the good one."""

    def __init__(self, stage, cwd, good=None, other=None):
        self.stage, self.cwd, self.other = stage, cwd, other
        self.jail = os.path.join(cwd, "jail")
        self.dir = os.path.join(self.jail, "archive")
        self.wrong, self.codes = [], {}
        if good is None:
            return
        shutil.copytree(good.dir, self.dir)
        with open(os.path.join(cwd, "canary"), "wb") as file:
            file.write(b"canary\n")
        self.look(good.tar)

    def look(self, tar):
        self.volume = self.volumes()[1]
        self.frames = frames_of(self.volume)
        self.tar = tar
        with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
            self.names = [n for n in archive.getnames() if "/cur/" in n]

    def volumes(self):
        return self.files("volumes")

    def manifests(self):
        return self.files("runs")

    def files(self, folder):
        path = os.path.join(self.dir, folder)
        return sorted(os.path.join(path, f) for f in os.listdir(path)
                      if f.endswith(".zst"))

    def state(self):
        """What tells whether anything was changed."""
        found = {}
        for path, folders, files in os.walk(self.dir):
            for name in [".", *folders, *files]:
                name = os.path.join(path, name)
                kind = os.lstat(name)
                found[name] = kind.st_mode, kind.st_uid
                if stat.S_ISREG(kind.st_mode):
                    with open(name, "rb") as file:
                        found[name] = hashlib.sha256(file.read()).digest()
        return found


class Plays:
    def __init__(self, stage):
        self.stage = stage
        # Nobody ever writes into it: who reads the standard input waits.
        self.silence, self.pipe = os.pipe()
        self.good, self.other = self.make("good", 0), self.make("other", 50)
        self.names = {"volume": self.short(self.good.volumes()[1]),
                      "run": self.short(self.good.manifests()[-1])}
        self.kept = self.hashes_of(self.good.volumes()[0])
        self.all = self.kept | self.hashes_of(self.good.volumes()[1])
        self.known = self.all | self.hashes_of(self.other.volumes()[0])
        if len(self.kept) < 4 or len(self.all) < 8:
            sys.exit("FAILED: the archive to be turned has too little in it")

    @staticmethod
    def short(path):
        return os.path.basename(path).split(".")[0]

    def make(self, name, first):
        play = Play(self.stage, os.path.join(self.stage.folder(), name))
        os.makedirs(play.jail)
        body = mail(first, 6000)
        boxes = {"INBOX": [Message(n, mail(first + n, 500))
                           for n in range(1, 4)] + [Message(4, body)]}
        play.server = serve(boxes)
        for n in range(2):
            made = self.stage.haul(play.jail, server=play.server)
            if made.code:
                sys.exit(f"the archive to be turned: {made.text}")
            boxes["INBOX"] = boxes["INBOX"] + [
                Message(8 * n + m, mail(first + m, 700)) for m in range(5, 8)
            ] + [Message(8 * n + 8, b"Received: by y\r\n" + body)]
            time.sleep(1.1)  # names of runs and volumes sort by the second
        play.look(expand(play.volumes()[1]))
        return play

    @staticmethod
    def hashes_of(volume):
        with tarfile.open(fileobj=io.BytesIO(expand(volume))) as archive:
            lines = archive.extractfile(".mailhaul/CATALOG.jsonl").read()
        return {json.loads(x)["sha256"] for x in lines.splitlines()}

    def run(self, play, allowed, *words):
        """A command that may end with these codes."""
        ended = self.stage.run(list(words), play.jail, seconds=90,
                               stdin=self.silence)
        ours = words[0] == self.stage.o.program
        what = " ".join(os.path.basename(w) for w in words[:3])
        if ended.code == "hung" or ended.code in CRASHES or ended.code < 0:
            play.wrong.append(
                f"{what}: ended by {ended.code}: {ended.text[-1500:]}")
        elif ended.code not in allowed:
            play.wrong.append(f"{what}: exit {ended.code}, not {allowed}:"
                              f" {ended.text[-700:]}")
        if ours and ended.rss > RSS_MAX * (8 if self.stage.asan else 1):
            play.wrong.append(f"{what}: {ended.rss >> 20} MiB")
        # What show writes is the message.
        if "show" not in words and any(
                ord(c) < 32 and c not in "\n\t" or 127 <= ord(c) < 160
                for c in ended.text):
            play.wrong.append(f"{what}: control octets on the screen:"
                              f" {ended.text[-300:]!r}")
        return ended

    def run_row(self, play, case, n, *words):
        """One of COMMANDS, whose code stands in the case's row."""
        codes = case.codes.split()
        ended = self.run(play, range(-255, 256), *words)
        play.codes[n] = ended.code
        if str(ended.code) != codes[n]:
            play.wrong.append(f"{COMMANDS[n]}: exit {ended.code}, not"
                              f" {codes[n]}: {ended.text[-700:]}")
        return ended

    def take(self, play, case, what, folder):
        """What lies below a folder: files and folders only, all messages
        that must be there, and nothing but messages where we wrote it."""
        found = set()
        for path, folders, files in os.walk(os.path.join(play.jail, folder)):
            for name in files + folders:
                mode = os.lstat(os.path.join(path, name)).st_mode
                if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                    play.wrong.append(f"{what}: {name} is no file")
                if stat.S_ISREG(mode) and mode & (stat.S_ISUID | stat.S_ISGID):
                    play.wrong.append(f"{what}: {name} is setuid")
            for name in files if os.path.basename(path) == "cur" else ():
                with open(os.path.join(path, name), "rb") as file:
                    found.add(hashlib.sha256(file.read()).hexdigest())
        if what in case.keeps and self.kept - found:
            play.wrong.append(f"{what}: {len(self.kept - found)} messages of"
                              " the other volume are missing")
        if what != "unpack.sh" and found - self.known:
            play.wrong.append(f"{what}: octets that are no message")

    @staticmethod
    def escapes(play):
        """Nothing lies but where it may."""
        for folder, allowed in ((play.cwd, {"jail", "canary", "outside"}),
                                (play.jail, {"archive", "export", "unpacked",
                                             "again", "output"})):
            play.wrong += [f"escaped: {name}" for name in os.listdir(folder)
                           if name not in allowed]
        canary = os.path.join(play.cwd, "canary")
        with open(canary, "rb") as file:
            if file.read() != b"canary\n" or os.stat(canary).st_nlink != 1:
                play.wrong.append("the canary was written or linked to")

    def read(self, play, case):
        program, jail = self.stage.o.program, play.jail
        verify = self.run_row(play, case, 0, program, "verify", play.dir)
        says = case.says.format(**self.names)
        if not re.search(says, verify.text):
            play.wrong.append(f"verify doesn't say {says}:"
                              f" {verify.text[-700:]}")
        self.run(play, (0, 9), program, "ls", play.dir, "**", "--json")
        self.run(play, (0, 1, 9), program, "find", play.dir, "message")
        for sha in sorted(self.all)[:2] + sorted(self.kept)[:1]:
            self.run(play, (0, 1, 7, 9, 11), program, "show", play.dir, sha)
        self.run(play, (0, 1, 7, 9), program, "export", play.dir,
                 f"maildir:{jail}/export")
        self.take(play, case, WAYS[0], "export")
        if case.codes.split()[2] != "-":
            script = os.path.join(os.environ["TOP"], "src/archive/unpack.sh")
            self.run_row(play, case, 2, "dash", script, play.dir,
                         f"{jail}/unpacked")
            self.take(play, case, WAYS[1], "unpacked")

    def rebuild(self, play, case):
        program, jail = self.stage.o.program, play.jail
        for name in [] if case.old_index else os.listdir(play.dir):
            if name.startswith("mailhaul"):
                os.unlink(os.path.join(play.dir, name))
        ended = self.run_row(play, case, 1, program, "index", "--rebuild",
                             play.dir)
        if ended.code not in (0, 9):
            return
        self.run(play, (0, 7, 9), program, "verify", play.dir)
        self.run(play, (0, 1, 7, 9), program, "export", play.dir,
                 f"maildir:{jail}/again")
        self.take(play, case, WAYS[2], "again")
        db = sqlite3.connect(f"file:{play.dir}/mailhaul.db?mode=ro", uri=True)
        for pragma in ("integrity_check", "foreign_key_check"):
            rows = db.execute(f"PRAGMA {pragma}").fetchall()
            if rows not in ([], [("ok",)]):
                play.wrong.append(f"{pragma} after a rebuild: {rows[:3]}")
        db.close()

    def haul(self, play, case):
        """Into another copy: it is refused, or goes on beside the damage."""
        ended = self.run_row(play, case, 3, *self.stage.command(
            play.dir, server=self.good.server))
        if not re.search(case.hauls, ended.text):
            play.wrong.append(f"the haul doesn't say {case.hauls}:"
                              f" {ended.text[-700:]}")

    def turned(self, case, cwd):
        os.mkdir(cwd)
        play = Play(self.stage, cwd, self.good, self.other)
        before = play.state()
        case.change(play)
        if play.state() == before and case.name != "untouched":
            play.wrong.append("the case changed nothing")
        return play

    def case(self, case, cwd):
        play = self.turned(case, os.path.join(cwd, "read"))
        self.read(play, case)
        self.escapes(play)
        self.rebuild(play, case)
        self.escapes(play)
        other = self.turned(case, os.path.join(cwd, "haul"))
        self.haul(other, case)
        self.escapes(other)
        codes = {**play.codes, **other.codes}
        with self.stage.lock:
            self.stage.counts["played"] += 1
            self.stage.counts["commands"] += len(codes)
            if self.stage.o.verbose:
                print(f"{case.name}: " + " ".join(
                    str(codes.get(n, "-")) for n in range(4)))
        return play.wrong + other.wrong


def main():
    stage = Stage(__doc__)
    plays = Plays(stage)
    if len({c.name for c in CASES}) != len(CASES) or len(CASES) != ROWS:
        sys.exit(f"FAILED: {len(CASES)} rows, not {ROWS}, or a name twice")
    cases = CASES + truncations(plays.good)
    if os.geteuid() != 0:
        print("== SKIPPED: only root gives a folder to another user")
        cases = [c for c in cases if not c.name.endswith(OF_ANOTHER)]
    chosen = [c for c in cases if re.search(stage.o.only, c.name)]
    if not stage.o.soak and not stage.o.only:
        quick = [c for c in cases if not SOAK_ONLY.search(c.name)]
        chosen = stage.random.sample(quick, len(cases) // 5)
    good = stage.play_all([(c.name, lambda cwd, c=c: plays.case(c, cwd))
                           for c in chosen])
    played = stage.counts["played"]
    print(f"== hostile archives: {played} of {len(cases)} cases played,"
          f" {len(stage.findings)} failed")
    if played != len(chosen) or not played:
        sys.exit(f"FAILED: {played} cases were played, not {len(chosen)}")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
