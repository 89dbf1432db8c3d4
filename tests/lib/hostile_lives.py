"""What servers do to a second haul: cases whose account changes after an
honest first one, and whose lies concern what has changed. The rows of the
first haul are in hostile_cases.py; hostile_play.py plays both.

What is trusted, since no client can know better: a STATUS that says all four
of MESSAGES, UIDNEXT, UIDVALIDITY and HIGHESTMODSEQ are as before (RFC 7162
3.1.2); that a UID under one UIDVALIDITY never names other octets (RFC 9051
2.3.1.1); that an EMAILID with the same size names the same octets (RFC 8474
5.1); that what CHANGEDSINCE leaves out has the flags it had. Counts are not
trusted: where MESSAGES doesn't fit, everything is looked at. A lie of any of
these kinds costs no mail that the server shows once it has become honest.
"""
import os
import re

from hostile_cases import (EMPTY, ESC, IN_CLEAR, STARTTLS, TLS, Case,
                           endless, examine, hang_up, listed, names, refuse,
                           unsolicited)
from scripted_imap import Hangup, Message, literal, mail, three

BASIC = "IMAP4rev1 ENABLE"
CONDSTORE = "IMAP4rev1 ENABLE CONDSTORE ESEARCH"
QRESYNC = "IMAP4rev1 ENABLE CONDSTORE QRESYNC ESEARCH"
ALL = QRESYNC + " LIST-EXTENDED LIST-STATUS OBJECTID NAMESPACE ID"
# One message more, one less, other flags on a third.
LIVED = r"^complete: 3 listed = 1 delivered \+ 2 already"
SAME = r"^complete: 3 listed = 0 delivered \+ 3 already"
HUGE = "18446744073709551615"


# ---- what happens between the hauls ----

def life(server):
    """New flags on 1, 2 expunged, 4 arrives."""
    box = server.mailboxes["INBOX"]
    server.modseq += 5
    box[0].flags, box[0].modseq = "\\Flagged $Later", server.modseq
    server.expunged.append((server.modseq, "INBOX", box.pop(1).uid))
    box.append(Message(4, mail(4), modseq=server.modseq))


def flags_only(server):
    server.modseq += 5
    box = server.mailboxes["INBOX"]
    box[0].flags, box[0].modseq = "\\Flagged", server.modseq


def expunge_only(server):
    server.modseq += 5
    server.expunged.append(
        (server.modseq, "INBOX", server.mailboxes["INBOX"].pop(1).uid))


def renamed(server):
    server.mailboxes["New"] = server.mailboxes.pop("Old")
    server.ids["New"] = server.ids.pop("Old", "FX")


def swapped_ids(server):
    life(server)
    server.ids = {"INBOX": server.mailbox_id("Old"),
                  "Old": server.mailbox_id("INBOX")}


def another_uidvalidity(server):
    server.uidvalidity = 8
    for n, m in enumerate(server.mailboxes["INBOX"]):
        m.uid = 100 + n


def went_back(server):
    """A restore from a backup that kept UIDVALIDITY: 3 is another mail."""
    server.highest.clear()
    server.mailboxes["INBOX"][1:] = [Message(2, mail(33))]


def nothing(_):
    pass


TWO = {"INBOX": three(), "Old": [Message(1, mail(5)), Message(2, mail(6))]}


def lives(name, hooks2, exit2=0, says2=LIVED, capability=QRESYNC, later=life,
          **more):
    """An honest first haul, then a life, then lies."""
    boxes = more.pop("boxes", None)
    says = None if boxes else more.pop(
        "says", r"^complete: 3 listed = 3 delivered \+ 0 already$")
    return Case(name, more.pop("hooks", {}), 0, says, boxes=boxes,
                capability=capability, later=later, hooks2=hooks2, exit2=exit2,
                says2=says2, **more)


# ---- building lies ----

