#!/usr/bin/env python3
"""Play the cases of hostile_cases and hostile_lives through `mailhaul copy`.

Each case is played three times on one archive: the first haul; a second one,
before which the case may change the account and the lies; and one after which
the server has become honest. Of each: exit code and words where the case says
them, no signal, no hang, bounded memory, no raw control octets on the screen
or in a log, no secret in what is said or written, no login in clear, no
command that changes anything, no file outside the archive. Of the archive:
verify 0, only contents that the server really gave, nothing twice, catalogs of
clean JSON. After the honest run: exit 0, and the archive shows exactly what
the server holds, octets, flags and UIDs.
"""
import argparse
import base64
import collections
import copy
import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from fault_play import Stage
from hostile_cases import CASES, PLAIN, TLS
from hostile_lives import LIVES
from hostile_words import COUNT, WORDS
from scripted_imap import Server, three, tls_context

PASSWORD = "s3cret-of-alice"
# As it is sent: in clear, in base64, in that of AUTHENTICATE PLAIN.
SECRETS = [PASSWORD.encode().lower()] + [
    base64.b64encode(said.encode()).rstrip(b"=").lower()
    for said in (PASSWORD, f"\0alice\0{PASSWORD}")]
RSS_MAX = 256 << 20
CRASHES = (97, 98, 99, 134, 139)
# C0 and C1, what turns the direction or ends a line, and what is no text.
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f"
                      "\u2028-\u202e\u2066-\u2069\ufeff\udc80-\udcff]")
HARMFUL = {"DELETE", "CREATE", "STORE", "EXPUNGE", "RENAME", "APPEND"}


def flags_of(text):
    """As comparable words: system flags and keywords, without \\Recent."""
    return sorted(w.lower() for w in text.split() if w.lower() != "\\recent")


def has_controls(octets):
    return CONTROLS.search(octets.decode("utf-8", "surrogateescape"))


# A case that got lost, or was added without being counted, is noticed.
ALL = 253
SOAK_ONLY = ("I06 a body of 600 MB",)


def tells(octets):
    octets = octets.lower()
    return any(secret in octets for secret in SECRETS)


def untold(hooks, server, what, asked):
    """A lie that nobody was told was not played; or nobody should have asked
    for it."""
    if not hooks or bool(server.told & set(hooks)) == asked:
        return []
    return [f"{what}: {'nobody' if asked else 'somebody'} was told"
            f" {sorted(hooks)}"]


