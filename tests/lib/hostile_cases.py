"""What servers do to a first haul, one row a case; hostile_play.py plays them.
IDs are those of the project's list of hostile cases.
"""
import collections
import hashlib
import itertools
import zlib

from scripted_imap import DATE, Hangup, Message, literal, mail, three

PLAIN, TLS, STARTTLS = "plain", "tls", "starttls"
ESC = "\x1b]0;owned\x07\x1b[2J"
COMPLETE = r"^complete: 3 listed = 3 delivered \+ 0 already$"
KNOWN = r"^complete: 3 listed = 0 delivered \+ 3 already$"
LOST_ONE = r"INCOMPLETE: 3 listed = 2 delivered \+ 0 already \+ 1 "

ROW = collections.namedtuple(
    "Case", "name hooks exit says mode boxes options capability secret_in_clear"
    " tries later hooks2 exit2 says2 mended honest gives asked logged",
    defaults=[0, COMPLETE, PLAIN, None, (), "IMAP4rev1", True, None,
              None, None, None, None, None, True, (), True, None])


class Case(ROW):
    """exit2, of the second haul, is exit's where a row says nothing of it."""
    __slots__ = ()

    def __new__(cls, *words, **named):
        row = super().__new__(cls, *words, **named)
        return row if row.exit2 is not None else row._replace(exit2=row.exit)


# ---- building answers ----

def lines(form):
    """Each listing line by a format of n, uid, flags, date, size."""
    def hook(_, n, m):
        return form.format(n=n, uid=m.uid, flags=m.flags, date=m.date,
                           size=m.size) + "\r\n"
    return {"line": hook}


FULL = ("* {n} FETCH (UID {uid} FLAGS ({flags}) INTERNALDATE {date} "
        "RFC822.SIZE {size})")


def body_of(uid, answer):
    """answer(conn, n, m) instead of the body of one message."""
    def hook(conn, n, m):
        return answer(conn, n, m) if m.uid == uid else None
    return {"body": hook}


def hang_up(uid, data=b"", times=1 << 30):
    """The connection ends when this message is asked for."""
    state = {"left": times}

    def answer(_, n, m):
        if state["left"] == 0:
            return None
        state["left"] -= 1
        raise Hangup(data(n, m) if callable(data) else data)
    return body_of(uid, answer)


def hang_up_line(uid, data=b""):
    """The connection ends when this message is listed."""
    def hook(_, n, m):
        if m.uid == uid:
            raise Hangup(data)
    return {"line": hook}


def hang_up_list(*names):
    """The connection ends whenever these mailboxes are listed."""
    def hook(conn, _):
        if conn.name in names:
            raise Hangup(b"")
    return {"LINES": hook, "UIDS": hook}


def hang_up_first(times=1 << 30, data=b""):
    """The first connections end so."""
    def hook(conn, _):
        if conn.number < times:
            raise Hangup(data)
    return hook


def refuse(uid, word):
    def hook(conn, rest):
        if any(m.uid == uid for _, m in conn.chosen(rest)):
            return f"@ {word}\r\n"
        return None
    return {"BODIES": hook}


def examine(*said, end="@ OK done"):
    """EXAMINE's and SELECT's answer; the mailbox is the honest one."""
    def hook(conn, rest):
        conn.mailbox = conn.server.mailboxes.get(rest.strip('"'), [])
        return "".join(s + "\r\n" for s in said) + end + "\r\n"
    return {"EXAMINE": hook, "SELECT": hook}


def uidvalidity_by_connection(conn, rest):
    conn.mailbox = conn.server.mailboxes["INBOX"]
    return (f"* 3 EXISTS\r\n* OK [UIDVALIDITY {7 + conn.number}] v\r\n"
            "* OK [UIDNEXT 4] n\r\n@ OK done\r\n")


def uids_for_each_examine():
    """RFC 4315, 3: what a store without lasting UIDs says."""
    opened = itertools.count(1)

    def hook(conn, rest):
        n = next(opened)
        conn.mailbox = conn.server.mailboxes["INBOX"]
        conn.mailbox.append(conn.mailbox.pop(0))
        for i, m in enumerate(conn.mailbox):
            m.uid = n * 10 + i
        conn.server.uidvalidity = 100 + n
        return (f"* 3 EXISTS\r\n* OK [UIDVALIDITY {100 + n}] v\r\n"
                f"* OK [UIDNEXT {n * 10 + 3}] n\r\n"
                "* NO [UIDNOTSTICKY] they change\r\n@ OK done\r\n")
    return hook


def listed(*rows):
    text = "".join(f"* LIST {row}\r\n" for row in rows)
    return {"LIST": text + "@ OK done\r\n"}


def names(*given):
    """Mailboxes of these names, a message in each; quoted as they are."""
    return {name: [Message(1, mail(i + 1))] for i, name in enumerate(given)}


