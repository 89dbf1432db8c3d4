#!/usr/bin/env python3
"""Write a tenant's mailboxes as trees of Maildirs: mail that went to many
people, each copy with Received and Delivered-To lines of its own, and some
that only one has. Files hold CRLF; the same options give the same octets.

usage: tenant_mail.py DIR --users "NAME …" [--messages N] [--size AVG]
                      [--share PERCENT] [--seed SEED] [--owner UID:GID]

DIR/NAME is a tree as scripts/sample-mail makes it. Of N common messages each
user has about PERCENT; and five of his own.
"""
import argparse
import os
import random
import sys
import time

BOXES = ("INBOX", "Projects", "Projects/Old")
OWN = 5
FIRST = 1700000000


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("dir")
    parser.add_argument("--users", required=True)
    parser.add_argument("--messages", type=int, default=120)
    parser.add_argument("--size", type=int, default=16000)
    parser.add_argument("--share", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--owner")
    return parser.parse_args()


def body(rng, size):
    """Lines that hardly compress."""
    lines = []
    while size > 0:
        line = "%0120x" % rng.getrandbits(480)
        lines.append(line)
        size -= len(line) + 2
    return "\r\n".join(lines) + "\r\n"


def when(seconds):
    return time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime(seconds))


def copy_of(user, number, to, text, rng):
    date = FIRST + number * 600
    return (
        f"Return-Path: <sender{number % 7}@example.org>\r\n"
        f"Delivered-To: {user}@example.com\r\n"
        f"Received: from mx.example.com (mx.example.com [192.0.2.1])\r\n"
        f"\tby store.example.com with LMTP id {rng.getrandbits(64):016x}\r\n"
        f"\tfor <{user}@example.com>; {when(date + rng.randrange(9))}\r\n"
        f"From: Sender {number % 7} <sender{number % 7}@example.org>\r\n"
        f"To: {to}\r\n"
        f"Subject: Circular {number}\r\n"
        f"Date: {when(date)}\r\n"
        f"Message-ID: <{number}.{len(text)}@example.org>\r\n"
        f"MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n" + text
    )


class Tree:
    def __init__(self, root, owner):
        self.root = root
        self.owner = owner
        self.count = 0
        self.make(root)
        for box in BOXES:
            self.make(os.path.join(root, box))
            for part in ("cur", "new", "tmp"):
                self.make(os.path.join(root, box, part))

    def make(self, path):
        os.makedirs(path, exist_ok=True)
        self.give(path)

    def give(self, path):
        if self.owner:
            os.chown(path, *self.owner)

    def put(self, box, octets, date, flags):
        self.count += 1
        name = f"{date}.M{self.count}P1.tenant,S={len(octets)}:2,{flags}"
        path = os.path.join(self.root, box, "cur", name)
        with open(path, "wb") as out:
            out.write(octets)
        os.utime(path, (date, date))
        self.give(path)


def main():
    options = arguments()
    users = options.users.split()
    owner = options.owner and tuple(map(int, options.owner.split(":")))
    rng = random.Random(options.seed)
    trees = {u: Tree(os.path.join(options.dir, u), owner) for u in users}
    listed = 0
    for number in range(options.messages):
        text = body(rng, rng.randrange(options.size // 2, options.size * 3 // 2))
        having = [u for u in users if rng.randrange(100) < options.share]
        to = "staff@example.com"
        box = BOXES[number % len(BOXES)]
        for user in having:
            octets = copy_of(user, number, to, text, rng).encode()
            trees[user].put(box, octets, FIRST + number * 600,
                            rng.choice(("", "S", "RS", "F")))
            listed += len(octets)
    for at, user in enumerate(users):
        for own in range(OWN):
            number = options.messages + at * OWN + own
            text = body(rng, options.size // 4)
            octets = copy_of(user, number, f"{user}@example.com", text,
                             rng).encode()
            trees[user].put("INBOX", octets, FIRST + number * 600, "S")
            listed += len(octets)
    print(sum(t.count for t in trees.values()), listed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
