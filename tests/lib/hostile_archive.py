#!/usr/bin/env python3
"""Archives that somebody made to harm whoever reads them (R01-R06).

A good archive of two volumes is made from a scripted server. Each case then
turns the second volume, its catalog, its seek table, or the manifests, and
everything that reads archives is let loose on it: verify, ls, show, export,
unpack.sh under dash, `index --rebuild` without the old index, and verify and
export behind that. Asserted: the exit codes of the case's row, no signal, 256
MiB of memory, a minute and a half, no file outside the folder of each command,
no file of octets that aren't a message, and every message of the volume that
was not touched is there: by the old index, by unpack.sh and by the new one.
"""
import collections
import hashlib
import io
import json
import os
import shutil
import sqlite3
import stat
import sys
import tarfile
import time

from fault_play import CRASHES, RSS_MAX, Stage, mail, serve
from hostile_tar import (a_link, bomb, bomb_volume, by_zstd, catalog, compress,
                         deep, each, entries, entry, expand, extended,
                         frames_of, header, huge_window, instead, manifest,
                         manifest_rows, more_tsv, odd_names, of_another,
                         one_more, raw, replay_old, seek_table, split, swap,
                         table, write)
from scripted_imap import Message

BAD = (7, 9)
# keeps: the messages of the first volume are still to be had.
Case = collections.namedtuple("Case", "name change verify rebuild unpack keeps",
                              defaults=[BAD, (0, 9), (0, 1), True])
ZEROS = "0" * 64


def outside(play):
    return os.path.join(play.cwd, "escape")


def volumes(play):
    return play.volumes()


def manifests(play):
    return play.manifests()


def swap_hashes(rows):
    rows[0]["sha256"], rows[1]["sha256"] = rows[1]["sha256"], rows[0]["sha256"]


def of_type(kind, **values):
    def edit(rows):
        for row in rows:
            if row["type"] == kind:
                row.update(values)
    return edit


