"""The machine of scripts/vm, and the namespaces at the ends of its wires."""

import ctypes
import json
import os
import socket
import subprocess
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
VM = ROOT / "scripts" / "vm"
CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)


class Refused(Exception):
    """A command that did not end as it should, with what it printed."""


def vm(verb, *words, stdin=None, limit=240):
    """Runs a verb of scripts/vm; its exit status and all that it printed."""
    done = subprocess.run(
        [VM, verb, *words], stdin=stdin or subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=limit, errors="replace",
    )
    return done.returncode, done.stdout


def run(command, limit=120, fails=False):
    """Runs a command line in the machine; what it printed. One that should fail must."""
    status, said = vm("run", command, limit=limit)
    if (status != 0) != fails:
        raise Refused(f"`{command}` ended with {status}:\n{said}")
    return said


def start(command):
    """Starts a command in the machine and goes on; its standard output is a pipe."""
    return subprocess.Popen(
        [VM, "run", command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    )


def status():
    """What the gateway says of itself."""
    return json.loads(run("palisade status --json"))


def namespace(side, *words, limit=60):
    """Runs a command at the far end of a wire: clients or servers."""
    done = subprocess.run(
        ["ip", "netns", "exec", f"vm-{side}", *words], stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=limit,
    )
    if done.returncode:
        raise Refused(f"`{' '.join(words)}` with the {side} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


@contextmanager
def inside(side):
    """Sockets that are opened meanwhile belong to a namespace, for good."""
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    theirs = os.open(f"/run/netns/vm-{side}", os.O_RDONLY)
    enter(theirs)
    try:
        yield
    finally:
        enter(own)
        os.close(own)
        os.close(theirs)


def enter(descriptor):
    if LIBC.setns(descriptor, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def opened(side, address, kind, port=0):
    """A socket with an address of a namespace."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with inside(side):
        end = socket.socket(family, kind)
    end.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    end.bind((address, port))
    return end
