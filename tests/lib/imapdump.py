#!/usr/bin/env python3
"""Read an account with Python's imaplib, independently of Mailhaul.

Prints one JSON object a message, sorted by mailbox and UID: mailbox (UTF-8,
'/' between levels), uidvalidity, uid, flags (system flags, sorted), keywords
(sorted), internaldate (as the server writes it), size, sha256 of BODY[].
"""
import argparse
import base64
import hashlib
import imaplib
import json
import re
import ssl
import sys

imaplib._MAXLINE = 64 << 20
BATCH = 50
SYSTEM = {"\\answered", "\\flagged", "\\deleted", "\\seen", "\\draft"}
LIST_LINE = re.compile(rb'\(([^)]*)\) (?:"(\\?.)"|NIL) (.+)', re.S)
FETCH_LINE = re.compile(
    rb'(?=.*\bUID (?P<uid>\d+))(?=.*\bFLAGS \((?P<flags>[^)]*)\))'
    rb'(?=.*\bINTERNALDATE "(?P<date>[^"]+)")'
    rb'(?=.*\bRFC822\.SIZE (?P<size>\d+))', re.S)


def from_modified_utf7(name):
    def shift(match):
        text = match.group(1).replace(",", "/")
        if not text:
            return "&"
        return base64.b64decode(text + "=" * (-len(text) % 4)).decode("utf-16-be")
    return re.sub(r"&([^-]*)-", shift, name)


def quoted(wire):
    return '"' + wire.replace("\\", "\\\\").replace('"', '\\"') + '"'


def unquoted(octets):
    text = octets.decode()
    if text.startswith('"'):
        text = re.sub(r'\\(.)', r'\1', text[1:-1])
    return text


def must(answer, what):
    if answer[0] != "OK":
        sys.exit(f"imapdump: {what}: {answer}")
    return answer[1]


def mailboxes(imap):
    """(wire name, display name) of all that can be selected."""
    for line in must(imap.list('""', '"*"'), "LIST"):
        if isinstance(line, tuple):  # the name came as a literal
            head, name = line[0].rsplit(b"{", 1)[0] + b"x", line[1]
        else:
            head, name = line, None
        attributes, separator, last = LIST_LINE.match(head).groups()
        if re.search(rb"\\(Noselect|NonExistent)", attributes, re.I):
            continue
        wire = name.decode() if name is not None else unquoted(last)
        display = from_modified_utf7(wire)
        separator = separator.decode()[-1] if separator else ""
        if separator and separator != "/":
            display = display.replace("/", "%2F").replace(separator, "/")
        yield wire, display


def responses(data):
    """Each FETCH response of an imaplib answer: (its text, its literal)."""
    text, literal = b"", None
    for part in data:
        if isinstance(part, tuple):
            text += part[0] + b" "
            literal = part[1]
        elif part:
            text += part
            yield text, literal
            text, literal = b"", None


def row(display, uidvalidity, text, body):
    found = FETCH_LINE.match(text)
    if not found or body is None:
        sys.exit(f"imapdump: {display}: can't read {text[:200]!r}")
    words = found["flags"].decode().split()
    return {
        "mailbox": display, "uidvalidity": uidvalidity,
        "uid": int(found["uid"]),
        "flags": sorted(w for w in words if w.lower() in SYSTEM),
        "keywords": sorted(w for w in words if not w.startswith("\\")),
        "internaldate": found["date"].decode(),
        "size": len(body), "announced": int(found["size"]),
        "sha256": hashlib.sha256(body).hexdigest(),
    }


def dump(imap):
    for wire, display in mailboxes(imap):
        must(imap.select(quoted(wire), readonly=True), f"EXAMINE {display}")
        uidvalidity = int(imap.response("UIDVALIDITY")[1][0])
        uids = must(imap.uid("SEARCH", "ALL"), "SEARCH")[0].split()
        for i in range(0, len(uids), BATCH):
            wanted = b",".join(uids[i:i + BATCH]).decode()
            data = must(imap.uid("FETCH", wanted,
                                 "(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])"),
                        "FETCH")
            got = [row(display, uidvalidity, t, b) for t, b in responses(data)]
            if len(got) != len(uids[i:i + BATCH]):
                sys.exit(f"imapdump: {display}: {len(got)} answers to {wanted}")
            yield from got


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("user")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--ca-file", help="TLS from the start; without: plain text")
    parser.add_argument("--password-file", required=True)
    options = parser.parse_args()
    if options.ca_file:
        context = ssl.create_default_context(cafile=options.ca_file)
        imap = imaplib.IMAP4_SSL(options.host, options.port, ssl_context=context)
    else:
        imap = imaplib.IMAP4(options.host, options.port)
    with open(options.password_file) as file:
        imap.login(options.user, file.readline().rstrip("\r\n"))
    rows = sorted(dump(imap), key=lambda r: (r["mailbox"], r["uid"]))
    for one in rows:
        print(json.dumps(one, ensure_ascii=False, sort_keys=True))
    imap.logout()


if __name__ == "__main__":
    main()
