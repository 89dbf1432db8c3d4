#!/usr/bin/env python3
"""Compare imapdump.py's rows with what "mailhaul ls --json" prints.

Every message of either must be in the other, by mailbox, UIDVALIDITY and UID,
with the same flags, keywords, INTERNALDATE (instant and zone), size and
SHA-256. Differences are printed; exit 1 if there are any.
"""
import json
import sys

from compare_catalog import comparable


def rows(path):
    found = {}
    with open(path) as file:
        for line in file:
            row = json.loads(line)
            key = (row["mailbox"], row["uidvalidity"], row["uid"])
            if key in found:
                print(f"{path}: {key} twice")
                sys.exit(1)
            found[key] = comparable(row)
    return found


def main():
    there, here = rows(sys.argv[1]), rows(sys.argv[2])
    findings = [f"{key}: missing" for key in there.keys() - here.keys()]
    findings += [f"{key}: too many" for key in here.keys() - there.keys()]
    for key in there.keys() & here.keys():
        for field, value in there[key].items():
            if here[key][field] != value:
                findings.append(f"{key}: {field} is {here[key][field]!r}, "
                                f"was {value!r}")
    for finding in sorted(findings)[:30]:
        print(finding)
    if len(findings) > 30:
        print(f"… {len(findings)} in all")
    print(f"{len(there)} messages compared")
    sys.exit(1 if findings or not there else 0)


if __name__ == "__main__":
    main()
