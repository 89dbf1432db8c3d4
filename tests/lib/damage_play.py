#!/usr/bin/env python3
"""Flip single bits in a copy of an archive, and see what is said and kept.

An archive with a history is made from a scripted server: several volumes and
frames, hardlinks, references, flags that changed, mail that went. Then each
play flips one bit of one file:

- a volume: verify has to name it (exit 7 or 9), and every message of which no
  octet lies in the damaged frame is exported as it was; unpack.sh, which can't
  go on behind a damaged frame, gives everything of the other volumes, and names
  each file that it wrote otherwise or not at all, or ends with 0 and has all;
- a manifest: verify names it, and every message is exported;
- the index: where a flip changes what any table holds, or integrity_check,
  verify has to say so, by the index's name. What no volume and no manifest tells is beyond it: see
  ONLY_INDEX. Every message is exported as it was, or the program says that the
  index is damaged; and `mailhaul index --rebuild` gives everything back.
"""
import collections
import hashlib
import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys

from fault_play import Stage, noise, serve
from hostile_tar import frames_of
from scripted_imap import Message

# Columns that nothing but the index knows, and what they are for: where the
# next run takes a mailbox up (a wrong one is found out by counting), what an
# EMAILID named, words about what did not get there, rows of things to come.
ONLY_INDEX = {
    "delta": None, "email": None, "note": None, "budget": None,
    "target_box": None, "unique_id": None, "batch": None,
    "delivery": {"sflags", "tflags", "tbox", "tuid", "batch", "dup_mailbox",
                 "dup_okey"},
}
CAPABILITY = "IMAP4rev1 ENABLE CONDSTORE QRESYNC ESEARCH OBJECTID"


def mail(n, size, received=""):
    head = (f"From: sender {n} <s{n}@damage.example>\r\nTo: alice\r\n"
            f"Subject: message {n}\r\nMessage-ID: <{n}@damage.example>\r\n")
    return (received + head).encode() + b"\r\n" + noise(n, size)


def account():
    """4 MB that don't compress, so that there are frames."""
    inbox = [mail(n, 200000 if n % 3 else 900) for n in range(30)]
    sent = [inbox[0], inbox[4], mail(4, 200000, "Received: by x\r\n"),
            mail(7, 200000, "Received: by y\r\n")]
    boxes = {"INBOX": inbox, "Sent": sent, "Empty": []}
    return {name: [Message(i + 1, body, modseq=1)
                   for i, body in enumerate(bodies)]
            for name, bodies in boxes.items()}


def change(server, day):
    inbox = server.mailboxes["INBOX"]
    server.modseq += 1
    inbox[day].flags = "\\Flagged $Day%d" % day
    inbox[day].modseq = server.modseq
    gone = inbox.pop(day + 5)
    server.expunged.append((server.modseq, "INBOX", gone.uid))
    uid = server.uidnext("INBOX")
    inbox.append(Message(uid, mail(100 + day, 3000), modseq=server.modseq))


