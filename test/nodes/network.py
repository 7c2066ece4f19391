"""Network namespaces that leave nothing behind.

No namespace has a name: each lives as long as a process that is in it, and that process ends with
this one, however this one ends. The tests' own process moves into one, the hub, where the databases
and the load run; each node gets one of its own, and two cables (veth pairs) to the hub: the front
one is where clients come from, the back one leads to the database. Addresses are given in there
alone, so nothing on the machine can collide with them.
"""

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess

CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1
NETS = {"front": "10.77.0", "back": "10.78.0"}
HUB = NETS["back"] + ".1"
LIBC = ctypes.CDLL(None, use_errno=True)


class NotPermitted(Exception):
    """Why there are no namespaces here."""


def ip(*words):
    subprocess.run(["ip", *map(str, words)], check=True, stdin=subprocess.DEVNULL,
                   capture_output=True)


def end_with_parent():
    """For preexec_fn: a process that does not outlive this one."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Room:
    """A namespace with cables to the hub. Its processes are begun with the words of `prefix`."""

    def __init__(self, number):
        self.number = number
        self.address = f"{NETS['front']}.{number + 10}"
        # It says a line when it is inside; then the cables can be put in.
        self.keeper = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo; exec sleep 86400"],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       preexec_fn=end_with_parent)
        self.keeper.stdout.readline()
        self.prefix = ["nsenter", f"--net=/proc/{self.keeper.pid}/ns/net"]
        self.run("ip", "link", "set", "lo", "up")
        for net, start in NETS.items():
            ip("link", "add", self.device(net), "type", "veth", "peer", "name", net, "netns",
               self.keeper.pid)
            ip("link", "set", self.device(net), "master", net, "up")
            self.run("ip", "address", "add", f"{start}.{number + 10}/24", "dev", net)
            self.run("ip", "link", "set", net, "up")

    def device(self, net):
        return f"{net}{self.number}"

    def run(self, *words):
        subprocess.run([*self.prefix, *words], check=True, stdin=subprocess.DEVNULL,
                       capture_output=True)

    def pull(self, *nets):
        """Takes cables out: what is sent is lost, and nobody is told."""
        for net in nets:
            ip("link", "set", self.device(net), "nomaster")

    def plug(self, *nets):
        for net in nets:
            ip("link", "set", self.device(net), "master", net)

    def close(self):
        self.keeper.kill()
        self.keeper.wait()
        self.keeper.stdout.close()
        for net in NETS:
            with contextlib.suppress(subprocess.CalledProcessError):
                ip("link", "delete", self.device(net))


class Network:
    """Moves this process, and all that it starts from now on, into a hub."""

    def __init__(self):
        for program in ("ip", "unshare", "nsenter"):
            if shutil.which(program) is None:
                raise NotPermitted(f"the program {program} is not installed")
        self.outside = os.open("/proc/self/ns/net", os.O_RDONLY)
        if LIBC.unshare(CLONE_NEWNET) != 0:
            why = os.strerror(ctypes.get_errno())
            os.close(self.outside)
            raise NotPermitted(f"network namespaces are not permitted here: {why}")
        self.rooms = []
        try:
            ip("link", "set", "lo", "up")
            for net, start in NETS.items():
                ip("link", "add", net, "type", "bridge")
                ip("address", "add", start + ".1/24", "dev", net)
                ip("link", "set", net, "up")
            self.room(0).close()
            self.rooms.clear()
        except subprocess.CalledProcessError as why:
            self.close()
            raise NotPermitted("no bridge can be made here: " +
                               why.stderr.decode().strip()) from None

    def room(self, number=None):
        made = Room(len(self.rooms) + 1 if number is None else number)
        self.rooms.append(made)
        return made

    def close(self):
        """Back to where this process came from; the hub goes with the last process in it."""
        for room in self.rooms:
            room.close()
        assert LIBC.setns(self.outside, CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        os.close(self.outside)
