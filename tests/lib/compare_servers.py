#!/usr/bin/env python3
"""Compare what two servers hold: dumps of imapdump.py, SOURCE TARGET.

Every message of the source stands in the target once for each time that it
stands in the source, and the target holds nothing else: mailbox, flags,
keywords, INTERNALDATE, size and octets. UIDs are each server's own. Prints what
differs; exit 1 then.

  --place FROM=TO   a mailbox that has another name in the target
  --any-date        INTERNALDATE is not looked at
  --only-octets     nor are flags and keywords
  --missing N       so many are known to lack: held back
  --altered N       so many have other octets, all else being the same: the
                    target rewrote them
"""
import argparse
import collections
import json
import sys


def read(path, places, options):
    kept = collections.Counter()
    for line in open(path, encoding="utf-8"):
        m = json.loads(line)
        key = [places.get(m["mailbox"], m["mailbox"]), m["size"], m["sha256"]]
        if not options.any_date:
            # " 1-Sep-1999" and "01-Sep-1999" are the same.
            key.append(m["internaldate"].strip().rjust(26, "0"))
        if not options.only_octets:
            key += [" ".join(m["flags"]), " ".join(m["keywords"])]
        kept[tuple(key)] += 1
    return kept


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source")
    parser.add_argument("target")
    parser.add_argument("--place", action="append", default=[])
    parser.add_argument("--any-date", action="store_true")
    parser.add_argument("--only-octets", action="store_true")
    parser.add_argument("--missing", type=int, default=0)
    parser.add_argument("--altered", type=int, default=0)
    options = parser.parse_args()
    places = dict(place.split("=", 1) for place in options.place)
    source = read(options.source, places, options)
    target = read(options.target, {}, options)
    missing, extra = source - target, target - source
    for key in list(missing):
        for other in list(extra):
            if options.altered and key[:2] + key[3:] == other[:2] + other[3:]:
                options.altered -= 1
                missing[key] -= 1
                extra[other] -= 1
                break
    missing, extra = +missing, +extra
    for what, rest in (("missing", missing), ("more than once, or strange",
                                              extra)):
        for key, n in list(rest.items())[:10]:
            print(f"{what} ({n}): {key}")
    total = sum(source.values())
    print(f"{total} messages: {sum(missing.values())} missing, "
          f"{sum(extra.values())} too many")
    sys.exit(1 if sum(missing.values()) != options.missing or extra
             or options.altered or total == 0 else 0)


if __name__ == "__main__":
    main()