def listed_quoted(*given, separator='"/"'):
    rows = []
    for name in given:
        quoted = name.replace("\\", "\\\\").replace('"', '\\"')
        rows.append(f'() {separator} "{quoted}"')
    return listed(*rows)


def flood(line, times):
    return {"LINES": lambda conn, rest: conn.send(line * times)}


def endless(head, piece, total):
    """A line that doesn't end: the client has to."""
    def hook(conn, *_):
        conn.send(head)
        for _ in range(total // len(piece)):
            conn.send(piece)
        raise Hangup(b"")
    return hook


def unsolicited(text):
    """Before each listing."""
    def hook(conn, rest):
        conn.send(text)
        return None
    return {"LINES": hook}


def inject(data):
    """Octets in the same segment as STARTTLS's OK, then TLS."""
    def hook(conn, rest):
        conn.answer(b"@ OK go on\r\n" + data)
        conn.start_tls()
        return b""
    return {"STARTTLS": hook}


# ---- COMPRESS ----

ALWAYS = ("--source-compress=always",)
DEFLATE = "IMAP4rev1 COMPRESS=DEFLATE"


def compress(behind=b"", packed=b"", end=False):
    """OK, octets as they are, others as they should be; then goes on, or
    hangs up."""
    def hook(conn, _):
        packer = zlib.compressobj(wbits=-15)
        if packed:
            packed_octets = packer.compress(packed) + packer.flush(
                zlib.Z_SYNC_FLUSH)
        else:
            packed_octets = b""
        conn.answer(b"@ OK from here on\r\n" + packed_octets + behind)
        if end:
            raise Hangup(b"")
        conn.start_compress()
        # What follows has to fit what was sent.
        conn.packer = packer
        return b""
    return {"COMPRESS": hook}


def in_clear(conn, _):
    """OK, and nothing is compressed."""
    return b"@ OK from here on\r\n"


def zeros(mib):
    """Compressed by themselves, so that they fit behind anything; once."""
    packer = zlib.compressobj(wbits=-15)
    return (packer.compress(bytes(1 << 20))
            + packer.flush(zlib.Z_FULL_FLUSH)) * mib


def swelling(head, mib=300):
    """A literal of zeros, 1,000 times as large as what is sent."""
    def hook(conn, *_):
        conn.send(head % (mib << 20))
        conn.sock.sendall(zeros(mib))
        conn.send(b")\r\n")
    return hook


def body_swells(conn, n, m):
    if m.uid == 2:
        swelling(b"* 2 FETCH (UID 2 BODY[] {%d}\r\n")(conn)
        raise Hangup(b"")


# Each untagged line that could outlive the clear part of a session.
IN_CLEAR = ("* CAPABILITY IMAP4rev1 LOGINDISABLED X-EVIL\r\n"
            '* LIST () "/" "Injected"\r\n* LSUB () "/" "Injected"\r\n'
            "* STATUS Injected (MESSAGES 1)\r\n* SEARCH 1\r\n* FLAGS (x)\r\n"
            "* 9 EXISTS\r\n* 9 RECENT\r\n* 1 EXPUNGE\r\n"
            "* 1 FETCH (UID 9 FLAGS (\\Deleted))\r\n")


def told_before_tls(conn, rest):
    conn.answer(IN_CLEAR + "@ OK go on\r\n")
    conn.start_tls()
    return b""


def clear_after_tls(conn, rest):
    """OK; then plain text in a segment of its own, behind the hello."""
    conn.answer("@ OK go\r\n")
    conn.sock.recv(65536)
    return "* OK hello again\r\n"


def dated(*dates):
    return {"INBOX": [Message(i + 1, mail(i + 1), date=d)
                      for i, d in enumerate(dates)]}


def twice(conn, n, m):
    other = Message(m.uid, b"Subject: another\r\n\r\nforged\r\n")
    return literal(n, m) + literal(n, other)


def foreign(conn, n, m):
    other = Message(99, b"Subject: foreign\r\n\r\nnever asked for\r\n")
    return literal(9, other) + literal(n, m)


def throttled_once():
    state = {"said": False}

    def hook(conn, rest):
        if state["said"]:
            return None
        state["said"] = True
        raise Hangup(b"* BYE Request is throttled. "
                     b"Suggested Backoff Time: 1000 milliseconds\r\n")
    return {"BODIES": hook}


EMPTY = {"INBOX": []}
LARGE = 600 << 20


def large(total):
    """A body of that many octets in lines of mail, in pieces."""
    line = b"Subject: large\r\n\r\n" + b"x" * 46 + b"\r\n" * 500
    for at in range(0, total, len(line)):
        yield line[:total - at]


def send_large(whole):
    def hook(conn, n, m):
        conn.send(f"* {n} FETCH (UID {m.uid} BODY[] {{{LARGE}}}\r\n")
        for piece in large(LARGE if whole else LARGE // 20):
            conn.send(piece)
        if not whole:
            raise Hangup(b"")
        return b")\r\n"
    return hook


def sha256_of(pieces):
    found = hashlib.sha256()
    for piece in pieces:
        found.update(piece)
    return found.hexdigest()


def header_mail(*fields, body=b"The body of it.\r\n"):
    return b"".join(f + b"\r\n" for f in fields) + b"\r\n" + body


def nested_parts(depth):
    """multipart in multipart, as deep, and a text at the bottom."""
    text = b"Content-Type: text/plain\r\n\r\nThe body at the bottom.\r\n"
    for n in range(depth):
        text = (b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n"
                % (n, n) + text + b"\r\n--b%d--\r\n" % n)
    return b"MIME-Version: 1.0\r\n" + text


def mails(*bodies):
    return {"INBOX": [Message(n, b) for n, b in enumerate(bodies, 1)]}


def nested(word, depth):
    return unsolicited(b"* 1 FETCH (" + word + b" " + b"(" * depth
                       + b")" * depth + b")\r\n")


CASES = [
    Case("honest", {}),
    Case("honest over TLS", {}, mode=TLS),
    Case("honest STARTTLS", {}, mode=STARTTLS),

    # ---- bodies ----
    Case("I05 literal8", {"body": lambda c, n, m: literal(n, m, mark="~")}),
    Case("I19 sizes that were announced wrongly", lines(FULL.replace(
        "{size}", "4294967295"))),
    Case("I19 sizes of nothing", lines(FULL.replace("{size}", "0"))),
    Case("I20 I21 NUL, bare CR and LF", {}, boxes={"INBOX": [
        Message(1, b"Subject: a\r\n\r\nNUL \0 in it\r\n"),
        Message(2, b"Subject: b\n\nbare\nLF\rCR\r\n"),
        Message(3, b"\0\r\n\r\r\n")]}),
    Case("empty bodies", {}, boxes={"INBOX": [
        Message(1, b""), Message(2, b"\r\n"), Message(3, b"x")]}),
    Case("I22 body NIL", body_of(2, lambda c, n, m:
         f"* {n} FETCH (UID {m.uid} BODY[] NIL)\r\n"), 1,
         LOST_ONE + "unreadable"),
    Case("OK without a body", body_of(2, lambda c, n, m: b""), 1,
         LOST_ONE + "unreadable"),
    Case("gone between list and fetch",
         {**body_of(2, lambda c, n, m: b""),
          "UIDS": "@ OK none\r\n"}, 0,
         r"complete: 3 listed = 2 delivered \+ 0 already \+ 1 vanished"),
    Case("a message that is always refused", refuse(2, "NO [SERVERBUG] broken"),
         1, LOST_ONE + "unreadable"),
    Case("a message that is always BAD", refuse(2, "BAD " + ESC), 1,
         LOST_ONE + "unreadable"),
    Case("a message that always ends the connection", hang_up(2), 1,
         LOST_ONE + "unreadable"),
    Case("a message whose line always ends the connection", hang_up_line(2), 1,
         r"(?s)UID 2 unreadable: the connection broke each time it was listed.*"
         + LOST_ONE + "unreadable"),
    Case("the last message's line always ends the connection",
         hang_up_line(3, b"* BYE internal error\r\n"), 1,
         r"(?s)UID 3 unreadable: .*internal error.*" + LOST_ONE + "unreadable"),
    Case("one line of many always ends the connection", hang_up_line(1700), 1,
         r"INCOMPLETE: 2300 listed = 2299 delivered \+ 0 already \+ 1 unread",
         boxes={"INBOX": [Message(n, mail(n)) for n in range(1, 2301)]}),
    Case("a list that always ends the connection", hang_up_list("INBOX"), 6,
         r"; in INBOX\n"),
    Case("one mailbox whose lists always end the connection",
         hang_up_list("Drafts"), 1,
         r"(?s)FAILED Drafts: [0-9]+ connections broke.*6 delivered.*3 unknown",
         boxes={"INBOX": three(), "Drafts": three(), "Sent": three()}),
    Case("BYE in mid-window, once",
         hang_up(2, b"* BYE shutting down\r\n", times=1)),
    Case("I07 EOF in mid-literal, once",
         hang_up(2, lambda n, m: literal(n, m)[:-20], times=1)),
    Case("I16 a body nobody asked for", body_of(2, foreign)),
    Case("I17 two bodies for one UID", body_of(2, twice)),
    Case("I18 a body without UID", body_of(2, lambda c, n, m:
         literal(n, m).replace(b"UID 2 ", b"")), 1, LOST_ONE + "unreadable"),
    Case("I01 a literal of 4 GiB, then EOF",
         hang_up(2, b"* 2 FETCH (UID 2 BODY[] {4294967290}\r\nlittle"), 1,
         LOST_ONE + "unreadable"),
    Case("I02 a literal beyond 64 bits",
         hang_up(2, b"* 2 FETCH (UID 2 BODY[] {18446744073709551617}\r\nx"), 1,
         None),
    Case("I03 a literal of -1",
         hang_up(2, b"* 2 FETCH (UID 2 BODY[] {-1}\r\nx)\r\n"), 1, None),
    Case("I04 a literal's brace, then more",
         hang_up(2, b"* 2 FETCH (UID 2 BODY[] {10}x\r\n0123456789)\r\n"), 1,
         None),
    Case("a literal that goes on after its size", body_of(2, lambda c, n, m:
         literal(n, m, size=5)), 1, None, honest=False),
    Case("quoted bodies", body_of(2, lambda c, n, m:
         f'* {n} FETCH (UID {m.uid} BODY[] "quoted")\r\n'), 0, COMPLETE,
         honest=False),

    Case("I06 a body of 600 MB", {"body": send_large(True)}, 0,
         "complete: 1 listed = 1 delivered", boxes=mails(mail(1)),
         honest=False, gives=lambda: [sha256_of(large(LARGE))]),
    Case("I06 a body of 600 MB that never ends", {"body": send_large(False)}, 1,
         "INCOMPLETE: 1 listed = 0 delivered .* 1 unreadable",
         boxes=mails(mail(1)), options=("--retries", "1")),
    Case("D12 the same mail three times in one mailbox", {}, boxes=mails(
        *[mail(1)] * 3)),
    Case("D12 the same long mail three times, once with another header", {},
         boxes=mails(*[mail(1, b"long\r\n" * 2000)] * 2,
                     b"Received: by x\r\n" + mail(1, b"long\r\n" * 2000))),

    # ---- mail that parsers stumble over (WIRE 8) ----
    Case("comments nested 200,000 deep in a header", {}, boxes=mails(
        header_mail(b"From: " + b"(" * 200000 + b")" * 200000 + b" a@x",
                    b"Message-ID: " + b"(" * 200000 + b"<1@x>",
                    b"Date: " + b"(" * 200000),
        header_mail(b"To: " + b'"' * 99999, b"Message-ID: <2@x"),
        header_mail(b"Cc: " + b"a:b,;" * 100000, b"Message-ID: <3@x>"))),
    Case("NUL, malformed and endless lines in a header", {}, boxes=mails(
        header_mail(b"no field at all", b"Message-ID: <1\0@x>",
                    b"Subject: a\0b"),
        header_mail(b"Subject: " + b"x" * 10000000, b"Message-ID: <2@x>"),
        b"\0" * 100000 + b"\r\n\r\nThe body.\r\n")),
    Case("a header of 300,000 fields, and one of 300,000 folds", {},
         boxes=mails(
             header_mail(*[b"X: y"] * 300000, b"Message-ID: <1@x>"),
             header_mail(b"Subject: " + b"a\r\n b" * 300000),
             header_mail(b"References: " + b"<1@x> " * 300000))),
    Case("encoded words of no end and of no character set", {}, boxes=mails(
        header_mail(b"Subject: " + b"=?utf-8?q?a?= " * 100000),
        header_mail(b"Subject: =?x-none?b?" + b"A" * 1000000 + b"?="),
        header_mail(b"From: =?utf-7?q?+AGE-?= =?utf-8?b?////?= <a@x>"))),
    Case("parts nested 2,000 deep", {}, boxes=mails(
        nested_parts(2000), nested_parts(40),
        header_mail(b"MIME-Version: 1.0",
                    b"Content-Type: multipart/mixed; boundary=b",
                    body=b"--b\r\n\r\nThe body.\r\n" * 50000))),
    Case("text that is far larger once decoded, or can't be", {}, boxes=mails(
        header_mail(b"MIME-Version: 1.0", b"Content-Type: text/html",
                    body=b"<div>" * 200000 + b"The body."),
        header_mail(b"MIME-Version: 1.0", b"Content-Type: text/plain",
                    b"Content-Transfer-Encoding: base64",
                    body=b"====" * 100000),
        header_mail(b"MIME-Version: 1.0",
                    b"Content-Type: text/plain; charset=\"" + b"x" * 100000,
                    b"Content-Transfer-Encoding: x-uuencode",
                    body=b"begin 644 ../../x\r\n" + b"M" * 100000))),

    # ---- lines ----
    Case("odd flags", lines(FULL.replace(
        "{flags}", r"\Seen \Recent \Bogus \* foo $Phishing"))),
    Case("flags with junk", lines(FULL.replace(
        "{flags}", "foo(bar) x\x01y " + ESC)), 0, None),
    Case("NUL in lines", lines(FULL.replace("{flags}", "a\0b \\Seen\0")), 0,
         None),
    Case("I16 I26 lines of other messages and unknown codes", unsolicited(
        "* 99 FETCH (UID 99 FLAGS () RFC822.SIZE 3)\r\n* OK [X-(] x\r\n"
        "* OK [" + "X" * 9000 + "] y\r\n* NO [UNSEEN -1] z\r\n"), 0, None),
    Case("NIL date", lines(FULL.replace("{date}", "NIL"))),
    Case("no date, no size, no flags", lines("* {n} FETCH (UID {uid})"), 0,
         None),
    Case("unknown items", lines(
        "* {n} FETCH (X-A (1 (2 3)) UID {uid} X-B {{3}}\r\nabc FLAGS ({flags}) "
        'X-C "q" INTERNALDATE {date} MODSEQ (5) RFC822.SIZE {size} X-D NIL)')),
    Case("I32 odd dates", {}, boxes=dated(
        '"00-Jan-0000 00:00:00 +0000"', '"31-Dec-9999 23:59:59 +1400"',
        '"99-Foo-2020 99:99:99 +9999"')),
    Case("I33 10,000 keywords, one of 64 KiB", {}, boxes={
        "INBOX": [Message(1, mail(1), flags=" ".join(
            f"k{i}" for i in range(10000))),
            Message(2, mail(2), flags="k" * 65536), Message(3, mail(3))]}),
    Case("I33 2 MB of keywords on a message", {}, boxes={
        "INBOX": [Message(1, mail(1), flags=" ".join(
            f"k{i:0999}" for i in range(2000))), Message(2, mail(2))]},
        says="complete: 2 listed = 2 delivered"),
    Case("I18 a line without UID", {"line": lambda c, n, m:
         f"* {n} FETCH (FLAGS () RFC822.SIZE 9)\r\n" if n == 2 else None}, 1,
         LOST_ONE + "(unreadable|unknown)"),
    Case("the same UID in two lines", {"line": lambda c, n, m:
         FULL.format(n=n, uid=min(m.uid, 2), flags="", date=DATE, size=9)
         + "\r\n"}, 1, None),
    Case("lines out of order", {"LINES": lambda c, r: "".join(
        FULL.format(n=m.uid, uid=m.uid, flags="", date=DATE, size=9) + "\r\n"
        for m in reversed(c.mailbox)) + "@ OK done\r\n"}),
    Case("I23 EXPUNGE during the listing", {
        **examine("* 4 EXISTS", "* OK [UIDVALIDITY 7] v", "* OK [UIDNEXT 5] n"),
        "LINES": lambda c, r: c.send("* 4 EXPUNGE\r\n")}, 0,
        r"complete: 4 listed = 3 delivered \+ 0 already \+ 1 vanished"),
    Case("SEARCH junk, unknown codes, ALERT with escapes", unsolicited(
        "* SEARCH 1 1 4294967295 9999999999999\r\n* OK [X-FOO (a \"b] c\")] hm"
        f"\r\n* OK [ALERT] {ESC}\r\n* X-JUNK {ESC}\r\n*\r\n* \r\njunk\r\n"
        "* 5\r\n* 99999999999999999999 EXISTS\r\n"), 0, None),
    Case("I25 OK for a foreign tag", unsolicited("zzz9 OK done\r\n"), 6,
         "answered a command that was never sent"),
    Case("I36 OK with OVERQUOTA", {"LINES": lambda c, r: c.send(
        "* OK [OVERQUOTA] you are\r\n")}),
    Case("a throttle that passes", throttled_once()),

    # ---- mailboxes ----
    Case("EXISTS larger than what is listed", examine(
        "* 5 EXISTS", "* OK [UIDVALIDITY 7] v", "* OK [UIDNEXT 6] n"), 1,
        r"INCOMPLETE: 5 listed = 3 delivered \+ 0 already \+ 2 unknown"),
    Case("EXISTS smaller than what is listed", examine(
        "* 1 EXISTS", "* OK [UIDVALIDITY 7] v", "* OK [UIDNEXT 4] n")),
    Case("I15 EXISTS 4294967295, UIDNEXT 0", examine(
        "* 4294967295 EXISTS", "* OK [UIDVALIDITY 7] v",
        "* OK [UIDNEXT 0] n"), 1, "4294967292 unknown"),
    Case("missing UIDNEXT", examine("* 3 EXISTS", "* OK [UIDVALIDITY 7] v")),
    Case("I15 UIDVALIDITY 0", examine(
        "* 3 EXISTS", "* OK [UIDVALIDITY 0] v", "* OK [UIDNEXT 4] n"), 1,
        "gives no UIDVALIDITY"),
    Case("I15 UIDVALIDITY missing", examine("* 3 EXISTS"), 1,
         "gives no UIDVALIDITY"),
    Case("I15 UIDNOTSTICKY", examine(
        "* 3 EXISTS", "* OK [UIDVALIDITY 7] v", "* OK [UIDNEXT 4] n",
        "* NO [UIDNOTSTICKY] they change"),
        says=r"(?s)UIDNOTSTICKY.*" + COMPLETE, exit2=0, says2=KNOWN),
    Case("UIDNOTSTICKY, and a UIDVALIDITY for each EXAMINE", {
        "EXAMINE": uids_for_each_examine()},
        says=r"(?s)UIDNOTSTICKY.*" + COMPLETE, exit2=0, says2=KNOWN),
    Case("I24 UIDVALIDITY changes on reconnect", {
        "EXAMINE": uidvalidity_by_connection, **hang_up(2, times=1)}, 0,
        "UIDVALIDITY changed from 7 to 8"),
    Case("T22 EXAMINE refused with a referral", examine(
        end="@ NO [REFERRAL imap://attacker.example/] go there"), 1,
        "REFERRAL"),
    Case("LIST refused", {"LIST": "@ NO not today\r\n"}, 1, "not today"),
    Case("LIST BAD", {"LIST": "@ BAD what\r\n"}, 1, "LIST"),
    Case("I28 NIL separator", listed('() NIL INBOX', '() NIL "a/b"'),
         says=r"complete: 4 listed = 4 delivered",
         boxes={"INBOX": three(), "a/b": [Message(1, mail(9))]}),
    Case("I28 odd separators", listed(
        r'() "\\" "INBOX"', r'() "\\" "a\\..\\b"', '() "//" "c//d"'),
        says="complete: 5 listed = 5 delivered",
        boxes={"INBOX": three(), "a\\..\\b": [Message(1, mail(8))],
               "c//d": [Message(1, mail(9))]}),
    Case("N02 N03 paths", listed_quoted(
        "../../../etc/cron.d/x", "/abs", "..", ".", "a/../../b", "~root",
        "a//b", "c/", "-rf", ".mailhaul", "cur/new/tmp"), boxes=names(
        "../../../etc/cron.d/x", "/abs", "..", ".", "a/../../b", "~root",
        "a//b", "c/", "-rf", ".mailhaul", "cur/new/tmp", "INBOX"),
        says="complete: 12 listed = 12 delivered"),
    Case("N07 two separators make one name of two", listed(
        '() "/" INBOX', '() "/" "a/b"', '() "." "a.b"', '() "." "a/b.c"',
        '() "/" "a.b/c"'),
        boxes=names("INBOX", "a/b", "a.b", "a/b.c", "a.b/c"),
        says="complete: 5 listed = 5 delivered"),
    Case("N09 names that collide", listed_quoted(
        "Box", "box", "BOX", "box.", "box ", "bo&AOk-", "boe&AwE-"),
        boxes=names("Box", "box", "BOX", "box.", "box ", "bo&AOk-", "boe&AwE-",
                    "INBOX"),
        says="complete: 8 listed = 8 delivered"),
    Case("N08 modified UTF-7 that is none", listed_quoted(
        "a&b", "&!!!-", "&2AA-", "&AGE-", "&", "&-&", "\udcff\udcfe"),
        boxes=names("a&b", "&!!!-", "&2AA-", "&AGE-", "&", "&-&",
                    "\udcff\udcfe", "INBOX"),
        says="complete: 8 listed = 8 delivered"),
    Case("N11 N13 N14 odd names", listed_quoted(
        "CON", "NUL", "a:b", "*", "%", "#news.x", 'q"q', "b\\s"),
        boxes=names("CON", "NUL", "a:b", "*", "%", "#news.x", 'q"q', "b\\s",
                    "INBOX"), says="complete: 9 listed = 9 delivered"),
    Case("N10 long and deep names", listed_quoted(
        "x" * 4000, "/".join("d" * 3 for _ in range(200))),
        boxes=names("x" * 4000, "/".join("d" * 3 for _ in range(200)),
                    "INBOX"), says="complete: 3 listed = 3 delivered"),
    Case("N10 the longest name, of octets that are no text, and keywords",
         listed_quoted("INBOX", "\udcff" * 16384), boxes={
             "INBOX": three(), "\udcff" * 16384: [Message(
                 1, mail(9), flags=" ".join(
                     f"k{i:0999}" for i in range(300)))]},
         says="complete: 4 listed = 4 delivered"),
    Case("N10 names that are too long are not silent", listed_quoted(
        "INBOX", "x" * 16385, "y" * 200000), 1, "FAILED .*2 left out"),
    Case("N12 INBOX twice", listed_quoted("INBOX", "Inbox", "inbox")),
    Case("N01 N04 N06 names with controls are not silent", listed(
        '() "/" INBOX', '() "/" {19}\r\nx\r\nA1 DELETE INBOX x',
        '() "/" "a\x1b]0;owned\x07b"', '() "/" {3}\r\na\x00b'), 1,
        "FAILED .*left out"),
    Case("a LIST line that can't be read is not silent", listed(
        '() "/" INBOX', "(((", '() "/'), 1, "FAILED .*left out"),
    Case("no INBOX in LIST", listed('() "/" "Other"'),
         boxes={"INBOX": three(), "Other": []}),
    Case("a mailbox that isn't there any more", listed_quoted(
        "INBOX", "Ghost"), 1, "FAILED Ghost"),

    # ---- endless things ----
    Case("I12 an endless greeting", {"greeting": endless(
        b"* OK ", b"x" * 65536, 64 << 20)}, 6, None, secret_in_clear=False),
    Case("N08 a name that is not composed", listed_quoted("boe&AwE-", "&AwE-"),
         boxes=names("boe&AwE-", "&AwE-", "INBOX"),
         says="complete: 3 listed = 3 delivered"),
    Case("I11 an endless line", {"LINES": endless(
        b"* 1 FETCH (UID 1 FLAGS (", b"x" * 65536, 128 << 20)}, 6, None),
    Case("I14 an untagged flood", flood(b"* OK x\r\n" * 1000, 4300), 6,
         "without ending a command"),
    Case("I13 parentheses without end", unsolicited(
        b"* 1 FETCH (BODYSTRUCTURE " + b"(" * 1000000 + b")" * 1000000
        + b")\r\n"), 1, r"4 listed = 3 delivered .* 1 unreadable"),
    *[Case(f"I13 {depth:,} parentheses in {word.decode()}",
           nested(word, depth), code, None)
      for word, code in ((b"ENVELOPE", 1), (b"FLAGS", 1), (b"UID 1 FLAGS", 0),
                         (b"INTERNALDATE", 1))
      for depth in (1000, 20000, 1000000)],
    *[Case(f"I13 {depth:,} parentheses in an answer that is no FETCH",
           unsolicited(b"* X-JUNK " + b"(" * depth + b")" * depth + b"\r\n"),
           0, None) for depth in (1000, 20000, 1000000)],
    Case("I06 a literal of 20 MB that is no body", unsolicited(
        b"* 1 FETCH (X-JUNK {20000000}\r\n" + b"x" * 20000000 + b")\r\n"), 0,
        None),

    # ---- sessions ----
    Case("T20 BYE with a referral", {"greeting":
         "* BYE [REFERRAL imap://attacker.example/] go\r\n"}, 6, "REFERRAL",
         secret_in_clear=False, boxes=EMPTY),
    Case("T21 LOGIN refused with a referral", {
        "LOGIN": "@ NO [REFERRAL imap://x@attacker.example/] go\r\n",
        "AUTHENTICATE": "@ NO [REFERRAL imap://x@attacker.example/] go\r\n"},
        5, "REFERRAL", tries=1),
    Case("T23 a greeting of escapes and BADCHARSET", {"greeting":
         f'* OK [BADCHARSET ("x")] {ESC}\r\n'}, 0, None),
    Case("T23 BADCHARSET and escapes before STARTTLS", {
        "greeting": f'* OK [BADCHARSET ("x")] {ESC}\r\n', "CAPABILITY":
        "* OK [BADCHARSET (((] x\r\n* CAPABILITY IMAP4rev1 STARTTLS"
        " AUTH=PLAIN\r\n@ OK done\r\n"}, 0, None, STARTTLS,
         secret_in_clear=False),
    Case("T23 ALERT with escapes and a refusal", {
        "LOGIN": f"* OK [ALERT] {ESC}\r\n@ NO {ESC} no\r\n",
        "AUTHENTICATE": f"@ NO {ESC} no\r\n"}, 5, "refused", tries=1),
    Case("T11 CAPABILITY BAD", {"CAPABILITY": "@ BAD what\r\n"}, 6, None),
    Case("T11 CAPABILITY BAD before STARTTLS", {"CAPABILITY":
         "@ BAD what\r\n"}, 6, None, STARTTLS, secret_in_clear=False),
    Case("T24 LOGINDISABLED", {}, 5, None, capability="IMAP4rev1 LOGINDISABLED",
         mended="IMAP4rev1", secret_in_clear=False),
    Case("no greeting but HTTP", {"greeting":
         "HTTP/1.1 400 Bad Request\r\n\r\n"}, 6, "does not greet",
         secret_in_clear=False),
    Case("login throttled", {
        "LOGIN": "@ NO [UNAVAILABLE] later\r\n",
        "AUTHENTICATE": "@ NO [UNAVAILABLE] later\r\n"}, 4, "later", tries=1),

    # ---- COMPRESS ----
    Case("compressed", {}, options=ALWAYS, capability=DEFLATE,
         says=r"(?s)compresses \(DEFLATE\).*" + COMPLETE),
    Case("compressed over TLS", {}, mode=TLS, options=ALWAYS,
         capability=DEFLATE, says=r"(?s)compresses \(DEFLATE\).*" + COMPLETE),
    Case("not on this machine by itself", {"COMPRESS": "@ BAD never\r\n"},
         capability=DEFLATE, asked=False),
    Case("COMPRESS refused", {"COMPRESS": "@ NO not today\r\n"},
         options=ALWAYS, capability=DEFLATE,
         says=r"(?s)refuses it; going on without; server: NO not today.*"
         + COMPLETE),
    Case("compressed octets in COMPRESS's segment", compress(
        packed=b"* OK [ALERT] early\r\n"), options=ALWAYS, capability=DEFLATE),
    Case("compressed, and cut in a message", hang_up(
        2, lambda n, m: literal(n, m)[:-20], times=1), options=ALWAYS,
        capability=DEFLATE),
    Case("BYE behind COMPRESS, compressed", compress(
        packed=b"* BYE enough\r\n", end=True), 6, "enough", options=ALWAYS,
        capability=DEFLATE),
    Case("BYE behind COMPRESS, in clear", compress(
        b"* BYE enough\r\n", end=True), 6, "no deflate stream", options=ALWAYS,
        capability=DEFLATE),
    Case("garbage behind COMPRESS", compress(b"\xff" * 4000, end=True), 6,
         r"(?s)no deflate stream.*Then: .*--source-compress=never",
         options=ALWAYS, capability=DEFLATE),
    Case("nothing behind COMPRESS", compress(
        b"\0\0\0\xff\xff" * 60000, end=True), 6, "blocks that hold nothing",
        options=ALWAYS, capability=DEFLATE),
    Case("COMPRESS OK, then plain text goes on", {"COMPRESS": in_clear}, 6,
         None, options=ALWAYS + ("--timeout", "1"), capability=DEFLATE),
    Case("I29 a bomb in a literal of nobody's", {"LINES": swelling(
        b"* XSTUFF ({%d}\r\n")}, 6,
        r"(?s)a decompression bomb.*Then: .*--source-compress=never",
        options=ALWAYS, capability=DEFLATE),
    Case("I29 a bomb in a message", {"body": body_swells}, 6,
         r"(?s)a decompression bomb.*Then: .*--source-compress=never",
         options=ALWAYS, capability=DEFLATE),

    # ---- the first connection ----
    Case("no greeting, twice", {"greeting": hang_up_first(2)},
         says=r"(?s)trying again in .* \(2 of 2\).*" + COMPLETE, tries=1),
    Case("no greeting, ever", {"greeting": hang_up_first()}, 6,
         r"(?s)trying again in .* \(2 of 2\).*Then: mailhaul check", tries=0),
    Case("no greeting, then refused", {
        "greeting": hang_up_first(1), "LOGIN": "@ NO wrong\r\n",
        "AUTHENTICATE": "@ NO wrong\r\n"}, 5,
        r"(?s)\(1 of 2\).*Not tried again, to avoid a lockout", tries=1),
    Case("a hang-up as the answer to a login", {
        "LOGIN": hang_up_first(), "AUTHENTICATE": hang_up_first()}, 6,
        r"(?s)no answer came.*password from: .*Not tried again.*"
        r"Then: mailhaul check", tries=1),
    Case("a hang-up amid the answer to a login", {
        "LOGIN": hang_up_first(data=b"* BYE gone"),
        "AUTHENTICATE": hang_up_first(data=b"* BYE gone")}, 6,
        "no answer came", tries=1),
    Case("a hang-up behind the login, twice", {
        "NAMESPACE": hang_up_first(2), "LIST": hang_up_first(2)},
        says=r"(?s)trying again in .* \(2 of 2\).*" + COMPLETE),

    Case("T18 PREAUTH on a STARTTLS port", {"greeting": "* PREAUTH in\r\n"}, 6,
         "PREAUTH", STARTTLS, secret_in_clear=False),
    Case("T19 PREAUTH over TLS", {"greeting": "* PREAUTH in\r\n"}, 6,
         "PREAUTH", TLS),
    Case("T19 PREAUTH over TLS, allowed", {"greeting": "* PREAUTH in\r\n"},
         mode=TLS, options=("--allow-preauth",)),
    Case("T12 STARTTLS NO", {"STARTTLS": "@ NO not now\r\n"}, 6,
         "refuses STARTTLS", STARTTLS, secret_in_clear=False),
    Case("T13 STARTTLS BAD", {"STARTTLS": "@ BAD what\r\n"}, 6,
         "refuses STARTTLS", STARTTLS, secret_in_clear=False),
    Case("T14 STARTTLS +", {"STARTTLS": "+ go on\r\n"}, 6, None, STARTTLS,
         secret_in_clear=False),
    Case("T15 STARTTLS OK, then plain text goes on", {
        "STARTTLS": clear_after_tls}, 6, "does not speak TLS", STARTTLS,
        secret_in_clear=False),
    Case("T16 octets behind STARTTLS's OK", inject(
        b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n"), 6, None, STARTTLS,
        secret_in_clear=False),
    Case("T17 what is said before STARTTLS's OK does not survive", {
        "STARTTLS": told_before_tls}, mode=STARTTLS, secret_in_clear=False),
]