def changes(*said, end="@ OK done"):
    """Instead of the answer to CHANGEDSINCE."""
    text = "".join(s + "\r\n" for s in said) + end + "\r\n"
    return {"CHANGES": text}


def before_changes(text):
    def hook(conn, rest):
        conn.send(text)
        return None
    return {"CHANGES": hook}


def search(text):
    """Instead of the answer to SEARCH; {tag} is the command's."""
    return {"SEARCH": lambda c, r: text.replace("{tag}", c.tag)}


def status(text):
    return {"status": text}


def opened(text):
    return {"opened": text}


def every_examine(conn, rest):
    """I24: another UIDVALIDITY each time."""
    conn.server.times = getattr(conn.server, "times", 0) + 1
    conn.mailbox = conn.server.mailboxes["INBOX"]
    return (f"* 3 EXISTS\r\n* OK [UIDVALIDITY {70 + conn.server.times}] v\r\n"
            "* OK [UIDNEXT 4] n\r\n@ OK done\r\n")


def turncoat(conn, rest):
    """I24: it changes amid the listing."""
    conn.send("* OK [UIDVALIDITY 99] changed\r\n")


def behind(text):
    """The honest listing, then that."""
    def hook(conn, rest):
        conn.do_lines(rest)
        conn.send(text)
        return b""
    return {"LINES": hook}


def garbage_record(conn, n, m):
    os.write(conn.sock.fileno(), b"\x17\x03\x03\xff\xff" + b"junk" * 50)
    raise Hangup(b"")


def only_once(answer):
    state = {"done": False}

    def hook(conn, n, m):
        if state["done"] or m.uid != 2:
            return None
        state["done"] = True
        return answer(conn, n, m)
    return {"body": hook}


def vanishing(conn, n, m):
    """I23: 1 is expunged while 2 is fetched; numbers shift."""
    if m.uid != 2:
        return None
    conn.send("* 1 EXPUNGE\r\n")
    return literal(1, m)


def big_vanished(conn, rest):
    conn.send("* VANISHED (EARLIER) 2")
    piece = ",2" * 32768
    for _ in range(20 << 4):
        conn.send(piece)
    conn.send("\r\n")


def ten_vanished(conn, rest):
    for _ in range(10):
        conn.send("* VANISHED (EARLIER) 2" + ",2" * 900000 + "\r\n")


def million_found(conn, rest):
    """I27: a million UIDs, with repeats, descending."""
    conn.send("* SEARCH " + " ".join(
        str(n) for n in range(1000000, 0, -1)) + " 1 1 3 4\r\n")
    return "@ OK done\r\n"


def challenge(*lines):
    """What AUTHENTICATE or LOGIN hear first."""
    def hook(conn, rest):
        for line in lines:
            conn.send(line)
        return None
    return {"LOGIN": hook, "AUTHENTICATE": hook}


# What a screen or a log must never show as it is: controls of both kinds, what
# turns the direction, ends a line, or is no text; and a line that looks ours.
FORGED = ("a\rb\x1b[31mc\x08d\u202ee\u2028f\udc9b2J\u009bg\u2066h\ufeff"
          "\rmailhaul: complete: 9 listed = 9 delivered")
FORGED_SHOWN = re.escape(
    r"a\x0db\x1b[31mc\x08d\u{202e}e\u{2028}f\x9b2J\u{009b}g\u{2066}h\u{feff}"
    r"\x0dmailhaul: complete: 9")


def logout(data, times=1):
    def hook(conn, rest):
        for _ in range(times):
            conn.send(data)
        raise Hangup(b"")
    return {"LOGOUT": hook}


def same_email_ids(*sizes):
    """Different mail, one EMAILID; sizes: of the bodies."""
    return {"INBOX": [Message(n, mail(n) + b"x" * size, email_id="E")
                      for n, size in enumerate(sizes, 1)]}


def same_email_arrives(server):
    server.mailboxes["INBOX"].append(
        Message(4, mail(4) + b"yyyy", email_id="E", modseq=9))
    server.modseq = 9


