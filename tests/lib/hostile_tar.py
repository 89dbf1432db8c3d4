"""Volumes, tar entries and seek tables as nobody should write them.

Built octet by octet: tarfile and zstd would refuse most of it. A "change" is a
function of a play (hostile_archive.py) that rewrites the copy it is given:
play.volume is the volume to be turned, play.tar its plain octets, play.frames
what its seek table said.
"""
import io
import json
import os
import shutil
import struct
import subprocess
import tarfile


# ---- zstd ----

def compress(data, *options):
    return subprocess.run(
        ["zstd", "-q", "--check", f"--stream-size={len(data)}", "-c",
         *options], input=data, capture_output=True, check=True).stdout


def expand(path):
    return subprocess.run(["zstd", "-dcq", path], capture_output=True,
                          check=True).stdout


def seek_table(rows, magic=0x184D2A5E, footer=0x8F92EAB1, count=None, flags=0):
    """Of (compressed size, plain size) rows."""
    table = b"".join(struct.pack("<II", c & 0xffffffff, d & 0xffffffff)
                     for c, d in rows)
    return (struct.pack("<II", magic, len(table) + 9) + table +
            struct.pack("<IBI", len(rows) if count is None else count, flags,
                        footer))


def frames_of(path):
    """[(offset, compressed size, plain offset, plain size)] by its table."""
    with open(path, "rb") as file:
        data = file.read()
    count, flags = struct.unpack("<IB", data[-9:-4])
    width = 12 if flags & 0x80 else 8
    table = len(data) - 9 - count * width
    frames, at, plain = [], 0, 0
    for n in range(count):
        size, inflated = struct.unpack_from("<II", data, table + n * width)
        frames.append((at, size, plain, inflated))
        at, plain = at + size, plain + inflated
    return frames


def write(path, *pieces, options=()):
    """A volume of these plain pieces, a frame each."""
    packed = [compress(p, *options) for p in pieces]
    with open(path, "wb") as file:
        file.write(b"".join(packed))
        file.write(seek_table([(len(c), len(p))
                               for c, p in zip(packed, pieces)]))


# ---- tar ----

def split(tar):
    """(the messages' entries, those of .mailhaul's catalogs and the end)"""
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        for member in archive:
            if member.name == ".mailhaul/CATALOG.jsonl":
                # Its pax header, if it has one, stands before it.
                return tar[:member.offset], tar[member.offset:]
    raise ValueError("no catalog")


