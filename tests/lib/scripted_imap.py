"""A scripted IMAP server: a small honest one, whose answers a case replaces.

A case's hooks are called as hook(conn, rest) with the rest of the command's
line and return octets ('@' stands for the tag at the start of a line), or None
for the honest answer. Hooks: greeting, CAPABILITY, LOGIN, STARTTLS, LIST,
LSUB, EXAMINE, SELECT, LINES (UID FETCH of flags), CHANGES (the same by CHANGEDSINCE), SEARCH, STATUS, COMPRESS,
BODIES (UID FETCH of bodies), UIDS (UID FETCH of UIDs), opened (text behind
EXAMINE's honest lines), status (the items of one mailbox's STATUS), and line
and body for one message. Raising Hangup sends its octets and closes the
connection. What is honest follows from the capabilities: ENABLE, CONDSTORE,
QRESYNC, ESEARCH, LIST-STATUS, OBJECTID. COMPRESS is always understood.
"""
import itertools
import re
import socket
import ssl
import threading
import zlib

serial = itertools.count()
DATE = '"01-Jan-2020 00:00:00 +0100"'


class Hangup(Exception):
    """Send these octets, then close without a word."""


class Message:
    def __init__(self, uid, body, flags="\\Seen", date=DATE, size=None,
                 modseq=1, email_id=None):
        self.uid, self.body, self.flags = uid, body, flags
        self.date, self.size = date, len(body) if size is None else size
        self.modseq, self.email_id = modseq, email_id or f"E{next(serial)}"


def mail(n, extra=b""):
    return (b"Subject: message %d\r\nMessage-ID: <%d@hostile.example>\r\n\r\n"
            b"The body of %d.\r\n" % (n, n, n)) + extra


def three():
    return [Message(n, mail(n)) for n in (1, 2, 3)]


def quoted(name):
    return '"' + re.sub(r'(["\\])', r"\\\1", name) + '"'


def unquoted(text):
    return re.sub(r"\\(.)", r"\1", text.removeprefix('"').removesuffix('"'))


def ranges(text, last):
    """(low, high) of each part of a sequence set."""
    found = []
    for part in text.split(","):
        low, _, high = part.partition(":")
        low = last if low == "*" else int(low)
        high = low if not high else last if high == "*" else int(high)
        found.append((min(low, high), max(low, high)))
    return found


