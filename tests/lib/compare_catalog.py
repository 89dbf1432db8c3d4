#!/usr/bin/env python3
"""Compare imapdump.py's rows with the catalogs of an archive's sealed volumes.

Every row must be in a catalog once, with the same flags, keywords,
INTERNALDATE (instant and zone), size and SHA-256, and nothing else may be
there. The octets of every whole entry are hashed too. Differences are
printed; exit 1 if there are any.
"""
import argparse
import datetime
import hashlib
import json
import os
import re
import subprocess
import sys
import tarfile

CATALOG = ".mailhaul/CATALOG.jsonl"
SHARED = ".mailhaul/shared/"
MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
IMAP_DATE = re.compile(
    r"\s?(\d+)-(\w{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)")


def instant_and_zone(text):
    """(Unix seconds, minutes east) of IMAP's or RFC 3339's form; None: NIL."""
    if text is None:
        return None
    found = IMAP_DATE.fullmatch(text)
    if found:
        day, month, year, *rest = found.groups()
        text = (f"{year}-{MONTHS.index(month) + 1:02d}-{int(day):02d}T"
                f"{rest[0]}:{rest[1]}:{rest[2]}{rest[3]}{rest[4]}:{rest[5]}")
    when = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return int(when.timestamp()), int(when.utcoffset().total_seconds()) // 60


def words(value):
    """A list, or words with blanks between, as a sorted list."""
    if isinstance(value, str):
        value = value.split()
    return sorted(value or [])


def comparable(row):
    return {
        "flags": sorted(w.lower() for w in words(row["flags"])),
        "keywords": words(row["keywords"]),
        "internaldate": instant_and_zone(row["internaldate"]),
        "size": row["size"], "sha256": row["sha256"],
    }


class Volume:
    """What a volume's tar stream holds, read once from its start."""

    def __init__(self, path):
        self.name = os.path.basename(path)
        self.rows, self.hashes, self.links = [], {}, {}
        zstd = subprocess.Popen(["zstd", "-dcq", path], stdout=subprocess.PIPE)
        with tarfile.open(fileobj=zstd.stdout, mode="r|") as tar:
            for entry in tar:
                self.take(tar, entry)
        while zstd.stdout.read(1 << 16):
            pass
        if zstd.wait() != 0:
            sys.exit(f"compare_catalog: zstd can't read {path}")

    def take(self, tar, entry):
        if entry.islnk():
            self.links[entry.name] = entry.linkname
        elif entry.isfile() and entry.name == CATALOG:
            text = tar.extractfile(entry).read().decode()
            self.rows = [json.loads(line) for line in text.splitlines()]
        elif entry.isfile():
            self.hashes[entry.name] = hashlib.file_digest(
                tar.extractfile(entry), "sha256").hexdigest()

    def octets_of(self, path):
        """SHA-256 of a whole entry, through a link; None: no such entry."""
        return self.hashes.get(self.links.get(path, path))


def catalog_rows(archive, complain):
    rows = {}
    folder = os.path.join(archive, "volumes")
    for file in sorted(os.listdir(folder)):
        if not file.endswith(".tar.zst"):
            continue
        volume = Volume(os.path.join(folder, file))
        if not volume.rows:
            complain(f"{file}: no catalog, or an empty one")
        for row in volume.rows:
            key = (row["account"], row["mailbox"], row["uidvalidity"], row["uid"])
            if key in rows:
                complain(f"{key}: twice in the catalogs")
            rows[key] = row
            entry = row["entry"]
            if entry.startswith(SHARED):
                if entry not in volume.hashes:
                    complain(f"{key}: no entry {entry}")
            elif volume.octets_of(entry) != row["sha256"]:
                complain(f"{key}: the octets of {entry} aren't its content")
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dump", help="rows of imapdump.py")
    parser.add_argument("archive")
    parser.add_argument("--account", help="only this account's catalog rows")
    parser.add_argument("--many", action="store_true",
                        help="the dump's rows have an account each")
    parser.add_argument("--include", metavar="REGEX",
                        help="only mailboxes that match as a whole")
    parser.add_argument("--more-allowed", action="store_true",
                        help="the archive may hold what the source no longer does")
    parser.add_argument("--ignore", default="", metavar="FIELD,…",
                        help="fields not to compare, as flags,keywords")
    options = parser.parse_args()

    findings = []
    rows = catalog_rows(options.archive, findings.append)
    if options.account:
        rows = {k: v for k, v in rows.items() if k[0] == options.account}
    accounts = {k[0] for k in rows}
    if len(accounts) > 1 and not options.many:
        sys.exit(f"compare_catalog: say --account, there are {sorted(accounts)}")
    if not options.many:
        rows = {k[1:]: v for k, v in rows.items()}

    with open(options.dump) as file:
        dumped = [json.loads(line) for line in file]
    if options.include:
        dumped = [r for r in dumped if re.fullmatch(options.include, r["mailbox"])]
    if not dumped:
        findings.append(f"{options.dump} is empty: nothing was compared")
    ignored = options.ignore.split(",")
    for there in dumped:
        key = (there["mailbox"], there["uidvalidity"], there["uid"])
        if options.many:
            key = (there["account"], *key)
        here = rows.pop(key, None)
        if here is None:
            findings.append(f"{key}: not in the archive")
            continue
        here, there = comparable(here), comparable(there)
        for field in there:
            if here[field] != there[field] and field not in ignored:
                findings.append(f"{key}: {field} is {here[field]!r} in the "
                                f"archive, {there[field]!r} at the source")
    if not options.more_allowed:
        findings += [f"{key}: only in the archive" for key in rows]
    for finding in findings[:50]:
        print(finding)
    if len(findings) > 50:
        print(f"… and {len(findings) - 50} more")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
