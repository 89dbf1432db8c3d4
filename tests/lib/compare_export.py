#!/usr/bin/env python3
"""Compare imapdump.py's rows with an export into Maildirs.

Each row must be in DIR/mailhaul.jsonl once, with the same mailbox, flags,
keywords, INTERNALDATE (instant and zone), size and SHA-256, and nothing else.
The file that it names must hold those octets, have that date and those flags;
no other file may lie in any cur. Exit 1 if something differs.
"""
import argparse
import hashlib
import json
import os
import sys

from compare_catalog import comparable

LETTERS = {"\\draft": "D", "\\flagged": "F", "\\answered": "R", "\\seen": "S",
           "\\deleted": "T"}


def files_in(root):
    for folder, _, names in os.walk(root):
        if os.path.basename(folder) in ("cur", "new", "tmp"):
            for name in names:
                yield os.path.relpath(os.path.join(folder, name), root)


def check_file(path, row):
    """What is wrong with the file of a comparable row."""
    with open(path, "rb") as file:
        octets = file.read()
    if hashlib.sha256(octets).hexdigest() != row["sha256"]:
        yield f"its {len(octets)} octets aren't the message"
    when = row["internaldate"][0]
    if int(os.stat(path).st_mtime) != when:
        yield f"dated {int(os.stat(path).st_mtime)}, not {when}"
    letters = "".join(sorted(LETTERS[f] for f in row["flags"]))
    suffix = path.rpartition(":2,")[2]
    if "".join(c for c in suffix if c.isupper()) != letters:
        yield f"flags {suffix!r} in its name, not {letters!r}"


def compare(root, line, there, complain):
    here, there = comparable(line), comparable(there)
    for field in there:
        if here[field] != there[field]:
            complain(f"{field} is {here[field]!r} in the export, "
                     f"{there[field]!r} at the source")
    for what in check_file(os.path.join(root, line["file"]), there):
        complain(f"{line['file']}: {what}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dump", help="rows of imapdump.py")
    parser.add_argument("dir", help="the export")
    options = parser.parse_args()
    findings, lines, files = [], {}, set(files_in(options.dir))
    with open(os.path.join(options.dir, "mailhaul.jsonl")) as file:
        for line in map(json.loads, file):
            key = (line["mailbox"], line["uidvalidity"], line["uid"])
            if key in lines:
                findings.append(f"{key}: twice in the export")
            lines[key] = line
    compared = 0
    with open(options.dump) as file:
        for there in map(json.loads, file):
            key = (there["mailbox"], there["uidvalidity"], there["uid"])
            line = lines.pop(key, None)
            if line is None:
                findings.append(f"{key}: not in the export")
                continue
            if line["file"] not in files:
                findings.append(f"{key}: no file {line['file']}")
                continue
            files.discard(line["file"])
            compare(options.dir, line, there,
                    lambda text, key=key: findings.append(f"{key}: {text}"))
            compared += 1
    if not compared:
        findings.append("nothing was compared")
    findings += [f"{key}: only in the export" for key in lines]
    findings += [f"{name}: a file that no line names" for name in files]
    for finding in findings[:50]:
        print(finding)
    print(f"{compared} compared, {len(findings)} findings")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
