#!/usr/bin/env python3
"""A user who lives in a mailbox: one day's arrivals, flag changes, moves,
copies, expunges, new, renamed and deleted mailboxes, by plain IMAP.

The same seed and day give the same wishes; what they meet is asked of the
server. Prints what was done, a word and a number a line.
"""
import argparse
import collections
import datetime
import imaplib
import random
import re
import ssl
import sys

from imapdump import mailboxes, must, quoted

imaplib._MAXLINE = 64 << 20
FLAGS = ["\\Seen", "\\Answered", "\\Flagged", "\\Draft", "\\Deleted"]
KEYWORDS = ["$Forwarded", "Travail", "project-7", "NonJunk"]
NAMES = ["Projects", "Projects/2026", "Reisen", "&AMQ-rger", "Lists/c",
         "Old stuff", "Clients/a.b"]


class User:
    def __init__(self, imap, day, rng):
        self.imap, self.day, self.rng = imap, day, rng
        self.did = collections.Counter()
        self.number = 0

    def names(self):
        return sorted(wire for wire, _ in mailboxes(self.imap))

    def others(self):
        return [n for n in self.names() if n.upper() != "INBOX"]

    def select(self, name):
        must(self.imap.select(quoted(name)), "SELECT " + name)
        return must(self.imap.uid("SEARCH", "ALL"), "SEARCH")[0].split()

    def message(self):
        """A new mail; some share a body, a few come twice."""
        self.number += 1
        lines = ["Received: from a.example by b.example; day %d" % self.day,
                 "Message-ID: <%d.%d@lives.example>" % (self.day, self.number),
                 "From: Ann <ann@a.example>", "To: me@b.example",
                 "Subject: day %d, no %d" % (self.day, self.number), ""]
        if self.number % 11 == 0:
            del lines[1]
        body = "x" * 70
        if self.number % 5 == 0:
            lines += ["a body that many share"] + [body] * 80
        else:
            lines += ["only here %d.%d" % (self.day, self.number)]
            lines += [body] * self.rng.randrange(60)
        return ("\r\n".join(lines) + "\r\n").encode()

    def arrive(self, count):
        for _ in range(count):
            octets = self.message()
            name = self.rng.choice(self.names() + ["INBOX"] * 3)
            flags = self.rng.sample(FLAGS[:4] + KEYWORDS, self.rng.randrange(3))
            when = datetime.datetime(
                2026, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=2)))
            when += datetime.timedelta(days=self.day, seconds=self.rng.randrange(80000))
            for _ in range(2 if self.number % 13 == 0 else 1):
                must(self.imap.append(quoted(name), " ".join(flags), when, octets),
                     "APPEND")
                self.did["arrived"] += 1

    def some(self, uids, most):
        return self.rng.sample(uids, min(len(uids), self.rng.randrange(most + 1)))

    def pick(self):
        name = self.rng.choice(self.names())
        return name, self.select(name)

    def change_flags(self):
        for _ in range(4):
            _, uids = self.pick()
            for uid in self.some(uids, 6):
                word = self.rng.choice(FLAGS[:4] + KEYWORDS)
                how = self.rng.choice(["+FLAGS", "-FLAGS", "FLAGS"])
                must(self.imap.uid("STORE", uid, how, "(%s)" % word), "STORE")
                self.did["flagged"] += 1

    def move(self):
        for _ in range(2):
            name, uids = self.pick()
            into = self.rng.choice(self.names())
            chosen = self.some(uids, 5)
            if not chosen or into == name:
                continue
            verb = "COPY" if self.rng.random() < 0.3 else "MOVE"
            must(self.imap.uid(verb, b",".join(chosen).decode(), quoted(into)), verb)
            self.did["copied" if verb == "COPY" else "moved"] += len(chosen)

    def expunge(self):
        _, uids = self.pick()
        chosen = self.some(uids, 4)
        if chosen:
            uid_set = b",".join(chosen).decode()
            must(self.imap.uid("STORE", uid_set, "+FLAGS", "(\\Deleted)"), "STORE")
            must(self.imap.uid("EXPUNGE", uid_set), "EXPUNGE")
            self.did["expunged"] += len(chosen)

    def create(self):
        new = [n for n in NAMES if n not in self.names()]
        if new:
            must(self.imap.create(quoted(self.rng.choice(new))), "CREATE")
            self.did["created"] += 1

    def rename(self):
        others = self.others()
        if others:
            name = self.rng.choice(others)
            must(self.imap.select("INBOX"), "SELECT")
            must(self.imap.rename(quoted(name), quoted("Was %d %s" % (
                self.day, re.sub("[^a-z]", "", name)))), "RENAME")
            self.did["renamed"] += 1

    def leaves(self):
        """Those that have none below them."""
        others = self.others()
        return [n for n in others
                if not any(o.startswith(n + "/") for o in others)]

    def delete(self):
        leaves = self.leaves()
        if len(leaves) > 3:
            must(self.imap.select("INBOX"), "SELECT")
            must(self.imap.delete(quoted(self.rng.choice(leaves))), "DELETE")
            self.did["deleted"] += 1

    def made_anew(self):
        """The same mail in a mailbox of the same name: another UIDVALIDITY."""
        leaves = self.leaves()
        if not leaves:
            return
        # With one below it, the empty one could not be deleted.
        name = max(leaves, key=lambda n: len(self.select(n)))
        must(self.imap.select("INBOX"), "SELECT")
        must(self.imap.rename(quoted(name), '"for a moment"'), "RENAME")
        must(self.imap.create(quoted(name)), "CREATE")
        uids = self.select("for a moment")
        if uids:
            must(self.imap.uid("MOVE", "1:*", quoted(name)), "MOVE")
        must(self.imap.select("INBOX"), "SELECT")
        must(self.imap.delete('"for a moment"'), "DELETE")
        self.did["new-uidvalidity"] += 1
        self.did["in-it"] += len(uids)

    def live(self, count):
        self.arrive(count)
        self.change_flags()
        self.move()
        self.expunge()
        if self.day % 3 == 1:
            self.create()
        if self.day % 7 == 4:
            self.rename()
        if self.day % 10 == 9:
            self.delete()
        if self.day % 12 == 6:
            self.made_anew()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("user")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--ca-file", help="TLS from the start; without: plain text")
    parser.add_argument("--password-file", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--day", type=int, required=True)
    parser.add_argument("--arrivals", type=int, default=12)
    options = parser.parse_args()
    if options.ca_file:
        context = ssl.create_default_context(cafile=options.ca_file)
        imap = imaplib.IMAP4_SSL(options.host, options.port, ssl_context=context)
    else:
        imap = imaplib.IMAP4(options.host, options.port)
    with open(options.password_file) as file:
        imap.login(options.user, file.readline().rstrip("\r\n"))
    user = User(imap, options.day, random.Random(options.seed * 1000 + options.day))
    user.live(options.arrivals)
    imap.logout()
    for what, n in sorted(user.did.items()):
        print(what, n)
    if not user.did:
        sys.exit("live_user: nothing was done")


if __name__ == "__main__":
    main()