class Archive:
    """What a good archive holds, and where."""

    def __init__(self, stage, cwd):
        self.stage, self.cwd = stage, cwd
        self.dir = os.path.join(cwd, "archive")
        self.frames = {v: frames_of(v) for v in self.files("volumes")}
        self.messages, _ = self.export(self.dir, cwd)
        self.unpacked, ended = self.unpack(self.dir, cwd)
        if ended.code:
            sys.exit(f"unpack.sh of what nobody damaged: {ended}")
        self.parts = self.placed()
        self.tables = dump(os.path.join(self.dir, "mailhaul.db"))

    def files(self, folder):
        path = os.path.join(self.dir, folder)
        return sorted(os.path.join(path, f) for f in os.listdir(path)
                      if f.endswith(".zst"))

    def export(self, archive, cwd):
        """{sha256: times} of the exported files, and the program's end."""
        into = os.path.join(cwd, "export")
        shutil.rmtree(into, ignore_errors=True)
        ended = self.stage.run(
            [self.stage.o.program, "export", archive, f"maildir:{into}"], cwd)
        found = collections.Counter()
        for folder, _, files in os.walk(into):
            if os.path.basename(folder) == "cur":
                for name in files:
                    with open(os.path.join(folder, name), "rb") as file:
                        found[hashlib.sha256(file.read()).hexdigest()] += 1
        shutil.rmtree(into, ignore_errors=True)
        return found, ended

    def unpack(self, archive, cwd):
        """{path: sha256} of what unpack.sh wrote, and its end."""
        into = os.path.join(cwd, "unpacked")
        shutil.rmtree(into, ignore_errors=True)
        script = os.path.join(os.environ["TOP"], "src/archive/unpack.sh")
        ended = self.stage.run(["dash", script, archive, into], cwd)
        found = {}
        for folder, _, files in os.walk(into):
            if os.path.basename(folder) == "cur":
                for name in files:
                    path = os.path.join(folder, name)
                    with open(path, "rb") as file:
                        found[os.path.relpath(path, into)] = hashlib.sha256(
                            file.read()).hexdigest()
        shutil.rmtree(into, ignore_errors=True)
        return found, ended

    def placed(self):
        """sha256 -> [(volume, first, last plain octet)] of what is read."""
        db = sqlite3.connect(f"file:{self.dir}/mailhaul.db?mode=ro", uri=True)
        frames = collections.defaultdict(list)
        for name, no, plain in db.execute(
                "SELECT v.name, f.no, f.plain FROM frame f JOIN volume v"
                " ON v.id = f.volume ORDER BY 1, 2"):
            frames[name].append(plain)
        where, found = {}, collections.defaultdict(list)
        for row in db.execute(
                "SELECT c.id, lower(hex(c.sha256)), v.name, s.frame, s.off,"
                " iif(s.body_of IS NULL, c.size, c.header_size), s.body_of"
                " FROM stored s JOIN content c ON c.id = s.content"
                " JOIN volume v ON v.id = s.volume"):
            cid, sha, volume, frame, off, size, body = row
            start = frames[volume][frame] + off
            where.setdefault(cid, []).append((volume, start, start + size))
            found[sha].append(((volume, start, start + size), body))
        db.close()
        return {sha: [p for part, body in parts
                      for p in [part] + (where[body] if body else [])]
                for sha, parts in found.items()}


def dump(path):
    """{table: [rows as dictionaries]}, or None if it can't be read."""
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        db.row_factory = sqlite3.Row
        db.text_factory = bytes
        names = [r[0].decode() for r in db.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table'"
            " AND name NOT LIKE 'sqlite_%'")]
        tables = {}
        for name in names:
            rows = db.execute(f"SELECT * FROM {name}").fetchall()
            tables[name] = [dict(r) for r in rows]
        sound = db.execute("PRAGMA integrity_check").fetchall()
        tables["sound"] = [tuple(r) for r in sound]
        schema = db.execute("SELECT sql FROM sqlite_schema").fetchall()
        tables["schema"] = [tuple(r) for r in schema]
        return tables
    except (sqlite3.Error, UnicodeDecodeError, OverflowError):
        return None
    finally:
        db.close()  # or a rebuild would find it open


def differing(before, after):
    """[(table, column)] that a flip changed; None: unreadable."""
    if after is None or after["sound"] != before["sound"]:
        return None
    found = set()
    for name in before:
        a, b = before[name], after.get(name)
        if a == b:
            continue
        if (b is None or len(a) != len(b) or not isinstance(a[0], dict)
                or a[0].keys() != b[0].keys()):
            found.add((name, "rows"))
            continue
        for one, two in zip(a, b):
            found |= {(name, c) for c in one if one[c] != two[c]}
    return sorted(found)


def beyond_verify(columns):
    return all(table in ONLY_INDEX and
               (ONLY_INDEX[table] is None or column in ONLY_INDEX[table])
               for table, column in columns)


