"""What servers say to people, and what of it may be shown: a login that is
repeated to us, alerts, refusals that sound like damage of ours. Played by
hostile_play.py, which looks for the password and for each form of it in
everything that is said and written.
"""
import base64

from hostile_cases import COMPLETE, TLS, Case, refuse

COUNT = 14  # a case that got lost is noticed
SASL = "IMAP4rev1 AUTH=PLAIN"
HIDDEN = r"\(hidden\)"


def blob_of(conn, rest):
    """The base64 of AUTHENTICATE PLAIN."""
    if " " in rest:
        return rest.split(" ")[1]
    conn.send("+ \r\n")
    return conn.read_line()


def remembered(conn, rest):
    conn.server.login = rest
    return None


def blob_remembered(conn, rest):
    blob = blob_of(conn, rest)
    clear = base64.b64decode(blob).decode("utf-8").replace("\0", " ")
    password = clear.split(" ")[-1]
    conn.server.login = (f"{blob} {clear} {clear.upper()} "
                         + base64.b64encode(password.encode()).decode())
    return "@ OK in\r\n"


def blob_refused(conn, rest):
    blob = blob_of(conn, rest)
    return (b"@ NO [AUTHENTICATIONFAILED] " + blob.encode() + b" is "
            + base64.b64decode(blob).replace(b"\0", b" ") + b"\r\n")


def repeat(form):
    """The remembered login, in an answer."""
    return lambda conn, rest: form.replace("LOGIN", conn.server.login)


def repeat_before(form):
    """The same, before the honest answer."""
    return lambda conn, rest: conn.send(
        form.replace("LOGIN", conn.server.login))


def later(name, hooks, code, says, **more):
    """What was said at the login comes up behind it."""
    yield Case(f"{name}, of LOGIN", {"LOGIN": remembered, **hooks}, code, says,
               **more)
    yield Case(f"{name}, of PLAIN", {"AUTHENTICATE": blob_remembered, **hooks},
               code, says, TLS, capability=SASL, **more)


PLAYED = [
    Case("a refusal repeats LOGIN", {
        "LOGIN": lambda c, r: f"@ NO LOGIN {r} is not known\r\n"}, 5,
        rf'server: "NO LOGIN .*alice.* .*{HIDDEN}.* is not known"', tries=1),
    Case("a refusal repeats PLAIN, coded and decoded", {
        "AUTHENTICATE": blob_refused}, 5,
        rf'server: "NO \[AUTHENTICATIONFAILED\] {HIDDEN}=* is .*alice.*'
        rf'{HIDDEN}"', TLS, capability=SASL, tries=1),
    *later("a NO to the listing repeats a login", {
        "LINES": repeat("@ NO [X LOGIN] LOGIN\r\n")}, 1,
        rf'NO \[X .*{HIDDEN}.*\] .*{HIDDEN}'),
    *later("a NO to a body repeats a login", {"BODIES": lambda c, r: (
        refuse(2, f"NO {c.server.login}")["BODIES"](c, r))}, 1,
        r"INCOMPLETE: 3 listed = 2 delivered"),
    *later("an alert repeats a login", {
        "LINES": repeat_before("* OK [ALERT] LOGIN\r\n")}, 0,
        rf"(?s)an alert from the server: .*{HIDDEN}.*{COMPLETE}"),
    *later("lines that can't be read repeat a login", {
        "LINES": repeat_before("* 2 FETCH (FLAGS () INTERNALDATE"
                               ' "01-Jan-2020 00:00:00 +0000" LOGIN\r\n'
                               "* 3 FETCH (FLAGS () RFC822.SIZE 5)\r\n"),
        "LIST": repeat_before("* LIST LOGIN\r\n")}, 1, "left out"),

    Case("an alert is shown", {
        "NAMESPACE": "* OK [ALERT] down at midnight\r\n@ OK done\r\n",
        "LIST": lambda c, r: c.send("* NO [ALERT] up at six\r\n")},
        says=r"(?s)SOURCE 127\.0\.0\.1:\d+: an alert from the server: .*"
        rf"up at six.*{COMPLETE}"),
    Case("a flood of alerts is not shown", {
        "LINES": lambda c, r: c.send("* OK [ALERT] fire\r\n" * 5000)},
        says=r"(?s)fire.*further alerts of this connection are not shown.*"
        + COMPLETE),

    Case("CORRUPTION over there is not damage here", {
        "LIST": "@ NO [CORRUPTION] our index is broken\r\n"}, 1,
        r"(?s)the SOURCE 127\.0\.0\.1:\d+ refused LIST.*our index is broken.*"
        r"Then: mailhaul copy "),
    Case("CAPABILITY refused", {"CAPABILITY": "@ NO never\r\n"}, 6,
         r"(?s)the SOURCE 127\.0\.0\.1:\d+ refused CAPABILITY.*never.*"
         r"Nothing was read or written.*Then: mailhaul check ", tries=0),
]
# Hooks stay, and so does what comes of them.
WORDS = [case._replace(exit2=case.exit) for case in PLAYED]