NESTED = b"(" * 20000 + b")" * 20000
KNOWN_LIST = "* LIST () \"/\" INBOX\r\n"

LIVES = [
    # ---- honest lives, by every way to learn of them ----
    lives("a life without extensions", {}, capability="IMAP4rev1"),
    lives("a life by CONDSTORE", {}, capability=CONDSTORE),
    lives("a life by QRESYNC", {}),
    lives("a life by all that is offered", {}, capability=ALL),
    lives("nothing new", {}, says2=SAME, later=nothing, capability=ALL),
    lives("a new UIDVALIDITY", {}, says2=SAME, later=another_uidvalidity),
    lives("UIDNEXT goes down", {}, says2=r"^complete: 2 listed = 1 delivered",
          later=went_back),
    lives("a mailbox renamed", {}, later=renamed, boxes=TWO, capability=ALL,
          says2=r"^complete: 5 listed = 0 delivered \+ 5 already"),

    # ---- VANISHED ----
    lives("I31 VANISHED of all there can be", changes(
        "* VANISHED (EARLIER) 1:4294967295")),
    lives("I31 VANISHED of all, 1 and 3 among the changes", changes(
        "* VANISHED (EARLIER) 1:4294967295",
        "* 1 FETCH (UID 1 FLAGS () MODSEQ (6))")),
    lives("I31 VANISHED of what is still there", changes(
        "* VANISHED (EARLIER) 1,2")),
    lives("I31 VANISHED leaves out what is gone", changes()),
    lives("I31 VANISHED unsolicited amid the listing", unsolicited(
        "* VANISHED 1:4294967295\r\n")),
    lives("I31 VANISHED (EARLIER) amid the listing", unsolicited(
        "* VANISHED (EARLIER) 1:4294967295\r\n")),
    lives("I31 VANISHED in EXAMINE's answer", opened(
        "* VANISHED (EARLIER) 1:4294967295\r\n* VANISHED 1:*\r\n")),
    lives("I31 VANISHED that is none", changes(
        "* VANISHED (EARLIER) 9:x,0,,:,4294967296,99999999999999999999:1",
        "* VANISHED", "* VANISHED (EARLIER)", "* VANISHED (EARLIER) NIL",
        "* VANISHED ((EARLIER)) 1", "* VANISHED (LATER) 1:3",
        '* VANISHED (EARLIER) "1:3"', "* VANISHED (EARLIER) *",
        "* VANISHED (EARLIER) 2")),
    lives("I31 VANISHED, 20 MB in one line", {"CHANGES": big_vanished}, 6,
          None),
    lives("I31 VANISHED, 18 MB in ten lines", {"CHANGES": ten_vanished}, 0,
          None),
    lives("VANISHED of the future", changes(
        "* VANISHED (EARLIER) 2,4:4294967295",
        "* 1 FETCH (UID 1 FLAGS (\\Flagged $Later) MODSEQ (6))")),

    # ---- FETCH by CHANGEDSINCE ----
    lives("CHANGEDSINCE answered for UIDs that never were", changes(
        "* 9 FETCH (UID 99 FLAGS (\\Deleted) MODSEQ (6))",
        "* 9 FETCH (UID 4294967295 FLAGS () MODSEQ (6))",
        "* 9 FETCH (UID 4294967296 FLAGS ())", "* 9 FETCH (UID 0 FLAGS ())",
        "* VANISHED (EARLIER) 2"), 0, None),
    lives("CHANGEDSINCE answered with odd MODSEQs", changes(
        "* 1 FETCH (UID 1 FLAGS (\\Flagged) MODSEQ (0))",
        f"* 1 FETCH (UID 1 FLAGS (\\Flagged) MODSEQ ({HUGE}))",
        "* 1 FETCH (UID 1 FLAGS (\\Flagged) MODSEQ (99999999999999999999))",
        "* 1 FETCH (UID 1 FLAGS (\\Flagged) MODSEQ (-1))",
        "* 1 FETCH (UID 1 FLAGS (\\Flagged) MODSEQ NIL)",
        "* 1 FETCH (MODSEQ (5) UID 1 FLAGS (\\Flagged))",
        "* VANISHED (EARLIER) 2"), 0, None),
    lives("CHANGEDSINCE without UID, without flags, twice", changes(
        "* 1 FETCH (FLAGS (\\Seen) MODSEQ (6))", "* 1 FETCH (UID 1 MODSEQ (6))",
        "* 1 FETCH (UID 1 FLAGS (\\Seen))", "* 1 FETCH (UID 1 FLAGS ())",
        "* 2 FETCH (UID 3 FLAGS (foo(bar) NIL))"), 0, None),
    lives("CHANGEDSINCE answered with bodies", changes(
        "* 1 FETCH (UID 1 BODY[] {3}\r\nabc FLAGS ())",
        "* VANISHED (EARLIER) 2")),
    lives("CHANGEDSINCE: the expunged one among the changes", changes(
        "* 1 FETCH (UID 1 FLAGS (\\Flagged) MODSEQ (6))",
        "* 2 FETCH (UID 2 FLAGS (\\Flagged) MODSEQ (6))",
        "* VANISHED (EARLIER) 2")),
    lives("CHANGEDSINCE NO", changes(end="@ NO not today")),
    lives("CHANGEDSINCE BAD", changes(end="@ BAD what"), capability=CONDSTORE),
    lives("CHANGEDSINCE ends the connection once", {"CHANGES": (
        lambda state: lambda c, r: state.append(1) or (_ for _ in ()).throw(
            Hangup(b"* VANISHED (EARLIER) 1:3\r\n")) if not state else None)(
                [])}),
    lives("what CHANGEDSINCE leaves out has the flags it had: trusted",
          changes(), says2=SAME, later=flags_only),
    lives("a flood of changes", {"CHANGES": lambda c, r: c.send(
        b"* 1 FETCH (UID 1 FLAGS (\\Seen))\r\n" * 300000)}, 0, None),
    lives("unsolicited flags amid everything", unsolicited(
        "* 1 FETCH (FLAGS (\\Deleted))\r\n* 3 FETCH (UID 3 FLAGS ())\r\n"
        "* 77 FETCH (FLAGS (\\Deleted))\r\n")),

    # ---- HIGHESTMODSEQ ----
    lives("I30 HIGHESTMODSEQ goes back", examine(
        "* 3 EXISTS", "* OK [UIDVALIDITY 7] v", "* OK [UIDNEXT 5] n",
        "* OK [HIGHESTMODSEQ 0] m"), capability=CONDSTORE),
    lives("I30 HIGHESTMODSEQ was the highest there is", {},
          hooks=examine("* 3 EXISTS", "* OK [UIDVALIDITY 7] v",
                        "* OK [UIDNEXT 4] n", f"* OK [HIGHESTMODSEQ {HUGE}] m")),
    lives("I30 HIGHESTMODSEQ beyond 63 and 64 bits", examine(
        "* 3 EXISTS", "* OK [UIDVALIDITY 7] v", "* OK [UIDNEXT 5] n",
        "* OK [HIGHESTMODSEQ 9223372036854775808] m",
        "* OK [HIGHESTMODSEQ 99999999999999999999] m",
        "* OK [HIGHESTMODSEQ -1] m", "* OK [HIGHESTMODSEQ] m")),
    lives("NOMODSEQ", examine(
        "* 3 EXISTS", "* OK [UIDVALIDITY 7] v", "* OK [UIDNEXT 5] n",
        "* OK [NOMODSEQ] none")),
    lives("HIGHESTMODSEQ as before, though all has changed", examine(
        "* 3 EXISTS", "* OK [UIDVALIDITY 7] v", "* OK [UIDNEXT 5] n",
        "* OK [HIGHESTMODSEQ 1] m")),

    # ---- SEARCH and ESEARCH ----
    lives("ESEARCH of all there can be", search(
        '* ESEARCH (TAG "{tag}") UID ALL 1:4294967295\r\n@ OK done\r\n'), 0,
        None, capability=CONDSTORE),
    lives("ESEARCH of nothing", search(
        '* ESEARCH (TAG "{tag}") UID\r\n@ OK done\r\n'), 0, None,
        capability=CONDSTORE),
    lives("ESEARCH for another tag", search(
        '* ESEARCH (TAG "zzz") UID ALL 1:2\r\n@ OK done\r\n'),
        capability=CONDSTORE),
    lives("ESEARCH not at all", search("@ OK done\r\n"), capability=CONDSTORE),
    lives("ESEARCH junk", search(
        '* ESEARCH (TAG "{tag}") UID ALL 3,1:x,,*,0,9999999999 COUNT (\r\n'
        "* ESEARCH\r\n* ESEARCH (((\r\n* SEARCH x 1 y 3\r\n@ OK done\r\n"),
        0, None, capability=CONDSTORE),
    lives("SEARCH NO", search("@ NO no\r\n"), capability=CONDSTORE),
    lives("I27 SEARCH with a million UIDs and repeats",
          {"SEARCH": million_found}, 0, None,
          capability="IMAP4rev1 ENABLE CONDSTORE"),
    lives("SEARCH names what is gone and leaves out what is there", search(
        "* SEARCH 2\r\n@ OK done\r\n"), 0, None,
        capability="IMAP4rev1 ENABLE CONDSTORE"),

    # ---- what STATUS says ----
    lives("STATUS says nothing is there", status(
        "MESSAGES 0 UIDNEXT 1 UIDVALIDITY 7 HIGHESTMODSEQ 1"), capability=ALL),
    lives("STATUS says all is as before: trusted", status(
        "MESSAGES 3 UIDNEXT 4 UIDVALIDITY 7 HIGHESTMODSEQ 1"), says2=SAME,
        capability=ALL),
    lives("STATUS of another UIDVALIDITY", status(
        "MESSAGES 3 UIDNEXT 4 UIDVALIDITY 8 HIGHESTMODSEQ 1"), capability=ALL),
    lives("STATUS beyond all numbers", status(
        f"MESSAGES {HUGE} UIDNEXT 99999999999999999999 UIDVALIDITY {HUGE}"
        f" HIGHESTMODSEQ {HUGE} X-NEW (1 (2)) SIZE -1"), capability=ALL),
    lives("STATUS that is none", status("MESSAGES ((("), capability=ALL),
    lives("STATUS of mailboxes that are not listed", {
        "LIST": KNOWN_LIST + "* STATUS Ghost (MESSAGES 5 UIDNEXT 6 UIDVALIDITY"
        " 1 HIGHESTMODSEQ 1)\r\n* STATUS INBOX (MESSAGES 3 UIDNEXT 4"
        " UIDVALIDITY 7)\r\n@ OK done\r\n"}, capability=ALL),
    lives("STATUS before its LIST, twice, contradicting", {
        "LIST": "* STATUS INBOX (MESSAGES 9 UIDNEXT 9 UIDVALIDITY 9"
        " HIGHESTMODSEQ 9)\r\n" + KNOWN_LIST + "* STATUS INBOX (MESSAGES 1"
        " UIDNEXT 2 UIDVALIDITY 3 HIGHESTMODSEQ 4)\r\n@ OK done\r\n"},
        capability=ALL),
    lives("LIST RETURN is BAD", {"LIST": lambda c, r: "@ BAD what\r\n"
                                 if "RETURN" in r else None}, 1, None,
          capability=ALL),

    # ---- limits and IDs ----
    *[lives(f"MESSAGELIMIT={n}", {}, capability=QRESYNC + f" MESSAGELIMIT={n}")
      for n in ("1", "0", "2", "99999999999", "x", "")],
    lives("every answer was cut by MESSAGELIMIT", {
        **behind("* OK [MESSAGELIMIT 1] cut\r\n"),
        "CHANGES": changes(end="@ OK [MESSAGELIMIT 1 2] cut")["CHANGES"]},
        0, None),
    lives("one EMAILID for mail of other sizes", {}, later=same_email_arrives,
          boxes=same_email_ids(1, 2, 3), capability=ALL,
          says2=r"^complete: 4 listed = 1 delivered \+ 3 already"),
    lives("one MAILBOXID for all mailboxes", {}, boxes=TWO, capability=ALL,
          hooks={"status": lambda c, name: (
              f"MESSAGES {len(c.server.mailboxes[name])} UIDNEXT"
              f" {c.server.uidnext(name)} UIDVALIDITY 7 HIGHESTMODSEQ 1"
              " MAILBOXID (SAME)")},
          says2=r"^complete: 5 listed = 1 delivered \+ 4 already"),
    lives("MAILBOXIDs change places", {}, later=swapped_ids, boxes=TWO,
          capability=ALL, says2=r"^complete: 5 listed = "),
    lives("a MAILBOXID that is none", {"status": lambda c, name: (
        "MESSAGES 3 UIDNEXT 5 UIDVALIDITY 7 HIGHESTMODSEQ 6 MAILBOXID ("
        + "x" * 5000 + ")"), **opened("* OK [MAILBOXID (((]\r\n")},
        capability=ALL),

    # ---- UIDVALIDITY and UIDNEXT ----
    lives("I24 another UIDVALIDITY at each EXAMINE", {
        "EXAMINE": every_examine}, 1, None, later=nothing,
        capability="IMAP4rev1"),
    lives("I24 UIDVALIDITY changes amid the listing", {"LINES": turncoat}, 1,
          "UIDVALIDITY changed", later=nothing, capability="IMAP4rev1"),
    lives("UIDNEXT 4294967296", examine(
        "* 3 EXISTS", "* OK [UIDVALIDITY 7] v", "* OK [UIDNEXT 4294967296] n"),
        capability=BASIC),
    lives("UIDNEXT 4294967297 and beyond", examine(
        "* 3 EXISTS", "* OK [UIDVALIDITY 7] v", "* OK [UIDNEXT 4294967297] n",
        "* OK [UIDNEXT 99999999999999999999] n"), capability=BASIC),
    lives("UIDVALIDITY beyond 32 bits", examine(
        "* 3 EXISTS", "* OK [UIDVALIDITY 4294967303] v",
        "* OK [UIDNEXT 5] n"), 1, "gives no UIDVALIDITY", capability=BASIC),

    # ---- what is left out ----
    lives("a list that is too short ends nothing", {
        "LINES": "* 1 FETCH (UID 1 FLAGS ())\r\n@ OK done\r\n"}, 1,
        "INCOMPLETE", capability="IMAP4rev1"),
    lives("EXISTS 0, though all is there", examine(
        "* 0 EXISTS", "* OK [UIDVALIDITY 7] v", "* OK [UIDNEXT 5] n"), 0, None,
        capability="IMAP4rev1"),
    lives("LIST shows nothing any more", {"LIST": "@ OK done\r\n"}, 0, None,
          boxes=TWO),
    lives("LIST leaves one out that STATUS knows", {"LIST":
          KNOWN_LIST + "@ OK done\r\n"}, 0, None, boxes=TWO),
    lives("LIST leaves one out, STATUS says NONEXISTENT", {
        "LIST": KNOWN_LIST + "@ OK done\r\n",
        "STATUS": "@ NO [NONEXISTENT] gone\r\n"}, 0,
        r"gone since last run +", boxes=TWO),
    lives("LIST leaves one out, STATUS says NO to all", {
        "LIST": KNOWN_LIST + "@ OK done\r\n", "STATUS": "@ NO no\r\n"}, 1,
        "Old is not listed, but the server doesn't say that it is gone",
        boxes=TWO),
    lives("LIST refused ends nothing", {"LIST": "@ NO not today\r\n"}, 1,
          "not today"),
    lives("LOGIN refused ends nothing", {
        "LOGIN": "@ NO no\r\n", "AUTHENTICATE": "@ NO no\r\n"}, 5, "refused"),
    lives("EXAMINE refused ends nothing", examine(end="@ NO no"), 1, "FAILED"),

    # ---- expunges meanwhile ----
    Case("I23 EXPUNGE during the bodies", {"body": vanishing}, 0, None),
    Case("I23 EXPUNGE of everything during the bodies", {
        "BODIES": lambda c, r: c.send("* 1 EXPUNGE\r\n" * 3)}, 0, None),
    Case("I24 UIDVALIDITY changes amid the first listing",
         {"LINES": turncoat}, 1, None),
    lives("VANISHED during the bodies", {"BODIES": lambda c, r: c.send(
        "* VANISHED 1:4294967295\r\n")}, 0, None),

    # ---- set-up ----
    lives("ENABLE BAD", {"ENABLE": "@ BAD what\r\n"}),
    lives("ENABLED of what was not asked for", {"ENABLE":
          "* ENABLED UIDONLY X-EVIL UTF8=ACCEPT (\r\n@ OK done\r\n"}),
    lives("QRESYNC offered, never enabled", {"ENABLE": "@ OK done\r\n"}),
    Case("I28 NAMESPACE NIL, nested and junk", {"NAMESPACE":
         '* NAMESPACE NIL (("" NIL) ("a" "//" "X" ("y" ((("z"))))) (((\r\n'
         "* NAMESPACE\r\n* NAMESPACE NIL\r\n@ OK done\r\n"}, capability=ALL),
    Case("ID with controls and without end", {"ID":
         f'* ID ("name" "{ESC}" "x\r\n* ID (((\r\n@ NO no\r\n'},
         capability=ALL),
    Case("CAPABILITY of 60 KB", {"CAPABILITY": "* CAPABILITY IMAP4rev1 "
         + "X-Y " * 15000 + "\r\n@ OK done\r\n"}, 0, None),
    Case("names in raw UTF-8, and what is none", {
        "ENABLE": "* ENABLED UTF8=ACCEPT\r\n@ OK done\r\n", **listed(
            '() "/" INBOX', '() "/" "Entw\u00fcrfe"', '() "/" "b\udcffd"')},
        boxes=names("INBOX", "Entw\u00fcrfe", "b\udcffd"),
        capability=BASIC + " UTF8=ACCEPT", says=None, honest=False),

    # ---- WIRE 8: what breaks a parser of sessions ----
    Case("I13 20,000 nested parentheses during the login", challenge(
        b"* 1 FETCH (BODYSTRUCTURE " + NESTED + b")\r\n"), 0, None),
    Case("BADCHARSET in a + line and before it", challenge(
        '* OK [BADCHARSET ("x")] hm\r\n', '* NO [BADCHARSET (((\r\n'), 0,
        None),
    Case("I01 a literal of 4 GiB during the login", challenge(
        "* OK {4294967295}\r\nx\r\n", "* CAPABILITY {4294967295}\r\n"), 6,
        "was silent for 1 s", options=("--timeout", "1")),
    Case("a bare OK, and a blank line behind data", {
        "LOGIN": "@ OK\r\n", "AUTHENTICATE": "@ OK\r\n", **behind("\r\n")}),
    Case("an endless line during the login", {"LOGIN": endless(
        b"* OK ", b"x" * 65536, 64 << 20), "AUTHENTICATE": endless(
            b"* OK ", b"x" * 65536, 64 << 20)}, 6, None),
    Case("I14 an untagged flood during the login", {
        word: lambda c, r: [c.send(b"* OK x\r\n" * 10000)
                            for _ in range(500)] and None
        for word in ("LOGIN", "AUTHENTICATE")}, 6, None),
    Case("EOF in a literal during the login", {
        "LOGIN": lambda c, r: (_ for _ in ()).throw(Hangup(
            b"* X {100}\r\nabc")), "AUTHENTICATE": lambda c, r: (
                _ for _ in ()).throw(Hangup(b"* X {100}\r\nabc"))}, 6, None),
    Case("a flood during LOGOUT", logout(b"* OK x\r\n" * 10000, 300)),
    Case("an endless line during LOGOUT", logout(b"x" * 65536, 1000)),
    Case("LOGOUT without a word", logout(b"")),
    Case("SEARCH, STATUS and LIST nobody asked for", unsolicited(
        "* SEARCH 1:3\r\n* ESEARCH UID ALL 1:4294967295\r\n"
        '* STATUS INBOX (MESSAGES 0)\r\n* LIST () "/" Evil\r\n'
        "* VANISHED 1:*\r\n* ENABLED UIDONLY\r\n* 0 EXISTS\r\n* 0 RECENT\r\n"
        "* FLAGS ((((\r\n* QUOTA\r\n")),
    Case("a BYE nobody asked for, amid the listing", unsolicited(
        "* BYE me not\r\n"), 6, "me not"),
    Case("N15 keywords that are commands", {}, boxes={"INBOX": [
        Message(1, mail(1), flags='kw {3}\r\nA3 "A4\\" DELETE INBOX" \\Seen'),
        Message(2, mail(2)), Message(3, mail(3))]}, says=None,
        honest=False),
    Case("O03 O04 escapes, CR, bidi and newlines in what is logged",
         refuse(2, f"NO {FORGED}"), 1, FORGED_SHOWN, logged=FORGED_SHOWN),
    Case("O05 addresses and subjects in no character set", {}, boxes={
        "INBOX": [Message(1, b"Subject: \xff\xfe\x80 =?x?b?////?=\r\n"
                          b"From: =cmd|' /C calc'!A0 <\xc3>\r\n"
                          b"To: \x1b]0;x\x07\r\nMessage-ID: <\xff@\x00>\r\n"
                          b"\r\nx\r\n"), *three()[1:]]}),

    # ---- TLS ----
    Case("T07 TLS cut in mid-literal, once", hang_up(
        2, lambda n, m: literal(n, m)[:-20], times=1), mode=TLS),
    Case("T07 TLS cut in mid-literal, always", hang_up(
        2, lambda n, m: literal(n, m)[:-20]), 1,
        r"INCOMPLETE: 3 listed = 2 delivered \+ 0 already \+ 1 unreadable",
        TLS),
    Case("T08 a record of junk, once", only_once(garbage_record), 6,
         "encrypted length too long", TLS, exit2=0),
    Case("T10 STARTTLS is not offered", {"STARTTLS": "@ BAD what\r\n",
         "CAPABILITY": "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n@ OK done\r\n"},
         6, None, STARTTLS, secret_in_clear=False, boxes=EMPTY),
    Case("T16 a tagged OK for the next commands behind STARTTLS's", {
        "STARTTLS": lambda c, r: c.answer(
            "@ OK go\r\n" + "".join(f"{c.tag[:-1]}{n} OK in\r\n"
                                    for n in range(1, 6))) or ""}, 6, None,
         STARTTLS, secret_in_clear=False),
    Case("T17 what is said with the greeting does not survive", {
        "greeting": "* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] hello\r\n"
        + IN_CLEAR}, mode=STARTTLS, secret_in_clear=False),
    Case("T25 only LOGIN and PLAIN are offered before TLS", {},
         mode=STARTTLS, capability="IMAP4rev1 AUTH=PLAIN AUTH=LOGIN",
         secret_in_clear=False),
]