class Connection(threading.Thread):
    def __init__(self, server, sock, number):
        super().__init__(daemon=True)
        self.server, self.sock, self.number = server, sock, number
        self.hooks = server.hooks
        self.tag = ""
        self.name, self.mailbox = None, None
        self.buffer = b""
        self.packer = self.unpacker = None

    def send(self, data):
        if isinstance(data, str):
            data = data.encode("utf-8", "surrogateescape")
        if self.packer:
            data = self.packer.compress(data) + self.packer.flush(
                zlib.Z_SYNC_FLUSH)
        self.sock.sendall(data)

    def answer(self, data):
        if isinstance(data, str):
            data = data.encode("utf-8", "surrogateescape")
        self.send(re.sub(rb"(?m)^@", self.tag.encode(), data))

    def read_line(self):
        while b"\n" not in self.buffer:
            data = self.sock.recv(65536)
            if not data:
                raise ConnectionError
            if self.unpacker:
                data = self.unpacker.decompress(data)
            self.server.heard += data
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.rstrip(b"\r").decode("utf-8", "surrogateescape")

    def run(self):
        try:
            if self.server.tls:
                self.start_tls()
            self.answer(self.hook("greeting", "") or "* OK ready\r\n")
            while self.command():
                pass
            # What is still to be read would turn the close into a reset.
            self.sock.shutdown(socket.SHUT_WR)
        except Hangup as hangup:
            try:
                self.answer(hangup.args[0])
            except OSError:
                pass
        except (OSError, ConnectionError, ValueError):
            pass
        self.sock.close()

    def start_tls(self):
        self.sock = self.server.context.wrap_socket(self.sock, server_side=True)
        self.server.encrypted = True
        self.server.clear = bytes(self.server.heard)

    def hook(self, name, rest):
        found = self.hooks.get(name)
        if found is not None:
            self.server.told.add(name)
        return found(self, rest) if callable(found) else found

    def command(self):
        line = self.read_line()
        self.tag, _, line = line.partition(" ")
        verb, _, rest = line.partition(" ")
        verb = verb.upper()
        if verb == "UID":
            verb, _, rest = rest.partition(" ")
            verb = verb.upper()
        if verb == "FETCH" and line[:3].upper() == "UID":
            items = rest.partition(" ")[2]
            verb = ("BODIES" if "BODY.PEEK[]" in items else
                    "CHANGES" if "CHANGEDSINCE" in items else
                    "LINES" if "FLAGS" in items else "UIDS")
        self.server.commands.append(verb)
        replaced = self.hook(verb, rest)
        honest = getattr(self, "do_" + verb.lower(), None)
        if replaced is not None:
            self.answer(replaced)
        elif honest is None:
            self.answer("@ BAD what\r\n")
        else:
            honest(rest)
        return verb != "LOGOUT"

    # ---- the honest answers ----

    def do_capability(self, _):
        self.answer(f"* CAPABILITY {self.server.capability}\r\n@ OK done\r\n")

    def do_noop(self, _):
        self.answer("@ OK done\r\n")

    def do_login(self, _):
        self.answer("@ OK in\r\n")

    def do_authenticate(self, rest):
        if " " not in rest:
            self.send("+ \r\n")
            self.read_line()
        self.answer("@ OK in\r\n")

    def do_starttls(self, _):
        self.answer("@ OK go on\r\n")
        self.start_tls()

    def do_compress(self, _):
        self.answer("@ OK from here on\r\n")
        self.start_compress()

    def start_compress(self):
        if self.buffer:
            raise ValueError("something was sent behind COMPRESS")
        self.packer = zlib.compressobj(wbits=-15)
        self.unpacker = zlib.decompressobj(-15)

    def do_logout(self, _):
        self.answer("* BYE bye\r\n@ OK done\r\n")

    def can(self, capability):
        return capability in self.server.capability.split()

    def do_enable(self, rest):
        self.answer(f"* ENABLED {rest}\r\n@ OK done\r\n")

    def do_id(self, _):
        self.answer("* ID NIL\r\n@ OK done\r\n")

    def do_namespace(self, _):
        self.answer('* NAMESPACE (("" "/")) NIL NIL\r\n@ OK done\r\n')

    def do_list(self, rest):
        for name in self.server.mailboxes:
            self.send(f'* LIST () "/" {quoted(name)}\r\n')
            if "STATUS" in rest:
                self.send(f"* STATUS {quoted(name)} ({self.status(name)})\r\n")
        self.answer("@ OK done\r\n")

    def do_lsub(self, _):
        self.answer("@ OK done\r\n")

    def do_status(self, rest):
        name = unquoted(rest.rpartition(" (")[0])
        if name not in self.server.mailboxes:
            self.answer("@ NO [NONEXISTENT] no such mailbox\r\n")
            return
        self.answer(f"* STATUS {quoted(name)} ({self.status(name)})\r\n"
                    "@ OK done\r\n")

    def status(self, name):
        replaced = self.hook("status", name)
        if replaced is not None:
            return replaced
        text = (f"MESSAGES {len(self.server.mailboxes[name])}"
                f" UIDNEXT {self.server.uidnext(name)}"
                f" UIDVALIDITY {self.server.uidvalidity}")
        if self.can("CONDSTORE"):
            text += f" HIGHESTMODSEQ {self.server.modseq}"
        if self.can("OBJECTID"):
            text += f" MAILBOXID ({self.server.mailbox_id(name)})"
        return text

    def do_examine(self, rest):
        name = unquoted(rest.replace(" (CONDSTORE)", ""))
        self.name, self.mailbox = name, self.server.mailboxes.get(name)
        if self.mailbox is None:
            self.answer("@ NO [NONEXISTENT] no such mailbox\r\n")
            return
        self.send(f"* {len(self.mailbox)} EXISTS\r\n"
                  f"* OK [UIDVALIDITY {self.server.uidvalidity}] v\r\n"
                  f"* OK [UIDNEXT {self.server.uidnext(name)}] n\r\n")
        if self.can("CONDSTORE"):
            self.send(f"* OK [HIGHESTMODSEQ {self.server.modseq}] m\r\n")
        if self.can("OBJECTID"):
            self.send(f"* OK [MAILBOXID ({self.server.mailbox_id(name)})] i\r\n")
        self.send(self.hook("opened", name) or "")
        self.answer("@ OK done\r\n")

    do_select = do_examine

    def chosen(self, rest):
        """(message number, message) of a UID set."""
        last = max((m.uid for m in self.mailbox), default=0)
        wanted = ranges(rest.split(" ")[0], last)
        return [(i + 1, m) for i, m in enumerate(self.mailbox)
                if any(low <= m.uid <= high for low, high in wanted)]

    def line_of(self, number, m, items):
        """What an honest server says of a message."""
        found = [f"UID {m.uid}"]
        if "FLAGS" in items:
            found.append(f"FLAGS ({m.flags})")
        if "INTERNALDATE" in items:
            found.append(f"INTERNALDATE {m.date} RFC822.SIZE {m.size}")
        if "EMAILID" in items:
            found.append(f"EMAILID ({m.email_id})")
        if "CHANGEDSINCE" in items:
            found.append(f"MODSEQ ({m.modseq})")
        text = f"* {number} FETCH (" + " ".join(found)
        if "HEADER.FIELDS" in items:
            field = re.search(rb"(?im)^message-id:[^\r\n]*\r?\n", m.body)
            octets = (field[0] if field else b"") + b"\r\n"
            text += (" BODY[HEADER.FIELDS (MESSAGE-ID)] {%d}\r\n" % len(octets)
                     + octets.decode("latin-1"))
        return text + ")\r\n"

    def do_lines(self, rest):
        for number, m in self.chosen(rest):
            line = self.hook_message("line", number, m)
            self.send(line or self.line_of(number, m, rest))
        self.answer("@ OK done\r\n")

    def do_changes(self, rest):
        since = int(re.search(r"CHANGEDSINCE (\d+)", rest)[1])
        gone = [str(uid) for modseq, name, uid in self.server.expunged
                if modseq > since and name == self.name]
        if gone and "VANISHED" in rest:
            self.send(f"* VANISHED (EARLIER) {','.join(gone)}\r\n")
        for number, m in self.chosen(rest):
            if m.modseq > since:
                self.send(self.line_of(number, m, rest))
        self.answer("@ OK done\r\n")

    def do_search(self, rest):
        found = [str(m.uid) for _, m in self.chosen(rest.rpartition("UID ")[2])]
        if "RETURN" in rest:
            self.send(f'* ESEARCH (TAG "{self.tag}") UID'
                      + (f" ALL {','.join(found)}" if found else "") + "\r\n")
        else:
            self.send(f"* SEARCH {' '.join(found)}".rstrip() + "\r\n")
        self.answer("@ OK done\r\n")

    def do_bodies(self, rest):
        for number, m in self.chosen(rest):
            body = self.hook_message("body", number, m)
            self.send(literal(number, m) if body is None else body)
        self.answer("@ OK done\r\n")

    def do_uids(self, rest):
        for number, m in self.chosen(rest):
            self.send(f"* {number} FETCH (UID {m.uid})\r\n")
        self.answer("@ OK done\r\n")

    def do_fetch(self, rest):
        wanted = ranges(rest.split(" ")[0], len(self.mailbox))
        for n, m in enumerate(self.mailbox, 1):
            if any(low <= n <= high for low, high in wanted):
                self.send(f"* {n} FETCH (UID {m.uid})\r\n")
        self.answer("@ OK done\r\n")

    def hook_message(self, name, number, message):
        found = self.hooks.get(name)
        try:
            answer = found(self, number, message) if found else None
        except Hangup:
            self.server.told.add(name)
            raise
        if answer is not None:
            self.server.told.add(name)
        return answer