class Plays:
    def __init__(self, stage):
        self.stage = stage
        self.cwd = stage.folder()
        server = serve(account())
        server.capability = CAPABILITY
        for day in range(4):
            if day:
                change(server, day)
            made = stage.haul(self.cwd, "--volume-size", "3M", server=server)
            if made.code:
                sys.exit(f"the haul to be damaged: {made.text}")
        self.good = Archive(stage, self.cwd)
        volumes = self.good.frames.values()
        counts = (len(volumes), sum(map(len, volumes)),
                  len(self.good.files("runs")), len(self.good.messages))
        print("== %d volumes of %d frames, %d manifests, %d messages" % counts)
        if min(counts) < 3:
            sys.exit("FAILED: too little to be damaged")

    def flip(self, cwd, name, bit):
        """A copy of the archive with one bit of a file turned."""
        archive = os.path.join(cwd, "archive")
        shutil.copytree(self.good.dir, archive, copy_function=link_or_copy)
        path = os.path.join(archive, os.path.relpath(name, self.good.dir))
        with open(path, "rb") as file:
            data = bytearray(file.read())
        data[bit // 8] ^= 1 << bit % 8
        os.unlink(path)
        with open(path, "wb") as file:
            file.write(data)
        return archive

    def run(self, cwd, *words):
        return self.stage.run([self.stage.o.program, *words], cwd)

    def named(self, cwd, archive, name):
        """verify has to find it, by the file's name."""
        verify = self.run(cwd, "verify", archive)
        short = os.path.basename(name).split(".")[0]
        if verify.code not in (7, 9):
            return [f"verify: exit {verify.code}: {verify.text[-800:]}"]
        return [] if short in verify.text else [
            f"verify doesn't name {short}: {verify.text[-800:]}"]

    def kept(self, cwd, archive, lost):
        """All is exported but what may be lost."""
        found, ended = self.good.export(archive, cwd)
        missing = {sha for sha, n in (self.good.messages - found).items()}
        made_up = found - self.good.messages
        wrong = []
        if missing - lost:
            wrong.append(f"{len(missing - lost)} messages elsewhere are not"
                         f" exported: {ended.text[-800:]}")
        # Octets that don't have the hash are never written as if they had.
        if made_up:
            wrong.append(f"{sum(made_up.values())} exported files are no"
                         " message")
        if missing and ended.code == 0:
            wrong.append("export lost mail and said 0")
        return wrong

    def volume(self, cwd, name, bit):
        archive = self.flip(cwd, name, bit)
        wrong = self.named(cwd, archive, name)
        short = os.path.basename(name)[:-len(".tar.zst")]
        hit = [(plain, plain + size) for at, packed, plain, size in
               self.good.frames[name] if at <= bit // 8 < at + packed]
        lost = {sha for sha, parts in self.good.parts.items()
                if any(volume == short and first < high and last > low
                       for volume, first, last in parts for low, high in hit)}
        self.stage.counts["by volume" if hit else "by seek table"] += 1
        wrong += self.kept(cwd, archive, lost)
        # Many processes: not for each flip of a sample.
        if self.stage.o.soak or bit // 8 % 4 == 0:
            wrong += self.unpacked(cwd, archive, os.path.basename(name))
        return wrong

    def unpacked(self, cwd, archive, volume):
        """unpack.sh says of each file whether it is as it was."""
        good = self.good.unpacked
        found, ended = self.good.unpack(archive, cwd)
        other = {p for p in good.keys() | found.keys()
                 if found.get(p) != good.get(p)}
        self.stage.counts["unpacked whole" if not other
                          else "unpacked in part"] += 1
        self.stage.codes[ended.code] += 1
        if ended.code == 0:
            return ["unpack.sh lost mail and said 0"] if other else []
        wrong = []
        if ended.code != 1:
            wrong.append(f"unpack.sh: exit {ended.code}: {ended.text[-800:]}")
        said = set(ended.text.splitlines())
        silent = [p for p in other if "  " + p not in said]
        # The catalog is what names; a volume without one is named itself.
        if silent and not re.search(f"(NO CATALOG in|DAMAGED|REFUSED)"
                                    f" {re.escape(volume)}", ended.text):
            wrong.append(f"unpack.sh says nothing of {silent[:3]}:"
                         f" {ended.text[-800:]}")
        elsewhere = {sha for sha, parts in self.good.parts.items()
                     if all(v + ".tar.zst" != volume for v, _, _ in parts)}
        lost = elsewhere & set(good.values()) - set(found.values())
        if lost:
            wrong.append(f"unpack.sh lost {len(lost)} messages of other"
                         f" volumes: {ended.text[-800:]}")
        return wrong

    def manifest(self, cwd, name, bit):
        archive = self.flip(cwd, name, bit)
        self.stage.counts["by manifest"] += 1
        return self.named(cwd, archive, name) + self.kept(cwd, archive, set())

    def index(self, cwd, name, bit, rebuild):
        archive = self.flip(cwd, name, bit)
        path = os.path.join(archive, "mailhaul.db")
        columns = differing(self.good.tables, dump(path))
        harmless = columns == []
        self.stage.counts["by index, nothing said by it" if harmless
                          else "by index"] += 1
        verify = self.run(cwd, "verify", archive)
        wrong = []
        if verify.code not in (0, 7, 9):
            wrong.append(f"verify: exit {verify.code}: {verify.text[-800:]}")
        # Not by the command to make it anew.
        if verify.code and not re.search(
                r"^(?! *Then: ).*(mailhaul\.db|\bindex\b)", verify.text,
                re.M):
            wrong.append(f"verify doesn't name the index: {verify.text[-800:]}")
        if verify.code == 0 and not harmless:
            if columns is None or not beyond_verify(columns):
                wrong.append(f"verify found nothing: {columns}")
            else:
                self.stage.counts["beyond verify"] += 1
        found, ended = self.good.export(archive, cwd)
        # One placement may name another message: verify has told so.
        if (set(found) - set(self.good.messages) or
                sum(found.values()) > sum(self.good.messages.values())):
            wrong.append("exported files are no message")
        if found != self.good.messages and verify.code == 0:
            wrong.append(f"export differs: {ended.text[-500:]}")
        if ended.code not in (0, 1, 2, 7, 9):
            wrong.append(f"export: {ended}")
        return wrong + (self.rebuilt(cwd, archive) if rebuild else [])

    def rebuilt(self, cwd, archive):
        again = self.run(cwd, "index", "--rebuild", archive)
        if again.code:
            return [f"rebuild: exit {again.code}: {again.text[-500:]}"]
        found, ended = self.good.export(archive, cwd)
        if found != self.good.messages:
            return [f"after the rebuild: {ended.text[-500:]}"]
        verify = self.run(cwd, "verify", archive)
        self.stage.counts["rebuilt"] += 1
        return [] if verify.code == 0 else [
            f"verify after the rebuild: {verify.text[-500:]}"]

    # ---- which bits ----

    def table(self, n):
        rng = self.stage.random
        plays = []

        def some(kind, names, function, *more):
            octets = {}
            for name in names:
                with open(name, "rb") as file:
                    data = file.read()
                # Pages of an index are empty for the most part.
                octets[name] = [i for i, c in enumerate(data) if c]
            for i in range(n):
                name = rng.choice(names)
                bit = rng.choice(octets[name]) * 8 + rng.randrange(8)
                extra = [rng.random() < 0.25] if more else []
                plays.append((f"{kind} {i}: bit {bit} of "
                              f"{os.path.basename(name)}",
                              lambda cwd, a=(name, bit, *extra):
                              function(cwd, *a)))
        some("volume", self.good.files("volumes"), self.volume)
        # The last frames: a catalog is small beside the mail.
        for i in range(n):
            name = rng.choice(self.good.files("volumes"))
            at, size, _, _ = self.good.frames[name][-1]
            end = os.path.getsize(name)
            bit = rng.randrange(at * 8, end * 8)
            plays.append((f"catalog {i}: bit {bit} of {os.path.basename(name)}",
                          lambda cwd, a=(name, bit): self.volume(cwd, *a)))
        some("manifest", self.good.files("runs"), self.manifest)
        some("index", [os.path.join(self.good.dir, "mailhaul.db")], self.index,
             True)
        return plays


def link_or_copy(source, target):
    """Volumes and manifests are never written in place."""
    if source.endswith(".zst"):
        os.link(source, target)
    else:
        shutil.copy2(source, target)


def main():
    stage = Stage(__doc__, lambda parser: parser.add_argument(
        "--times", type=int, default=0, help="flips of each kind"))
    plays = Plays(stage)
    n = stage.o.times or (400 if stage.o.soak else 40)
    good = stage.play_all(plays.table(n))
    counts = ", ".join(f"{k} {v}" for k, v in sorted(stage.counts.items()))
    print(f"== damage: {4 * n} bits turned: {counts};"
          f" unpack.sh ended {dict(stage.codes)};"
          f" {len(stage.findings)} plays failed")
    if not stage.counts["unpacked in part"] and not stage.o.only:
        sys.exit("FAILED: unpack.sh never met what it can't unpack")
    sys.exit(0 if good and not stage.findings else 1)


if __name__ == "__main__":
    main()
