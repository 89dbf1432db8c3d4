"""What somebody may have done to an archive, one row a case; hostile_archive.py
plays them. IDs are those of the project's list of hostile cases.
"""
import collections
import io
import json
import os
import shutil
import sqlite3
import struct
import tarfile

from hostile_tar import (a_link, bomb, bomb_volume, by_zstd, catalog, compress,
                         deep, each, entries, entry, expand, extended, header,
                         huge_window, instead, manifest, manifest_rows,
                         more_tsv, odd_names, of_another, one_more,
                         packed_of, raw, replay_old, seek_table, sizes_of,
                         split, swap, table, write)

# The ways by which the messages of the volume that nobody touched are had.
WAYS = ("export", "unpack.sh", "export after a rebuild")
BUT_EXPORT = WAYS[1:]

ANY = ""  # what is said varies

# codes: exits of verify, index --rebuild, unpack.sh ("-": not played) and of a
# haul into the archive. says: what verify says, {volume} and {run} being the
# names of what was turned. old_index: the rebuild finds the old one there.
# hauls: what the haul says.
Case = collections.namedtuple(
    "Case", "name codes change says keeps old_index hauls",
    defaults=["{volume}", WAYS, False, ANY])
ZEROS = "0" * 64
OF_ANOTHER = "is another user's"  # which only root can make it
RUN = "{run}"  # verify names the manifest, not the volume
UNKNOWN = "a volume that the index doesn't know"


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


# ---- what lies around volumes and manifests ----

def at(name, make):
    """Something made by make(path) in the place of the archive's NAME."""
    def change(play):
        path = os.path.join(play.dir, name)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        elif os.path.lexists(path):
            os.unlink(path)
        make(path, play)
    return change


def fifo(path, _):
    os.mkfifo(path)


def folder(path, _):
    os.mkdir(path)


def link_out(path, play):
    os.symlink(os.path.join(play.cwd, "canary"), path)


def device(path, _):
    os.symlink("/dev/zero", path)


def open_to_others(mode):
    return lambda path, _: os.chmod(path, mode)


def of_nobody(path, _):
    os.chown(path, 65534, -1)


def upon(name, turn):
    return lambda play: turn(os.path.join(play.dir, name), play)


def octets(data):
    def make(path, _):
        with open(path, "wb") as file:
            file.write(data)
    return make


def index(*statements):
    """SQL on the index, in which {cwd} is the folder of the play."""
    def change(play):
        db = sqlite3.connect(os.path.join(play.dir, "mailhaul.db"))
        db.execute("PRAGMA ignore_check_constraints = ON")
        for statement in statements:
            db.execute(statement.replace("{cwd}", play.cwd))
        db.commit()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.close()
    return change


def index_of_another(play):
    shutil.copy(os.path.join(play.other.dir, "mailhaul.db"), play.dir)


def forged(play):
    """An entry under the name of a message of the other volume."""
    with tarfile.open(fileobj=io.BytesIO(expand(play.volumes()[0]))) as tar:
        name = next(n for n in tar.getnames() if "/cur/" in n)
    entries(entry(name, b"forged\r\n"))(play)


def well_framed(piece, times, name):
    """An entry of that many pieces, a frame each, as we would write it."""
    def change(play):
        head, tail = split(play.tar)
        packed = compress(piece)
        parts = [(compress(x), len(x)) for x in (
            head + header(name, len(piece) * times), tail)]
        parts[1:1] = [(packed, len(piece))] * times
        with open(play.volume, "wb") as file:
            for data, _ in parts:
                file.write(data)
            file.write(seek_table([(len(c), n) for c, n in parts]))
    return change


def empty_frames(n):
    def other(play, data):
        frame = compress(b"")
        return frame * n + packed_of(play, data) + seek_table(
            [(len(frame), 0)] * n + sizes_of(play))
    return raw(other)


def many_lines(line, times):
    """That many lines, {n} being their number, in front of the manifest's
    end."""
    def other(_, lines):
        text = json.dumps(line)
        body, _, end = lines.rstrip(b"\n").rpartition(b"\n")
        added = "".join(text.replace("{n}", str(n)) + "\n"
                        for n in range(times))
        return compress(body + b"\n" + added.encode() + end + b"\n")
    return manifest(other)