def padded(data):
    return data.ljust((len(data) + 511) // 512 * 512, b"\0")


def header(name, size, kind=tarfile.REGTYPE, link="", mode=0o600, mtime=0):
    block = bytearray(tarfile.TarInfo("x").tobuf(tarfile.USTAR_FORMAT)[:512])
    block[0:100] = name.encode("utf-8", "surrogateescape")[:100].ljust(
        100, b"\0")
    block[100:108] = b"%07o\0" % mode
    block[124:136] = (b"%011o\0" % size if size < 1 << 33 else
                      b"\x80\0\0\0" + struct.pack(">Q", size))
    if mtime < 0:
        block[136:148] = b"\xff" * 4 + struct.pack(">q", mtime)
    block[156:157] = kind
    block[157:257] = link.encode()[:100].ljust(100, b"\0")
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def entry(name, data=b"hostile\r\n", kind=tarfile.REGTYPE, pax=None,
          size=None, **more):
    """One entry; pax: octets of an extended header; size: what it says."""
    if kind != tarfile.REGTYPE:
        data = b""
    return ((extended(pax) if pax else b"") +
            header(name, len(data) if size is None else size, kind, **more) +
            padded(data))


def extended(records, kind=b"x", size=None):
    """A pax header of (key, value) octets."""
    body = b""
    for key, value in records:
        n = len(key) + len(value) + 3
        while len(str(n)) + len(key) + len(value) + 3 != n:
            n = len(str(n)) + len(key) + len(value) + 3
        body += b"%d %s=%s\n" % (n, key, value)
    return header("./PaxHeaders/x", len(body) if size is None else size,
                  kind) + padded(body)


# ---- changes ----

def entries(*more, behind=False):
    """These entries among the messages, or behind the tar's end."""
    def change(play):
        head, tail = split(play.tar)
        added = b"".join(e(play) if callable(e) else e for e in more)
        if behind:
            write(play.volume, head + tail, added)
        else:
            write(play.volume, head + added, tail)
    return change


def catalog(edit=None, tsv=None, text=None):
    """Other catalogs: edit(rows) or text(octets) of the JSON, tsv(octets)."""
    def change(play):
        head, _ = split(play.tar)
        with tarfile.open(fileobj=io.BytesIO(play.tar)) as archive:
            lines, table, script = (
                archive.extractfile(".mailhaul/" + name).read() for name in
                ("CATALOG.jsonl", "CATALOG.tsv", "unpack.sh"))
        if edit:
            rows = [json.loads(x) for x in lines.splitlines()]
            edit(rows)
            lines = b"".join(json.dumps(r).encode() + b"\n" for r in rows)
        if text:
            lines = text(lines)
        if tsv:
            table = tsv(table)
        write(play.volume, head, entry(".mailhaul/CATALOG.jsonl", lines) +
              entry(".mailhaul/CATALOG.tsv", table) +
              entry(".mailhaul/unpack.sh", script) + b"\0" * 1024)
    return change


def each(**values):
    def edit(rows):
        for row in rows:
            row.update(values)
    return edit


def more_tsv(row):
    return catalog(tsv=lambda table: table + row.encode() + b"\n")


def raw(function):
    """function(play, the volume's octets) -> other octets."""
    def change(play):
        with open(play.volume, "rb") as file:
            data = file.read()
        data = function(play, data)
        with open(play.volume, "wb") as file:
            file.write(data)
    return change


def packed_of(play, data):
    """The volume without its seek table."""
    return data[:play.frames[-1][0] + play.frames[-1][1]]


def sizes_of(play):
    return [(packed, plain) for _, packed, _, plain in play.frames]


def table(function):
    """function(sizes) -> another seek table, or what stands in its place."""
    return raw(lambda play, data: packed_of(play, data) +
               function(sizes_of(play)))


def bomb(play):
    """4 GiB of zeros in 132 kB of zstd, made once."""
    path = os.path.join(play.stage.o.work, "bomb")
    with play.stage.lock:
        if not os.path.exists(path):
            subprocess.run(f"head -c 4294967295 /dev/zero | zstd -q"
                           f" --stream-size=4294967295 -o {path}", shell=True,
                           check=True)
    with open(path, "rb") as file:
        return file.read()


def bomb_volume(claimed):
    def other(play, data):
        octets = bomb(play)
        return octets + packed_of(play, data) + seek_table(
            [(len(octets), claimed)] + sizes_of(play))
    return raw(other)


def by_zstd(*options):
    """Frames that zstd writes with these options, from standard input."""
    def change(play):
        pieces = split(play.tar)
        packed = [subprocess.run(["zstd", "-q", *options, "-c"], input=p,
                                 capture_output=True, check=True).stdout
                  for p in pieces]
        with open(play.volume, "wb") as file:
            file.write(b"".join(packed) + seek_table(
                [(len(c), len(p)) for c, p in zip(packed, pieces)]))
    return change


def huge_window(play, data):
    """A frame's own header says a window of 2^41."""
    head = b"\x28\xb5\x2f\xfd\x04\xf8" + b"\x01\0\0" + b"\0" * 4
    return head + packed_of(play, data) + seek_table(
        [(len(head), 10)] + sizes_of(play))


def manifest(function):
    """function(play, the last manifest's lines) -> octets of zstd."""
    def change(play):
        path = play.manifests()[-1]
        data = function(play, expand(path))
        with open(path, "wb") as file:
            file.write(data)
    return change


def manifest_rows(edit):
    def other(_, lines):
        rows = [json.loads(x) for x in lines.splitlines()]
        edit(rows)
        return compress(b"".join(json.dumps(r).encode() + b"\n" for r in rows))
    return manifest(other)


def deep(n):
    return lambda lines: lines + b"[" * n + b"]" * n + b"\n"


# ---- files that are not what they should be ----

def replay_old(play):
    """The first run's manifest in the place of the last one's."""
    shutil.copy(play.manifests()[0], play.manifests()[-1])


def swap(names):
    def change(play):
        a, b = names(play)[0], names(play)[-1]
        os.rename(a, a + ".x")
        os.rename(b, a)
        os.rename(a + ".x", b)
    return change


def of_another(play):
    shutil.copy(play.other.volumes()[0], play.volume)


def one_more(play):
    shutil.copy(play.other.volumes()[0], os.path.dirname(play.volume))


def a_link(play):
    """The volume is a symbolic link to a file outside."""
    os.rename(play.volume, os.path.join(play.cwd, "outside"))
    os.symlink(os.path.join(play.cwd, "outside"), play.volume)


def instead(make, names):
    """Something made by make(path) in a file's place."""
    def change(play):
        path = names(play)[-1]
        os.unlink(path)
        make(path)
    return change


def odd_names(play):
    folder = os.path.dirname(play.volume)
    for name in ("..tar.zst", "a b.tar.zst", "\x1b]0;x\x07.tar.zst",
                 "x" * 200 + ".tar.zst", "-rf.tar.zst", "\udcff.tar.zst"):
        shutil.copy(play.volume, os.path.join(folder, name))