def literal(number, m, size=None, head="BODY[]", mark=""):
    size = len(m.body) if size is None else size
    return (f"* {number} FETCH (UID {m.uid} {head} {mark}{{{size}}}\r\n"
            .encode() + m.body + b")\r\n")


class Server(threading.Thread):
    def __init__(self, hooks, mailboxes, capability, tls, context):
        super().__init__(daemon=True)
        self.hooks, self.mailboxes = hooks, mailboxes
        self.capability, self.tls, self.context = capability, tls, context
        self.heard = bytearray()  # all that clients said
        self.clear = b""          # of it, before TLS
        self.encrypted = False
        self.commands = []
        self.told = set()         # names of hooks that replaced an answer
        self.count = 0
        self.connections = []
        self.uidvalidity, self.modseq = 7, 1
        self.expunged = []        # (modseq, mailbox, UID)
        self.highest = {}         # UID of each mailbox
        self.ids = {}             # MAILBOXIDs
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(16)
        self.port = self.listener.getsockname()[1]

    def run(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections.append(Connection(self, sock, self.count))
            self.connections[-1].start()
            self.count += 1

    def uidnext(self, name):
        last = max((m.uid for m in self.mailboxes[name]), default=0)
        self.highest[name] = max(self.highest.get(name, 0), last)
        return self.highest[name] + 1

    def mailbox_id(self, name):
        return self.ids.setdefault(name, f"F{len(self.ids)}")

    def settle(self):
        """Once the client has ended: until all that it said has been heard."""
        for connection in self.connections:
            connection.join(30)
        self.connections.clear()

    def stop(self):
        self.listener.close()


def tls_context(certificate, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context
