"""Traffic through the gateway: servers that answer, a client that asks, a stream that never stops."""

import socket
import struct
import threading
import time
from contextlib import suppress

from machine import namespace, opened

# Long enough for an emulated processor, short beside a step.
PATIENCE_S = 5


class Servers:
    """Answers TCP and UDP at some addresses, a port each, and remembers who came."""

    def __init__(self, addresses, tcp, udp):
        self.came = {}
        for address in addresses:
            bits = 128 if ":" in address else 32
            namespace("servers", "ip", "address", "replace", f"{address}/{bits}", "dev", "vm-inside", "nodad")
            datagrams = opened("servers", address, socket.SOCK_DGRAM, udp)
            listener = opened("servers", address, socket.SOCK_STREAM, tcp)
            listener.listen(64)
            for work, end in [(self.echo, datagrams), (self.serve, listener)]:
                threading.Thread(target=work, args=(end,), daemon=True).start()

    def echo(self, end):
        while True:
            data, source = end.recvfrom(2048)
            self.came[source[0]] = self.came.get(source[0], 0) + 1
            # A client that is out of reach for now is no reason to end.
            with suppress(OSError):
                end.sendto(data, source)

    def serve(self, listener):
        while True:
            end, source = listener.accept()
            self.came[source[0]] = self.came.get(source[0], 0) + 1
            with end, suppress(OSError):
                end.sendall(b"welcome\n")


def client(address):
    """Gives the clients an address."""
    bits = 128 if ":" in address else 32
    namespace("clients", "ip", "address", "replace", f"{address}/{bits}", "dev", "br0", "nodad")


def reaches(source, target, port, patience=PATIENCE_S):
    """Whether a TCP connection from an address comes about and brings what the server says."""
    end = opened("clients", source, socket.SOCK_STREAM)
    end.settimeout(patience)
    with end:
        try:
            end.connect((target, port))
            return end.recv(64) == b"welcome\n"
        except OSError:
            return False


class Stream:
    """Numbered datagrams at a steady rate; notes when each one was sent and when its echo came."""

    def __init__(self, source, target, port, pps):
        self.end = opened("clients", source, socket.SOCK_DGRAM)
        self.end.connect((target, port))
        self.end.settimeout(0.5)
        self.sent, self.back = [], {}
        self.pace, self.over = 1 / pps, False
        self.threads = [threading.Thread(target=work, daemon=True) for work in (self.send, self.listen)]
        for thread in self.threads:
            thread.start()

    def send(self):
        due = time.monotonic()
        while not self.over:
            number = len(self.sent)
            self.sent.append(time.monotonic())
            try:
                self.end.send(struct.pack("!Q", number))
            except OSError:
                pass  # An ICMP error about an earlier one.
            due += self.pace
            time.sleep(max(0, due - time.monotonic()))

    def listen(self):
        while not self.over:
            try:
                self.back[struct.unpack("!Q", self.end.recv(64))[0]] = time.monotonic()
            except OSError:
                continue

    def stop(self):
        time.sleep(0.5)
        self.over = True
        for thread in self.threads:
            thread.join()
        self.end.close()

    def first_after(self, moment):
        """When the first echo came after a moment."""
        times = [back for back in list(self.back.values()) if back >= moment]
        return min(times, default=None)

    def await_first(self, moment, limit):
        while time.monotonic() < moment + limit:
            first = self.first_after(moment)
            if first is not None:
                return first - moment
            time.sleep(0.02)
        return None

    def lost(self):
        """Datagrams without an echo, and the longest time in which none came, in seconds."""
        times = sorted(self.back.values())
        pauses = [after - before for before, after in zip(times, times[1:])]
        return len(self.sent) - len(self.back), max(pauses, default=0.0)
