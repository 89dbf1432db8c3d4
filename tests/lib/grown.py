#!/usr/bin/env python3
"""Did the archive grow by no more than what was new? grown.py OCTETS DAY...

OCTETS: by how much the plain octets of its volumes grew in the run of the last
DAY; each DAY: imapdump.py's rows of it. Beside the octets of contents that no
earlier day had, room is given for a tar entry and a row of each catalog for
each message that is new at its place, and for a volume's beginning and end.
"""
import json
import sys

ENTRY = 3072   # headers with pax and padding, and rows of the catalogs
VOLUME = 32768  # what a volume has however little it holds; killed runs leave one


def seen(path):
    with open(path) as file:
        rows = [json.loads(line) for line in file]
    places = {(r["mailbox"], r["uidvalidity"], r["uid"]) for r in rows}
    return places, {r["sha256"]: r["size"] for r in rows}


def main():
    grown, *paths = sys.argv[1:]
    places, contents = set(), {}
    for path in paths[:-1]:
        more, sizes = seen(path)
        places |= more
        contents |= sizes
    last_places, last = seen(paths[-1])
    new = sum(size for sha, size in last.items() if sha not in contents)
    known = sum(size for sha, size in last.items() if sha in contents)
    room = ENTRY * len(last_places - places) + VOLUME
    print(f"{grown} octets more, {new} of them new, room for {room};"
          f" {known} known")
    sys.exit(0 if int(grown) <= new + room else 1)


if __name__ == "__main__":
    main()
