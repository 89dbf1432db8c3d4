#!/usr/bin/env python3
"""A TCP proxy that breaks connections at chosen octets.

Listens on 127.0.0.1 and writes its port to --port-file. What it did goes to
--log, one word and a number a line: accept, cut, flip, stall, refuse, back,
hold, sent, end. Octets are those that came from the server, or with --sent
those that came from the client. Ends by SIGTERM.
"""
import argparse
import os
import random
import select
import socket
import struct
import sys
import threading
import time


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", required=True, metavar="HOST:PORT")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--port-file", required=True)
    parser.add_argument("--log", required=True)
    parser.add_argument("--cut", type=int, metavar="N",
                        help="end a connection after N octets")
    parser.add_argument("--cut-between", metavar="LOW:HIGH",
                        help="the same, at a random octet of this range")
    parser.add_argument("--how", choices=["rst", "fin"], default="rst")
    parser.add_argument("--stall", type=int, metavar="N",
                        help="after N octets pass nothing on, close nothing")
    parser.add_argument("--for-good", action="store_true",
                        help="once one has stalled, all others do at once")
    parser.add_argument("--flip", type=int, metavar="N",
                        help="the N-th octet, from 1, comes with a bit turned")
    parser.add_argument("--sent", action="store_true",
                        help="cut, stall and flip what the client sends")
    parser.add_argument("--times", type=int, default=1 << 30, metavar="K",
                        help="only the first K connections are hurt")
    parser.add_argument("--refuse", type=float, default=0, metavar="SECONDS",
                        help="after each cut nobody listens for so long")
    parser.add_argument("--dribble", action="store_true",
                        help="pass the server's octets on one by one")
    parser.add_argument("--dribble-sent", action="store_true",
                        help="pass the client's octets on one by one")
    parser.add_argument("--delay", type=float, default=0, metavar="MS",
                        help="hold every piece back for so long, each way")
    parser.add_argument("--hold", nargs=2, metavar=("WORD", "FILE"),
                        help="a client that has sent WORD hears nothing "
                        "until FILE exists")
    parser.add_argument("--seed", default="1")
    return parser.parse_args(arguments)


class Proxy:
    def __init__(self, options):
        self.o = options
        self.random = random.Random(f"proxy {options.seed}")
        host, port = options.to.rsplit(":", 1)
        self.to = (host, int(port))
        self.log_file = open(options.log, "a", buffering=1)
        self.hurt = 0
        self.closed_until = 0
        self.stalled = False
        self.lock = threading.Lock()  # guards hurt, closed_until, log_file
        self.listener = self.listen(options.port)
        self.port = self.listener.getsockname()[1]
        with open(options.port_file + ".new", "w") as file:
            file.write(f"{self.port}\n")
        os.rename(options.port_file + ".new", options.port_file)

    def log(self, word, number=0):
        self.log_file.write(f"{word} {number}\n")

    @staticmethod
    def listen(port):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("127.0.0.1", port))
        s.listen(64)
        return s

    def run(self):
        while True:
            if self.closed_until:
                self.stay_away()
            if not select.select([self.listener], [], [], 0.02)[0]:
                continue
            try:
                client, _ = self.listener.accept()
            except OSError:
                continue
            self.log("accept")
            threading.Thread(target=self.serve, args=(client,),
                             daemon=True).start()

    def stay_away(self):
        self.listener.close()
        self.log("refuse")
        time.sleep(max(0, self.closed_until - time.monotonic()))
        self.listener = self.listen(self.port)
        self.closed_until = 0
        self.log("back")

    def chosen(self):
        """(octet of the cut, of the stall, of the flip); None: never."""
        with self.lock:
            if self.hurt >= self.o.times:
                return None, None, None
            self.hurt += 1
            cut = self.o.cut
            if self.o.cut_between:
                low, high = map(int, self.o.cut_between.split(":"))
                cut = self.random.randint(low, high)
            stall = 0 if self.stalled and self.o.for_good else self.o.stall
            return cut, stall, self.o.flip

    def serve(self, client):
        try:
            server = socket.create_connection(self.to)
        except OSError:
            self.end(client, "rst")
            self.log("no-server")
            return
        for s in (client, server):
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.carry(client, server)
        except OSError:
            pass
        client.close()
        server.close()

    def carry(self, client, server):
        """Until one side has ended, or is made to."""
        plan = self.chosen()
        passed = {client: 0, server: 0}
        hurt = client if self.o.sent else server
        while True:
            for one in select.select([client, server], [], [])[0]:
                data = one.recv(65536)
                if not data:
                    self.log("sent", passed[client])
                    self.log("end", passed[server])
                    return
                self.wait()
                if self.o.hold and one is client and \
                        self.o.hold[0].encode() in data:
                    self.log("hold")
                    while not os.path.exists(self.o.hold[1]):
                        time.sleep(0.02)
                other = server if one is client else client
                if one is not hurt:
                    self.send(other, data)
                    passed[one] += len(data)
                elif not self.hurtful(other, data, passed, one, plan):
                    self.hurt_now(client, server, passed[one],
                                  passed[one] == plan[0])
                    return

    def hurtful(self, other, data, passed, one, plan):
        """Pass on what the plan allows; False if it has come to its end."""
        cut, stall, flip = plan
        limit = min(x for x in (cut, stall, 1 << 62) if x is not None)
        at = passed[one]
        data = data[:limit - at]
        if flip is not None and at < flip <= at + len(data):
            data = bytearray(data)
            data[flip - at - 1] ^= 1 << flip % 8
            self.log("flip", flip)
        self.send(other, data)
        passed[one] += len(data)
        return passed[one] < limit

    def hurt_now(self, client, server, passed, is_cut):
        if is_cut:
            with self.lock:
                if self.o.refuse:
                    self.closed_until = time.monotonic() + self.o.refuse
            self.log("cut", passed)
            self.end(client, self.o.how)
            return
        self.stalled = True
        self.log("stall", passed)
        while client.recv(65536):  # until the client gives up
            pass
        self.log("left", passed)

    def wait(self):
        if self.o.delay:
            time.sleep(self.o.delay / 1000)

    def send(self, to, data):
        to_server = to.getpeername() == self.to
        if not (self.o.dribble_sent if to_server else self.o.dribble):
            to.sendall(data)
            return
        for i in range(len(data)):
            to.sendall(data[i:i + 1])

    @staticmethod
    def end(s, how):
        if how == "rst":
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                         struct.pack("ii", 1, 0))
        s.close()


if __name__ == "__main__":
    try:
        Proxy(parse()).run()
    except KeyboardInterrupt:
        sys.exit(130)