class Player:
    def __init__(self, options):
        self.o = options
        self.context = tls_context(options.certificate, options.key)
        with open(options.program, "rb") as file:
            sanitized = b"__asan_init" in file.read()
        self.rss_max = RSS_MAX * 8 if sanitized else RSS_MAX
        self.slow = 10 if sanitized else 1
        self.runs = 0

    def command(self, case, server, archive):
        scheme = "imaps" if case.mode == TLS else "imap"
        command = [self.o.program, "copy",
                   f"{scheme}://alice@127.0.0.1:{server.port}/", archive,
                   "--source-password-file", self.o.password_file,
                   "--account", "alice",
                   "--ca-file", self.o.certificate, "--retry-wait", "0.02",
                   "--retries", "2", "--timeout", "20", "-v", *case.options]
        return command + (["--source-tls=plaintext"]
                          if case.mode == PLAIN else [])

    def run(self, command, work, name):
        """(exit code, -signal or "hung", peak RSS in octets, output)"""
        self.runs += 1
        with open(os.path.join(work, "..", name + ".out"), "wb+") as out:
            process = subprocess.Popen(command, stdout=out, stderr=out,
                                       stdin=subprocess.DEVNULL, cwd=work)
            end = time.monotonic() + self.o.seconds * self.slow
            rss = 0
            while True:
                rss = max(rss, Stage.peak(process.pid))
                pid, status, _ = os.wait4(process.pid, os.WNOHANG)
                if pid:
                    break
                if time.monotonic() > end:
                    process.kill()
                    os.wait4(process.pid, 0)
                    return "hung", 0, b""
                time.sleep(0.01)
            process.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0)
            return process.returncode, rss, out.read()

    # ---- what must hold of every haul ----

    def haul(self, case, server, work, code_wanted, says):
        """(findings, exit code, text, peak RSS)"""
        archive = os.path.join(work, "archive")
        said = len(server.commands)
        code, rss, output = self.run(self.command(case, server, archive), work,
                                     os.path.basename(work))
        server.settle()
        text = output.decode("utf-8", "replace")
        wrong = []
        if code == "hung" or code < 0:
            wrong.append(f"ended by {code}")
        if code in CRASHES:
            wrong.append("a crash or a sanitizer's finding")
        if code_wanted is not None and code != code_wanted:
            wrong.append(f"exit {code}, not {code_wanted}")
        if says and not re.search(says, text, re.M):
            wrong.append(f"doesn't say: {says}")
        if rss > self.rss_max:
            wrong.append(f"{rss >> 20} MiB of memory")
        if has_controls(output):
            wrong.append("raw control octets on the screen")
        if tells(output):
            wrong.append("the password on the screen")
        commands = server.commands[said:]
        # SELECT only where EXAMINE gave no UIDVALIDITY.
        if "SELECT" in commands and not re.search(
                "UIDVALIDITY only to SELECT|gives no UIDVALIDITY", text):
            wrong.append("SELECT")
        if HARMFUL & set(commands):
            wrong.append(f"it said {commands}")
        if os.listdir(work) not in ([], ["archive"]):
            wrong.append(f"files outside the archive: {os.listdir(work)}")
        wrong += self.secrets(archive)
        return wrong, code, text, rss

    @staticmethod
    def logs(archive):
        folder, text = os.path.join(archive, "runs"), ""
        for name in os.listdir(folder):
            if name.endswith(".log"):
                with open(os.path.join(folder, name),
                          encoding="utf-8") as file:
                    text += file.read()
        return text

    @staticmethod
    def secrets(archive):
        """No form of the password in any file, also not in what is
        compressed; no controls in logs."""
        wrong = []
        for folder, _, files in os.walk(archive):
            for name in files:
                with open(os.path.join(folder, name), "rb") as file:
                    octets = file.read()
                if name.endswith(".zst"):
                    octets += subprocess.run(
                        ["zstd", "-dc"], input=octets, check=False,
                        capture_output=True).stdout
                if tells(octets):
                    wrong.append(f"the password in {name}")
                if name.endswith(".log") and has_controls(octets):
                    wrong.append(f"control octets in {name}")
        return wrong

    def login_findings(self, case, server):
        wrong = []
        clear = server.clear if server.encrypted else bytes(server.heard)
        told = PASSWORD.encode() in clear or b"AUTHENTICATE" in clear
        if (case.mode != PLAIN or not case.secret_in_clear) and told:
            if case.mode != TLS:
                wrong.append("a login in clear")
        logins = sum(c in ("LOGIN", "AUTHENTICATE") for c in server.commands)
        if case.tries is not None and logins != case.tries:
            wrong.append(f"{logins} logins, not {case.tries}")
        return wrong

    # ---- of the archive ----

    def catalog(self, archive):
        rows = []
        folder = os.path.join(archive, "volumes")
        for file in os.listdir(folder) if os.path.isdir(folder) else []:
            if not file.endswith(".tar.zst"):
                continue
            text = subprocess.run(
                ["tar", "--zstd", "-xOf", os.path.join(folder, file),
                 ".mailhaul/CATALOG.jsonl"], capture_output=True, check=True)
            rows += [json.loads(x) for x in
                     text.stdout.decode("utf-8", "strict").splitlines()]
        return rows

    def archive_findings(self, case, given, archive, text, code, before):
        if not os.path.exists(os.path.join(archive, "mailhaul.db")):
            return [] if code else ["no archive"], []
        wrong = []
        verify = subprocess.run([self.o.program, "verify", archive],
                                capture_output=True, timeout=60 * self.slow)
        if verify.returncode:
            wrong.append(f"verify {verify.returncode}: {verify.stdout}"
                         f"{verify.stderr}")
        rows = self.catalog(archive)
        made_up = [r for r in rows if r["sha256"] not in given]
        if made_up:
            wrong.append(f"contents that the server never gave: {made_up}")
        keys = collections.Counter(
            (r["mailbox"], r["uidvalidity"], r.get("generation"), r["uid"],
             r["sha256"]) for r in rows)
        twice = [k for k, n in keys.items() if n > 1]
        if twice:
            wrong.append(f"stored twice: {twice}")
        delivered = re.search(r"listed = (\d+) delivered", text)
        if delivered and int(delivered[1]) < len(rows) - before:
            wrong.append(f"{len(rows) - before} more in the catalogs,"
                         f" {delivered[1]} said")
        return wrong, rows

    def honest_findings(self, server, archive):
        """Does the archive show what the honest server holds?"""
        shown = subprocess.run([self.o.program, "ls", archive, "**", "--json"],
                               capture_output=True, timeout=60 * self.slow)
        if shown.returncode and any(server.mailboxes.values()):
            return [f"ls: exit {shown.returncode}: {shown.stderr}"]
        here = collections.Counter()
        for line in shown.stdout.decode("utf-8", "strict").splitlines():
            row = json.loads(line)
            here[row["uidvalidity"], row["uid"], row["sha256"]] += 1
        there = collections.Counter(
            (server.uidvalidity, m.uid, hashlib.sha256(m.body).hexdigest())
            for box in server.mailboxes.values() for m in box)
        if here == there:
            return []
        return [f"after the honest run the archive lacks"
                f" {list((there - here).elements())} and has"
                f" {list((here - there).elements())} too many"]

    def export_findings(self, server, archive, work):
        """The same by an export, and nothing outside its folder."""
        self.reading("export", archive, f"maildir:{work}/export")
        there = collections.Counter(hashlib.sha256(m.body).hexdigest()
                                    for box in server.mailboxes.values()
                                    for m in box)
        here, wrong = collections.Counter(), []
        for folder, _, files in os.walk(os.path.join(work, "export")):
            for name in files if os.path.basename(folder) == "cur" else ():
                with open(os.path.join(folder, name), "rb") as file:
                    here[hashlib.sha256(file.read()).hexdigest()] += 1
        if here != there:
            wrong.append(f"exported: {len(list((there - here).elements()))}"
                         f" are missing, {len(list((here - there).elements()))}"
                         " too many")
        if not set(os.listdir(work)) <= {"archive", "export"}:
            wrong.append(f"files outside the export: {os.listdir(work)}")
        return wrong

    def find_findings(self, archive):
        """Whatever the mail is made of, words are looked for in it."""
        ended = self.reading("find", archive, "--body", "body")
        if ended.returncode not in (0, 1):
            return [f"find: exit {ended.returncode}: {ended.stderr[-600:]}"]
        return (["raw control octets of find"]
                if has_controls(ended.stdout + ended.stderr) else [])

    def reading(self, *words):
        return subprocess.run([self.o.program, *words], capture_output=True,
                              stdin=subprocess.DEVNULL,
                              timeout=60 * self.slow)

    # ---- a case ----

    def findings(self, case, server, work):
        archive = os.path.join(work, "archive")
        given = self.contents(server, case)
        wrong, code, text, peak = self.haul(case, server, work, case.exit,
                                            case.says)
        wrong += self.login_findings(case, server)
        wrong += untold(case.hooks, server, "first", case.asked)
        if case.logged and not re.search(case.logged, self.logs(archive)):
            wrong.append(f"no log says: {case.logged}")
        more, rows = self.archive_findings(case, given, archive, text, code, 0)
        wrong += more
        texts = [text]
        if self.o.first_only:
            return wrong, text, peak

        if case.later:
            case.later(server)
        if case.hooks2 is not None:
            server.hooks = case.hooks2
        given |= self.contents(server, case)
        server.told.clear()
        more, code, text, rss = self.haul(case, server, work, case.exit2,
                                          case.says2)
        more += untold(case.hooks2, server, "second", True)
        wrong += [f"second: {w}" for w in more]
        more, rows = self.archive_findings(case, given, archive, text, code,
                                           len(rows))
        wrong += [f"second: {w}" for w in more]
        texts.append(text)
        peak = max(peak, rss)

        server.hooks = {}
        server.capability = case.mended or server.capability
        more, code, text, rss = self.haul(case, server, work, 0, r"^complete: ")
        wrong += [f"honest: {w}" for w in more]
        more, _ = self.archive_findings(case, given, archive, text, code,
                                        len(rows))
        wrong += [f"honest: {w}" for w in more]
        if case.honest:
            wrong += self.honest_findings(server, archive)
            wrong += self.export_findings(server, archive, work)
        wrong += self.find_findings(archive)
        texts.append(text)
        return wrong, "-- ".join(texts), max(peak, rss)

    @staticmethod
    def contents(server, case):
        given = {hashlib.sha256(m.body).hexdigest()
                 for box in server.mailboxes.values() for m in box}
        given.add(hashlib.sha256(b"quoted").hexdigest())
        given.update(case.gives() if case.gives else ())
        if case.name.startswith("a literal that goes on"):
            given |= {hashlib.sha256(m.body[:5]).hexdigest() for m in three()}
        return given

    def play(self, case):
        name = re.sub(r"[^A-Za-z0-9]+", "-", case.name)
        work = os.path.join(self.o.work, name)
        os.makedirs(work)
        boxes = copy.deepcopy(case.boxes) or {"INBOX": three()}
        server = Server(case.hooks, boxes, case.capability,
                        case.mode == TLS, self.context)
        server.start()
        began = time.monotonic()
        try:
            wrong, text, rss = self.findings(case, server, work)
        except Exception as error:  # a case must not hide the others
            wrong, text, rss = [f"{type(error).__name__}: {error}"], "", 0
        server.stop()
        if not server.count:
            wrong.append("nobody connected")
        if not (wrong and self.o.keep):
            shutil.rmtree(work)
        return case, wrong, text, rss, time.monotonic() - began


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--certificate", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--sample", type=float, default=1, metavar="PORTION")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--only", default="", metavar="REGEX")
    parser.add_argument("--first-only", action="store_true",
                        help="without the second and the honest haul")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    options.password_file = os.path.join(options.work, "password")
    with open(os.open(options.password_file, os.O_WRONLY | os.O_CREAT, 0o600),
              "w") as file:
        file.write(PASSWORD + "\n")
    player = Player(options)
    rng = random.Random(f"hostile {options.seed}")
    every = CASES + LIVES + WORDS
    cases = [c for c in every if re.search(options.only, c.name)]
    if options.sample < 1:
        cases = [c for c in cases if c.name not in SOAK_ONLY]
        cases = rng.sample(cases, round(len(cases) * options.sample))
    uncoded = [c.name for c in every if None in (c.exit, c.exit2)]
    if uncoded:
        sys.exit(f"FAILED: no exit code beside {uncoded}")
    known = {c.name for c in every}
    if len(known) != ALL + COUNT or len(every) != ALL + COUNT:
        sys.exit(f"FAILED: {len(every)} cases, not {ALL + COUNT}, or a name"
                 " twice")
    failed, peak, played = 0, 0, 0
    with ThreadPoolExecutor(options.jobs) as pool:
        for case, wrong, text, rss, took in pool.map(player.play, cases):
            peak, played = max(peak, rss), played + 1
            if wrong or options.verbose:
                print(f"{'FAILED' if wrong else 'ok'}: {case.name} "
                      f"({took:.1f} s, {rss >> 20} MiB)")
                for finding in wrong:
                    print(f"    {finding}")
                print("    | " + text[-6000:].replace("\n", "\n    | "))
            failed += bool(wrong)
    print(f"== hostile servers: {played} of {len(every)} cases played,"
          f" {player.runs} hauls, {failed} failed, at most {peak >> 20} MiB")
    if not cases or played != len(cases):
        sys.exit(f"FAILED: {played} cases were played, not {len(cases)}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
