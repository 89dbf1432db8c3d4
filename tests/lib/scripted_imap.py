"""A scripted IMAP server: a small honest one, whose answers a case replaces.

A case's hooks are called as hook(conn, rest) with the rest of the command's
line and return octets ('@' stands for the tag at the start of a line), or None
for the honest answer. Hooks: greeting, CAPABILITY, LOGIN, STARTTLS, LIST,
LSUB, EXAMINE, LINES (UID FETCH of flags), BODIES (UID FETCH of bodies), UIDS
(UID FETCH of UIDs), and line and body for one message. Raising Hangup sends
its octets and closes the connection.
"""
import re
import socket
import ssl
import threading

DATE = '"01-Jan-2020 00:00:00 +0100"'


class Hangup(Exception):
    """Send these octets, then close without a word."""


class Message:
    def __init__(self, uid, body, flags="\\Seen", date=DATE, size=None):
        self.uid, self.body, self.flags = uid, body, flags
        self.date, self.size = date, len(body) if size is None else size


def mail(n, extra=b""):
    return (b"Subject: message %d\r\nMessage-ID: <%d@hostile.example>\r\n\r\n"
            b"The body of %d.\r\n" % (n, n, n)) + extra


def three():
    return [Message(n, mail(n)) for n in (1, 2, 3)]


def numbers(text, last):
    """The numbers of a sequence set, in order."""
    found = []
    for part in text.split(","):
        low, _, high = part.partition(":")
        low = last if low == "*" else int(low)
        high = low if not high else last if high == "*" else int(high)
        low, high = min(low, high), max(low, high)
        found += [n for n in range(low, min(high, low + 70000) + 1)]
    return found


class Connection(threading.Thread):
    def __init__(self, server, sock, number):
        super().__init__(daemon=True)
        self.server, self.sock, self.number = server, sock, number
        self.hooks = server.hooks
        self.tag = ""
        self.mailbox = None
        self.buffer = b""

    def send(self, data):
        if isinstance(data, str):
            data = data.encode("utf-8", "surrogateescape")
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
        return found(self, rest) if callable(found) else found

    def command(self):
        line = self.read_line()
        self.tag, _, line = line.partition(" ")
        verb, _, rest = line.partition(" ")
        verb = verb.upper()
        if verb == "UID":
            _, _, rest = rest.partition(" ")
            items = rest.partition(" ")[2]
            verb = ("BODIES" if "BODY" in items else
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

    def do_logout(self, _):
        self.answer("* BYE bye\r\n@ OK done\r\n")

    def do_list(self, _):
        for name in self.server.mailboxes:
            self.send(f'* LIST () "/" "{name}"\r\n')
        self.answer("@ OK done\r\n")

    def do_lsub(self, _):
        self.answer("@ OK done\r\n")

    def do_examine(self, rest):
        name = re.sub(r"\\(.)", r"\1", rest.strip('"'))
        self.mailbox = self.server.mailboxes.get(name)
        if self.mailbox is None:
            self.answer("@ NO [NONEXISTENT] no such mailbox\r\n")
            return
        last = max((m.uid for m in self.mailbox), default=0)
        self.answer(f"* {len(self.mailbox)} EXISTS\r\n"
                    f"* OK [UIDVALIDITY 7] v\r\n"
                    f"* OK [UIDNEXT {last + 1}] n\r\n@ OK done\r\n")

    def chosen(self, rest):
        """(message number, message) of a UID set."""
        last = max((m.uid for m in self.mailbox), default=0)
        wanted = set(numbers(rest.split(" ")[0], last))
        return [(i + 1, m) for i, m in enumerate(self.mailbox)
                if m.uid in wanted]

    def do_lines(self, rest):
        for number, m in self.chosen(rest):
            line = self.hook_message("line", number, m)
            self.send(line or f"* {number} FETCH (UID {m.uid} FLAGS ({m.flags})"
                      f" INTERNALDATE {m.date} RFC822.SIZE {m.size})\r\n")
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
        for n in numbers(rest.split(" ")[0], len(self.mailbox)):
            if 1 <= n <= len(self.mailbox):
                self.send(f"* {n} FETCH (UID {self.mailbox[n - 1].uid})\r\n")
        self.answer("@ OK done\r\n")

    def hook_message(self, name, number, message):
        found = self.hooks.get(name)
        return found(self, number, message) if found else None


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
        self.count = 0
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
            Connection(self, sock, self.count).start()
            self.count += 1

    def stop(self):
        self.listener.close()


def tls_context(certificate, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context