CASES = [
    Case("untouched", "0 0 0 0", lambda play: None, ANY),
    Case("the same tar, compressed by another", "7 9 0 0",
         lambda p: write(p.volume, *split(p.tar), options=["-19"])),

    # ---- R01: tar ----
    Case("R01 ../", "7 9 1 0", entries(entry("../../../escape"))),
    Case("R01 .. inside", "7 9 1 0", entries(entry("a/../../../escape"))),
    Case("R01 .. by pax", "7 9 1 0", entries(entry(
             "x", pax=[(b"path", b"../../escape")]))),
    Case("R01 absolute", "7 9 1 0", entries(lambda p: entry(outside(p)))),
    Case("R01 absolute by pax", "7 9 1 0", entries(lambda p: entry(
             "x", pax=[(b"path", outside(p).encode())]))),
    Case("R01 a symlink, and an entry through it", "7 9 1 0", entries(
             entry("into", kind=tarfile.SYMTYPE, link="../.."),
             entry("into/escape"))),
    Case("R01 an absolute symlink", "7 9 1 0", entries(
             lambda p: entry("into", kind=tarfile.SYMTYPE, link=p.cwd),
             entry("into/escape"))),
    Case("R01 a hardlink outside", "7 9 1 0", entries(
             entry("hard", kind=tarfile.LNKTYPE, link="../../canary"))),
    Case("R01 an absolute hardlink", "7 9 1 0", entries(lambda p: entry(
             "hard", kind=tarfile.LNKTYPE,
             link=os.path.join(p.cwd, "canary")))),
    Case("R01 a hardlink by pax", "7 9 1 0", entries(entry(
             "hard", kind=tarfile.LNKTYPE, link="x",
             pax=[(b"linkpath", b"../../canary")]))),
    Case("R01 a device", "7 9 1 0",
         entries(entry("null", kind=tarfile.CHRTYPE))),
    Case("R01 a fifo", "7 9 1 0",
         entries(entry("pipe", kind=tarfile.FIFOTYPE))),
    Case("R01 setuid", "7 9 1 0", entries(entry("suid", mode=0o6777))),
    Case("R01 the same name twice", "7 9 1 0", entries(
             lambda p: entry(p.names[0], b"forged\r\n"))),
    Case("R01 the name of another volume's message", "7 9 1 0",
         forged, keeps=("export", "export after a rebuild")),
    Case("R01 a size of 2^63", "7 9 1 0", entries(entry("big", size=1 << 63))),
    Case("R01 a size of 2^64 - 1", "7 9 1 0",
         entries(entry("big", size=(1 << 64) - 1))),
    Case("R01 a size of 2^40", "7 9 1 0", entries(entry("big", size=1 << 40))),
    Case("R01 a negative mtime", "7 9 0 0",
         entries(entry("old", mtime=-(1 << 62)))),
    Case("R01 a path with NUL", "7 9 0 0", entries(entry(
             "x", pax=[(b"path", b"a\0../../escape")]))),
    Case("R01 a path with newlines", "7 9 1 0", entries(entry(
             "x", pax=[(b"path", b"a\n../../escape\n/etc/x")]))),
    Case("R01 a path of escapes", "7 9 0 0",
         entries(entry("\x1b]0;owned\x07"))),
    Case("R01 a path of 1 MB", "7 9 1 0", entries(entry(
             "x", pax=[(b"path", b"d/" * 500000 + b"x")]))),
    Case("R01 an empty path", "7 9 1 0", entries(entry(""))),
    Case("R01 GNU sparse", "7 9 1 0",
         entries(entry("sparse", kind=b"S", size=1 << 30))),
    Case("R01 sparse by pax", "7 9 1 0", entries(entry("sparse", pax=[
             (b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"),
             (b"GNU.sparse.name", b"../../escape"),
             (b"GNU.sparse.realsize", b"9223372036854775807")]))),
    Case("R01 a pax header of 1 GiB", "7 9 1 0", entries(
             extended([(b"path", b"x")], size=1 << 30), entry("x"))),
    Case("R01 a GNU long name of 1 GiB", "7 9 1 0", entries(
             header("././@LongLink", 1 << 30, b"L"), entry("x"))),
    Case("R01 a pax header that is none", "7 9 1 0", entries(
             extended([(b"path", b"x")]).replace(b"path=", b"pa\0h="),
             entry("x"))),
    Case("R01 a global pax header", "7 9 1 0", entries(
             extended([(b"path", b"../../escape")], b"g"), entry("x"))),
    Case("R01 attributes that lie", "7 9 0 0", entries(entry(
             "alice/INBOX/cur/forged", pax=[
                 (b"SCHILY.xattr.user.mailhaul.sha256", ZEROS.encode()),
                 (b"SCHILY.xattr.user.mailhaul.origin", b"\xff" * 3000)]))),
    Case("R01 a second catalog", "7 9 0 0", entries(
             entry(".mailhaul/CATALOG.jsonl", b"{}\n"),
             entry(".mailhaul/CATALOG.tsv",
                   b"whole\t../../escape\t-\t-\t0\t0\t-\n"))),
    Case("R01 a second unpack.sh", "7 9 0 0", entries(entry(
             ".mailhaul/unpack.sh", b"touch ../../escape\n"))),
    Case("R01 what unpack.sh keeps for itself", "7 9 1 0",
         entries(entry(".mailhaul/unpack/rows", b""),
                 entry(".mailhaul/./unpack/bad", b""))),
    Case("R01 a hardlink to what unpack.sh keeps for itself", "7 9 1 0",
         entries(entry("hard", kind=tarfile.LNKTYPE,
                       link=".mailhaul/unpack/rows"))),
    Case("R01 names that look like options", "7 9 0 0",
         entries(entry("-"), entry("--checkpoint-action=exec=touch escape"),
                 entry("-rf/cur/x"))),
    Case("R01 entries behind the end", "7 9 0 0", entries(
             entry("../../escape"), behind=True)),
    Case("R01 no end of the tar", "7 9 1 0", lambda p: write(
             p.volume, split(p.tar)[0])),
    Case("R01 no tar at all", "7 9 1 0",
         lambda p: write(p.volume, b"junk" * 5000)),
    Case("R01 an empty volume", "7 9 1 0", raw(lambda p, data: b"")),

    # ---- R02: zstd ----
    Case("R02 frames without content size", "7 9 0 0",
         by_zstd("--no-content-size")),
    Case("R02 windowLog 31", "7 9 1 0", by_zstd("--ultra", "--long=31")),
    Case("R02 a window of 2^41", "7 9 1 0", raw(huge_window)),
    Case("R02 512 MiB of zeros in an entry, well framed", "7 9 0 0",
         well_framed(b"\0" * (4 << 20), 128, "alice/INBOX/cur/zeros")),
    Case("R02 a skippable frame that says 4 GiB", "7 9 1 0",
         raw(lambda p, data: struct.pack("<II", 0x184D2A50, 0xffffffff)
             + data)),
    Case("R02 4 GiB of zeros", "7 9 1 0", bomb_volume(4294967295)),
    Case("R02 4 GiB of zeros, said to be 1 MiB", "7 9 1 0",
         bomb_volume(1 << 20)),
    Case("R02 a bomb for a manifest", "7 9 0 0",
         manifest(lambda p, _: bomb(p))),
    Case("R02 4 million empty lines for a manifest", "7 9 0 0", manifest(
             lambda p, lines: compress(lines + b"\n" * (4 << 20)))),
    Case("R02 4 million empty lines for a catalog", "7 9 0 0",
         catalog(text=lambda x: x + b"\n" * (4 << 20))),
    Case("R02 a catalog of 100,000 rows", "7 9 0 0",
         catalog(lambda rows: rows.extend(
             dict(rows[0], uid=n) for n in range(100, 100100)))),
    Case("R02 a manifest of 300,000 volumes that were replaced", "7 9 0 0",
         many_lines({"type": "volume", "name": "x-0001", "sha256": ZEROS,
                     "octets": 1, "replaced_by": "y-0001"}, 300000), RUN),
    Case("R02 a manifest of 100,000 accounts that are no IMAP", "7 9 0 0",
         many_lines({"type": "account", "account": "a{n}", "kind": "pop3"},
                    100000), RUN),
    Case("R02 a manifest of 100,000 rows", "7 9 0 0",
         manifest_rows(lambda rows: rows.extend(
             dict(next(r for r in rows if r["type"] == "begun"), uid=n)
             for n in range(100, 100100))), RUN),

    # ---- R03: seek tables ----
    Case("R03 no seek table", "7 9 0 0", table(lambda rows: b"")),
    Case("R03 another magic", "7 9 0 0", table(lambda rows: seek_table(
             rows, footer=0x8F92EAB0))),
    Case("R03 another skippable magic", "7 9 0 0",
         table(lambda rows: seek_table(rows, magic=0x184D2A50))),
    Case("R03 unknown flags", "7 9 0 0", table(lambda rows: seek_table(
             rows, flags=0x7f))),
    Case("R03 a count of 2^32 - 1", "7 9 0 0", table(lambda rows: seek_table(
             rows, count=0xffffffff))),
    Case("R03 a count of 4 million", "7 9 0 0", table(lambda rows: seek_table(
             rows, count=4 << 20))),
    Case("R03 a count of none", "7 9 0 0", table(lambda rows: seek_table(
             rows, count=0))),
    Case("R03 sizes that are too small", "7 9 0 0",
         table(lambda rows: seek_table([(c - 1, d) for c, d in rows]))),
    Case("R03 sizes that are too large", "7 9 0 0",
         table(lambda rows: seek_table([(c + 9, d) for c, d in rows]))),
    Case("R03 sizes of 2^32 - 1", "7 9 0 0", table(lambda rows: seek_table(
             [(0xffffffff, 0xffffffff)] * len(rows)))),
    Case("R03 another plain size", "7 9 0 0", table(lambda rows: seek_table(
             [(c, d + 1) for c, d in rows]))),
    Case("R03 a plain size of 4 GiB", "7 9 0 0", table(lambda rows: seek_table(
             [(c, 0xffffffff) for c, d in rows]))),
    Case("R03 a frame inside another", "7 9 0 0",
         table(lambda rows: seek_table(
             [(rows[0][0] - 20, rows[0][1]), (rows[1][0] + 20, rows[1][1]),
         *rows[2:]]))),
    Case("R03 two tables", "7 9 0 0",
         table(lambda rows: seek_table(rows) * 2)),
    Case("R03 a million empty frames", "7 9 0 0", empty_frames(1000000)),
    Case("R03 junk between the frames and the table", "7 9 0 0", table(
             lambda rows: b"junk" * 10 + seek_table(rows))),

    # ---- R06: catalogs and manifests ----
    Case("R06 catalog: hashes change places", "7 9 0 0", catalog(swap_hashes)),
    Case("R06 catalog: sizes", "7 9 0 0", catalog(each(size=1))),
    Case("R06 catalog: a header larger than the message", "7 9 0 0", catalog(
             each(header_size=1 << 40))),
    Case("R06 catalog: frames and offsets", "7 9 0 0", catalog(
             each(frame=4000000000, offset=1 << 60))),
    Case("R06 catalog: entries outside", "7 9 0 0",
         catalog(each(entry="../../escape"))),
    Case("R06 catalog: another account, a mailbox of controls", "7 9 0 0",
         catalog(
             each(account="\x1b]0;x\x07", mailbox="\r\nA1 DELETE",
                  wire="a\nb"))),
    Case("R06 catalog: references to nowhere", "7 9 0 0", catalog(each(
             claim="reference", body={
                 "volume": "../../x", "entry": "/etc/passwd",
                                      "frame": 0, "offset": 0, "skip": 0}))),
    Case("R06 catalog: numbers that are none", "7 9 0 0", catalog(each(
             uid=-1, uidvalidity=1e300, size="x", frame=None))),
    Case("R06 catalog: fewer rows", "7 9 0 0",
         catalog(lambda rows: rows.pop())),
    Case("R06 catalog: rows twice", "7 9 0 0", catalog(
             lambda rows: rows.extend(rows[:2]))),
    Case("R06 catalog: JSON 100,000 deep", "7 9 0 0",
         catalog(text=deep(100000))),
    Case("R06 catalog: a line of 20 MB", "7 9 0 0", catalog(
             text=lambda x: b'{"a":"' + b"x" * 20000000 + b'"}\n' + x)),
    Case("R06 catalog: no UTF-8, NUL, duplicate keys", "7 9 0 0", catalog(
             text=lambda x: x.replace(b'"account":',
                                      b'"account":1,"account":') +
             b'{"account":"\xff\xfe\\u0000\\ud800"}\n\0\0\n{}\n[]\n1e999\n')),
    Case("R06 catalog: empty", "7 9 0 0", catalog(text=lambda x: b"\n")),
    Case("R06 tsv: a path outside", "7 9 1 0", more_tsv(
             f"whole\t../../escape\t-\t-\t0\t0\t{ZEROS}")),
    Case("R06 tsv: an absolute path", "7 9 1 0", more_tsv(
             f"whole\t/etc/passwd\t-\t-\t0\t0\t{ZEROS}")),
    Case("R06 tsv: the standard input for a path", "7 9 1 0",
         more_tsv(f"whole\t-\t-\t-\t0\t0\t{ZEROS}")),
    Case("R06 tsv: controls in a path", "7 9 1 0",
         more_tsv("whole\ta\x1b]0;owned\x07\x9b2J\t-\t-\t0\t0\t" + ZEROS)),
    Case("R06 tsv: a body outside", "7 9 1 0", more_tsv(
             f"reference\talice/INBOX/cur/x\tv\t../../canary\t0\t9\t{ZEROS}")),
    Case("R06 tsv: commands in a path", "7 9 1 0", more_tsv(
             "whole\t$(touch ../../escape)`touch x`;touch y\t-\t-\t0\t0\t"
             + ZEROS)),
    Case("R06 tsv: a skip that is none", "7 9 1 0", more_tsv(
             f"reference\talice/INBOX/cur/x\tv\ta/cur/y\t-1e9\t9\t{ZEROS}")),
    Case("R06 a volume is missing", "7 9 0 0", lambda p: os.unlink(p.volume)),
    Case("R06 volumes change places", "7 9 0 0",
         swap(volumes), keeps=WAYS[1:2]),
    Case("R06 a volume of another archive", "7 9 0 0", of_another),
    Case("R06 one volume too many", "7 0 0 0", one_more, UNKNOWN),
    Case("R06 a volume is a symbolic link", "7 9 1 0", a_link),
    Case("R06 a volume is a fifo", "7 9 1 0", instead(os.mkfifo, volumes)),
    Case("R06 a volume is a folder", "7 9 1 0", instead(os.mkdir, volumes)),
    Case("R06 volumes of odd names", "7 9 1 0", odd_names, UNKNOWN),
    Case("R06 a manifest is missing", "7 0 0 0",
         lambda p: os.unlink(p.manifests()[-1])),
    Case("R06 a manifest is a fifo", "7 9 0 0", instead(os.mkfifo, manifests)),
    Case("R06 a manifest is a folder", "7 9 0 0",
         instead(os.mkdir, manifests)),
    Case("R06 an old manifest is replayed", "7 9 0 0", replay_old),
    Case("R06 no manifests at all", "7 9 0 0",
         lambda p: [os.unlink(m) for m in p.manifests()]),
    Case("R06 a manifest of another archive", "7 9 0 0", lambda p: shutil.copy(
             p.other.manifests()[-1], p.manifests()[-1])),
    Case("R06 manifests change places", "7 9 0 0", swap(manifests)),
    Case("R06 manifest: other flags", "7 0 0 0", manifest_rows(
             of_type("begun", flags=["\\Deleted"])), RUN),
    Case("R06 manifest: other hashes of volumes", "7 0 0 0", manifest_rows(
             of_type("volume", sha256=ZEROS))),
    Case("R06 manifest: its own predecessor", "7 9 0 0", manifest_rows(
             lambda rows: rows[0].update(previous=rows[0]["name"])), RUN),
    Case("R06 manifest: everything has ended", "7 0 0 0", manifest_rows(
             of_type("begun", type="ended")), RUN),
    Case("R06 manifest: names of all kinds", "7 9 0 0", manifest_rows(each(
             account="../x", mailbox="\x00", wire="a\r\nb", uid=1 << 62,
             volume="../../escape"))),
    Case("R06 manifest: JSON 100,000 deep", "7 9 0 0", manifest(
             lambda p, lines: compress(deep(100000)(lines)))),
    Case("R06 manifest: cut", "7 9 0 0", manifest(
             lambda p, lines: compress(lines)[:-20])),
    # ---- R06: the index, and what lies around it ----
    *[Case(f"R06 {name} is {what}", codes, at(name, make), ANY, keeps, True)
      for name, keeps, rows in (
          ("mailhaul.db", BUT_EXPORT, ("9 0 0 9", "9 0 0 9", "9 0 0 11",
                                       "9 0 0 11")),
          ("mailhaul.db-wal", BUT_EXPORT, ["9 0 0 9"] * 4),
          ("mailhaul.db-journal", BUT_EXPORT, ["9 0 0 9"] * 4),
          ("mailhaul-find.db", WAYS, ["0 0 0 0"] * 4),
          ("mailhaul.db.lock", WAYS, ("0 0 0 0", "0 11 0 11", "0 11 0 11",
                                      "0 11 0 11")))
      for codes, (what, make) in zip(rows, (
          ("a fifo", fifo), ("a folder", folder),
          ("a link to outside", link_out), ("a link to a device", device)))],
    Case("R06 volumes is a fifo", "7 2 2 11",
         at("volumes", fifo), ANY, (), True),
    Case("R06 runs is a fifo", "7 9 0 11", at("runs", fifo), ANY, WAYS, True),
    *[Case(f"R06 {name} is {what}", codes, at(name, make), ANY)
      for name, codes in (("volumes/x-0001.tar.zst.part", "0 9 0 9"),
                          ("README.txt.new", "0 0 0 0"),
                          ("runs/x.jsonl.zst.part", "0 0 0 0"))
      for what, make in (("a fifo", fifo), ("a link to outside", link_out))],
    Case("R06 no README, and a fifo where it would be written", "0 0 0 11",
         lambda p: (at("README.txt", fifo)(p), at("README.txt.new", fifo)(p),
                    os.unlink(os.path.join(p.dir, "README.txt"))), ANY),
    # ---- O07: what others may write into is read, and not hauled into ----
    *[Case(f"O07 {what} {how}", "0 0 0 11", upon(name, turn), ANY, WAYS, True,
           hauls)
      for name, what in ((".", "the archive"), ("volumes", "volumes"),
                         ("runs", "runs"))
      for how, turn, hauls in (
          ("is open to all", open_to_others(0o777),
           r"(?s)can be written by other users \(mode 777\).*Then: chmod go-w"),
          ("is open to the group", open_to_others(0o770),
           r"(?s)can be written by other users \(mode 770\).*Then: chmod go-w"),
          (OF_ANOTHER, of_nobody, r"belongs to another user \(uid 65534\)"))],
    Case("R06 index: junk", "9 0 0 9",
         at("mailhaul.db", octets(b"junk" * 4000)), ANY, BUT_EXPORT, True),
    Case("R06 index: of another archive", "7 0 0 0",
         index_of_another, ANY, BUT_EXPORT, True),
    Case("R06 index: volumes outside", "7 0 0 0",
         index("UPDATE volume SET name = '../../canary' WHERE id ="
               " (SELECT max(id) FROM volume)"), ANY, BUT_EXPORT, True),
    Case("R06 index: sizes and places beyond all", "7 0 0 0",
         index("UPDATE content SET size = 9223372036854775807,"
               " header_size = 9223372036854775807",
               "UPDATE stored SET frame = 4294967295,"
               " off = 9223372036854775807"), ANY,
         BUT_EXPORT, True),
    Case("R06 index: another size of a volume's file", "7 0 0 0",
         index("UPDATE volume SET committed = committed + 1"),
         "{volume}: the index says that its file has another size", WAYS, True),
    Case("R06 index: a view in a table's place", "7 0 0 0",
         index("ALTER TABLE content RENAME TO other",
               "CREATE VIEW content AS SELECT * FROM other"), ANY, BUT_EXPORT,
         True),
    Case("R06 index: a trigger", "7 0 0 0",
         index("CREATE TRIGGER evil AFTER INSERT ON run BEGIN"
               " DELETE FROM placement; END"), ANY, WAYS, True),
    Case("R06 index: a mailbox that leads outside", "7 0 0 0",
         index("UPDATE mailbox SET display = '../../../escape',"
               " name = x'2e2e2f2e2e'"), ANY, WAYS,
         True),
]


def truncations(good):
    """R04: at every frame's boundary, an octet before and behind."""
    size = os.path.getsize(good.volumes()[1])
    ends = [at + packed for at, packed, _, _ in good.frames]
    # Without its seek table, or the last checksum, a volume is whole to tar.
    return [Case(f"R04 cut at octet {n}",
                 "7 9 0 0" if n >= ends[-1] - 1 else "7 9 1 0",
                 raw(lambda p, data, n=n: data[:n]))
            for end in [0, *ends, size] for n in (end - 1, end, end + 1)
            if 0 <= n < size]