CASES = [
    Case("untouched", lambda play: None, (0,), (0,), (0,)),
    Case("the same tar, framed by another", entries(), (0, 7), (0, 9), (0,)),

    # ---- R01: tar ----
    Case("R01 ../", entries(entry("../../../escape"))),
    Case("R01 .. inside", entries(entry("a/../../../escape"))),
    Case("R01 .. by pax", entries(entry(
        "x", pax=[(b"path", b"../../escape")]))),
    Case("R01 absolute", entries(lambda p: entry(outside(p)))),
    Case("R01 absolute by pax", entries(lambda p: entry(
        "x", pax=[(b"path", outside(p).encode())]))),
    Case("R01 a symlink, and an entry through it", entries(
        entry("into", kind=tarfile.SYMTYPE, link="../.."),
        entry("into/escape"))),
    Case("R01 an absolute symlink", entries(
        lambda p: entry("into", kind=tarfile.SYMTYPE, link=p.cwd),
        entry("into/escape"))),
    Case("R01 a hardlink outside", entries(
        entry("hard", kind=tarfile.LNKTYPE, link="../../canary"))),
    Case("R01 an absolute hardlink", entries(lambda p: entry(
        "hard", kind=tarfile.LNKTYPE, link=os.path.join(p.cwd, "canary")))),
    Case("R01 a hardlink by pax", entries(entry(
        "hard", kind=tarfile.LNKTYPE, link="x",
        pax=[(b"linkpath", b"../../canary")]))),
    Case("R01 a device", entries(entry("null", kind=tarfile.CHRTYPE))),
    Case("R01 a fifo", entries(entry("pipe", kind=tarfile.FIFOTYPE))),
    Case("R01 setuid", entries(entry("suid", mode=0o6777))),
    Case("R01 the same name twice", entries(
        lambda p: entry(p.names[0], b"forged\r\n"))),
    Case("R01 a size of 2^63", entries(entry("big", size=1 << 63))),
    Case("R01 a size of 2^64 - 1", entries(entry("big", size=(1 << 64) - 1))),
    Case("R01 a size of 2^40", entries(entry("big", size=1 << 40))),
    Case("R01 a negative mtime", entries(entry("old", mtime=-(1 << 62)))),
    Case("R01 a path with NUL", entries(entry(
        "x", pax=[(b"path", b"a\0../../escape")]))),
    Case("R01 a path with newlines", entries(entry(
        "x", pax=[(b"path", b"a\n../../escape\n/etc/x")]))),
    Case("R01 a path of escapes", entries(entry("\x1b]0;owned\x07"))),
    Case("R01 a path of 1 MB", entries(entry(
        "x", pax=[(b"path", b"d/" * 500000 + b"x")])), BAD, (0, 9), (0, 1, 2)),
    Case("R01 an empty path", entries(entry(""))),
    Case("R01 GNU sparse", entries(entry("sparse", kind=b"S", size=1 << 30))),
    Case("R01 sparse by pax", entries(entry("sparse", pax=[
        (b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"),
        (b"GNU.sparse.name", b"../../escape"),
        (b"GNU.sparse.realsize", b"9223372036854775807")]))),
    Case("R01 a pax header of 1 GiB", entries(
        extended([(b"path", b"x")], size=1 << 30), entry("x"))),
    Case("R01 a GNU long name of 1 GiB", entries(
        header("././@LongLink", 1 << 30, b"L"), entry("x"))),
    Case("R01 a pax header that is none", entries(
        extended([(b"path", b"x")]).replace(b"path=", b"pa\0h="), entry("x"))),
    Case("R01 a global pax header", entries(
        extended([(b"path", b"../../escape")], b"g"), entry("x"))),
    Case("R01 attributes that lie", entries(entry(
        "alice/INBOX/cur/forged", pax=[
            (b"SCHILY.xattr.user.mailhaul.sha256", ZEROS.encode()),
            (b"SCHILY.xattr.user.mailhaul.origin", b"\xff" * 3000)]))),
    Case("R01 a second catalog", entries(
        entry(".mailhaul/CATALOG.jsonl", b"{}\n"),
        entry(".mailhaul/CATALOG.tsv",
              b"whole\t../../escape\t-\t-\t0\t0\t-\n"))),
    Case("R01 a second unpack.sh", entries(entry(
        ".mailhaul/unpack.sh", b"touch ../../escape\n"))),
    Case("R01 entries behind the end", entries(
        entry("../../escape"), behind=True)),
    Case("R01 no end of the tar", lambda p: write(
        p.volume, split(p.tar)[0])),
    Case("R01 no tar at all", lambda p: write(p.volume, b"junk" * 5000)),
    Case("R01 an empty volume", raw(lambda p, data: b"")),

    # ---- R02: zstd ----
    Case("R02 frames without content size", by_zstd("--no-content-size")),
    Case("R02 windowLog 31", by_zstd("--ultra", "--long=31")),
    Case("R02 a window of 2^41", raw(huge_window)),
    Case("R02 4 GiB of zeros", bomb_volume(4294967295), unpack=None),
    Case("R02 4 GiB of zeros, said to be 1 MiB", bomb_volume(1 << 20),
         unpack=None),
    Case("R02 a bomb for a manifest", manifest(lambda p, _: bomb(p)),
         unpack=(0,)),
    Case("R02 4 million empty lines for a manifest", manifest(
        lambda p, lines: compress(lines + b"\n" * (4 << 20))), unpack=(0,)),

    # ---- R03: seek tables ----
    Case("R03 no seek table", table(lambda rows: b""), unpack=(0,)),
    Case("R03 another magic", table(lambda rows: seek_table(
        rows, footer=0x8F92EAB0)), unpack=(0,)),
    Case("R03 another skippable magic", table(lambda rows: seek_table(
        rows, magic=0x184D2A50)), unpack=(0,)),
    Case("R03 unknown flags", table(lambda rows: seek_table(
        rows, flags=0x7f)), unpack=(0,)),
    Case("R03 a count of 2^32 - 1", table(lambda rows: seek_table(
        rows, count=0xffffffff)), unpack=(0,)),
    Case("R03 a count of 4 million", table(lambda rows: seek_table(
        rows, count=4 << 20)), unpack=(0,)),
    Case("R03 a count of none", table(lambda rows: seek_table(
        rows, count=0)), unpack=(0,)),
    Case("R03 sizes that are too small", table(lambda rows: seek_table(
        [(c - 1, d) for c, d in rows])), unpack=(0,)),
    Case("R03 sizes that are too large", table(lambda rows: seek_table(
        [(c + 9, d) for c, d in rows])), unpack=(0,)),
    Case("R03 sizes of 2^32 - 1", table(lambda rows: seek_table(
        [(0xffffffff, 0xffffffff)] * len(rows))), unpack=(0,)),
    Case("R03 another plain size", table(lambda rows: seek_table(
        [(c, d + 1) for c, d in rows])), unpack=(0,)),
    Case("R03 a plain size of 4 GiB", table(lambda rows: seek_table(
        [(c, 0xffffffff) for c, d in rows])), unpack=(0,)),
    Case("R03 a frame inside another", table(lambda rows: seek_table(
        [(rows[0][0] - 20, rows[0][1]), (rows[1][0] + 20, rows[1][1]),
         *rows[2:]])), unpack=(0,)),
    Case("R03 two tables", table(lambda rows: seek_table(rows) * 2),
         unpack=(0,)),
    Case("R03 junk between the frames and the table", table(
        lambda rows: b"junk" * 10 + seek_table(rows))),

    # ---- R06: catalogs and manifests ----
    Case("R06 catalog: hashes change places", catalog(swap_hashes)),
    Case("R06 catalog: sizes", catalog(each(size=1))),
    Case("R06 catalog: a header larger than the message", catalog(
        each(header_size=1 << 40))),
    Case("R06 catalog: frames and offsets", catalog(
        each(frame=4000000000, offset=1 << 60))),
    Case("R06 catalog: entries outside", catalog(each(entry="../../escape"))),
    Case("R06 catalog: another account, a mailbox of controls", catalog(
        each(account="\x1b]0;x\x07", mailbox="\r\nA1 DELETE", wire="a\nb"))),
    Case("R06 catalog: references to nowhere", catalog(each(
        claim="reference", body={"volume": "../../x", "entry": "/etc/passwd",
                                 "frame": 0, "offset": 0, "skip": 0}))),
    Case("R06 catalog: numbers that are none", catalog(each(
        uid=-1, uidvalidity=1e300, size="x", frame=None))),
    Case("R06 catalog: fewer rows", catalog(lambda rows: rows.pop())),
    Case("R06 catalog: rows twice", catalog(
        lambda rows: rows.extend(rows[:2]))),
    Case("R06 catalog: JSON 100,000 deep", catalog(text=deep(100000))),
    Case("R06 catalog: a line of 20 MB", catalog(
        text=lambda x: b'{"a":"' + b"x" * 20000000 + b'"}\n' + x)),
    Case("R06 catalog: no UTF-8, NUL, duplicate keys", catalog(
        text=lambda x: x.replace(b'"account":', b'"account":1,"account":') +
        b'{"account":"\xff\xfe\\u0000\\ud800"}\n\0\0\n{}\n[]\n1e999\n')),
    Case("R06 catalog: empty", catalog(text=lambda x: b"\n")),
    Case("R06 tsv: a path outside", more_tsv(
        f"whole\t../../escape\t-\t-\t0\t0\t{ZEROS}")),
    Case("R06 tsv: an absolute path", more_tsv(
        f"whole\t/etc/passwd\t-\t-\t0\t0\t{ZEROS}")),
    Case("R06 tsv: a body outside", more_tsv(
        f"reference\talice/INBOX/cur/x\tv\t../../canary\t0\t9\t{ZEROS}")),
    Case("R06 tsv: commands in a path", more_tsv(
        f"whole\t$(touch ../../escape)`touch x`;touch y\t-\t-\t0\t0\t{ZEROS}")),
    Case("R06 tsv: a skip that is none", more_tsv(
        f"reference\talice/INBOX/cur/x\tv\ta/cur/y\t-1e9\t9\t{ZEROS}")),
    Case("R06 a volume is missing", lambda p: os.unlink(p.volume),
         unpack=(0,)),
    Case("R06 volumes change places", swap(volumes), keeps=False),
    Case("R06 a volume of another archive", of_another, unpack=(0,)),
    Case("R06 one volume too many", one_more, unpack=(0,)),
    Case("R06 a volume is a symbolic link", a_link),
    Case("R06 a volume is a fifo", instead(os.mkfifo, volumes), unpack=(0,)),
    Case("R06 a volume is a folder", instead(os.mkdir, volumes), unpack=(0,)),
    Case("R06 volumes of odd names", odd_names),
    Case("R06 a manifest is missing",
         lambda p: os.unlink(p.manifests()[-1]), unpack=(0,)),
    Case("R06 a manifest is a fifo", instead(os.mkfifo, manifests),
         unpack=(0,)),
    Case("R06 a manifest is a folder", instead(os.mkdir, manifests),
         unpack=(0,)),
    Case("R06 an old manifest is replayed", replay_old, unpack=(0,)),
    Case("R06 no manifests at all",
         lambda p: [os.unlink(m) for m in p.manifests()], unpack=(0,)),
    Case("R06 a manifest of another archive", lambda p: shutil.copy(
        p.other.manifests()[-1], p.manifests()[-1]), unpack=(0,)),
    Case("R06 manifests change places", swap(manifests), unpack=(0,)),
    Case("R06 manifest: other flags", manifest_rows(
        of_type("begun", flags=["\\Deleted"])), unpack=(0,)),
    Case("R06 manifest: other hashes of volumes", manifest_rows(
        of_type("volume", sha256=ZEROS)), unpack=(0,)),
    Case("R06 manifest: its own predecessor", manifest_rows(
        lambda rows: rows[0].update(previous=rows[0]["name"])), unpack=(0,)),
    Case("R06 manifest: everything has ended", manifest_rows(
        of_type("begun", type="ended")), unpack=(0,)),
    Case("R06 manifest: names of all kinds", manifest_rows(each(
        account="../x", mailbox="\x00", wire="a\r\nb", uid=1 << 62,
        volume="../../escape")), unpack=(0,)),
    Case("R06 manifest: JSON 100,000 deep", manifest(
        lambda p, lines: compress(deep(100000)(lines))), unpack=(0,)),
    Case("R06 manifest: cut", manifest(
        lambda p, lines: compress(lines)[:-20]), unpack=(0,)),
]


def truncations(good):
    """R04: at every frame's boundary, an octet before and behind."""
    size = os.path.getsize(good.volumes()[1])
    ends = {0, size} | {at for at, _, _, _ in good.frames} | {
        at + packed for at, packed, _, _ in good.frames}
    # Without its seek table alone a volume is whole to tar.
    return [Case(f"R04 cut at octet {n}", raw(lambda p, data, n=n: data[:n]))
            for end in sorted(ends) for n in (end - 1, end, end + 1)
            if 0 <= n < size]


# ---- playing ----

class Play:
    """An archive; one that a case turns is a copy of the good one."""

    def __init__(self, stage, cwd, good=None, other=None):
        self.stage, self.cwd, self.other = stage, cwd, other
        self.jail = os.path.join(cwd, "jail")
        self.dir = os.path.join(self.jail, "archive")
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


class Plays:
    def __init__(self, stage):
        self.stage = stage
        self.good, self.other = self.make("good", 0), self.make("other", 50)
        self.kept = self.hashes_of(self.good.volumes()[0])
        self.all = self.kept | self.hashes_of(self.good.volumes()[1])
        self.known = self.all | self.hashes_of(self.other.volumes()[0])
        if len(self.kept) < 4 or len(self.all) < 8:
            sys.exit("FAILED: the archive to be turned has too little in it")

    def make(self, name, first):
        play = Play(self.stage, os.path.join(self.stage.folder(), name))
        os.makedirs(play.jail)
        body = mail(first, 6000)
        boxes = {"INBOX": [Message(n, mail(first + n, 500))
                           for n in range(1, 4)] + [Message(4, body)]}
        server = serve(boxes)
        for _ in range(2):
            made = self.stage.haul(play.jail, server=server)
            if made.code:
                sys.exit(f"the archive to be turned: {made.text}")
            boxes["INBOX"] = boxes["INBOX"] + [
                Message(n, mail(first + n, 700)) for n in range(5, 8)] + [
                    Message(8, b"Received: by y\r\n" + body)]
            time.sleep(1.1)  # names of runs and volumes sort by the second
        play.look(expand(play.volumes()[1]))
        return play

    @staticmethod
    def hashes_of(volume):
        with tarfile.open(fileobj=io.BytesIO(expand(volume))) as archive:
            lines = archive.extractfile(".mailhaul/CATALOG.jsonl").read()
        return {json.loads(x)["sha256"] for x in lines.splitlines()}

    def run(self, play, wrong, allowed, *words):
        """A command; its findings are added to wrong."""
        ended = self.stage.run(list(words), play.jail, seconds=90)
        ours = words[0] == self.stage.o.program
        what = " ".join(os.path.basename(w) for w in words[:3])
        if ended.code == "hung" or ended.code in CRASHES or ended.code < 0:
            wrong.append(f"{what}: ended by {ended.code}: {ended.text[-1500:]}")
        elif allowed is not None and ended.code not in allowed:
            wrong.append(f"{what}: exit {ended.code}, not {allowed}:"
                         f" {ended.text[-700:]}")
        if ours and ended.rss > RSS_MAX * (8 if self.stage.asan else 1):
            wrong.append(f"{what}: {ended.rss >> 20} MiB")
        # What show writes is the message.
        if ours and words[1] != "show" and any(
                ord(c) < 32 and c not in "\n\t" for c in ended.text):
            wrong.append(f"{what}: control octets on the screen")
        return ended

    def take(self, play, wrong, what, folder, strict):
        """What lies below a folder: files and folders only, all messages
        that must be there, and (strict) nothing but messages."""
        found = set()
        for path, folders, files in os.walk(os.path.join(play.jail, folder)):
            for name in files + folders:
                mode = os.lstat(os.path.join(path, name)).st_mode
                if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                    wrong.append(f"{what}: {name} is no file")
                if stat.S_ISREG(mode) and mode & (stat.S_ISUID | stat.S_ISGID):
                    wrong.append(f"{what}: {name} is setuid")
            for name in files if os.path.basename(path) == "cur" else ():
                with open(os.path.join(path, name), "rb") as file:
                    found.add(hashlib.sha256(file.read()).hexdigest())
        if play.keeps and self.kept - found:
            wrong.append(f"{what}: {len(self.kept - found)} messages of the"
                         " other volume are missing")
        if strict and found - self.known:
            wrong.append(f"{what}: octets that are no message")

    @staticmethod
    def escapes(play, wrong):
        """Nothing lies but where it may."""
        for folder, allowed in ((play.cwd, {"jail", "canary", "outside"}),
                                (play.jail, {"archive", "export", "unpacked",
                                             "again", "output"})):
            wrong += [f"escaped: {name}" for name in os.listdir(folder)
                      if name not in allowed]
        canary = os.path.join(play.cwd, "canary")
        with open(canary, "rb") as file:
            if file.read() != b"canary\n" or os.stat(canary).st_nlink != 1:
                wrong.append("the canary was written or linked to")

    def read(self, play, case, wrong):
        program, jail = self.stage.o.program, play.jail
        self.run(play, wrong, case.verify, program, "verify", play.dir)
        self.run(play, wrong, (0, 9), program, "ls", play.dir, "**", "--json")
        for sha in sorted(self.all)[:2] + sorted(self.kept)[:1]:
            self.run(play, wrong, (0, 7, 9), program, "show", play.dir, sha)
        self.run(play, wrong, (0, 1, 7, 9), program, "export", play.dir,
                 f"maildir:{jail}/export")
        self.take(play, wrong, "export", "export", True)
        if case.unpack is None:
            return
        script = os.path.join(os.environ["TOP"], "src/archive/unpack.sh")
        self.run(play, wrong, case.unpack, "dash", script, play.dir,
                 f"{jail}/unpacked")
        self.take(play, wrong, "unpack.sh", "unpacked", False)

    def rebuild(self, play, case, wrong):
        program, jail = self.stage.o.program, play.jail
        for name in os.listdir(play.dir):
            if name.startswith("mailhaul"):
                os.unlink(os.path.join(play.dir, name))
        self.run(play, wrong, case.rebuild, program, "index", "--rebuild",
                 play.dir)
        if not os.path.exists(os.path.join(play.dir, "mailhaul.db")):
            wrong.append("rebuild: no index was made")
            return
        self.run(play, wrong, (0, 7, 9), program, "verify", play.dir)
        self.run(play, wrong, (0, 1, 7, 9), program, "export", play.dir,
                 f"maildir:{jail}/again")
        self.take(play, wrong, "export after a rebuild", "again", True)
        db = sqlite3.connect(f"file:{play.dir}/mailhaul.db?mode=ro", uri=True)
        for pragma in ("integrity_check", "foreign_key_check"):
            rows = db.execute(f"PRAGMA {pragma}").fetchall()
            if rows not in ([], [("ok",)]):
                wrong.append(f"{pragma} after a rebuild: {rows[:3]}")
        db.close()

    def case(self, case, cwd):
        wrong = []
        play = Play(self.stage, cwd, self.good, self.other)
        play.keeps = case.keeps
        case.change(play)
        self.read(play, case, wrong)
        self.escapes(play, wrong)
        self.rebuild(play, case, wrong)
        self.escapes(play, wrong)
        with self.stage.lock:
            self.stage.counts["played"] += 1
        return wrong


def main():
    stage = Stage(__doc__)
    plays = Plays(stage)
    cases = CASES + truncations(plays.good)
    if not stage.o.soak and not stage.o.only:
        cases = stage.random.sample(cases, len(cases) * 2 // 5)
    good = stage.play_all([(c.name, lambda cwd, c=c: plays.case(c, cwd))
                           for c in cases])
    print(f"== hostile archives: {stage.counts['played']} cases played,"
          f" {len(stage.findings)} failed")
    sys.exit(0 if good and stage.counts["played"] else 1)


if __name__ == "__main__":
    main()
