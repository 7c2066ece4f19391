"""A TCP proxy before the database that breaks connections in the ways in which networks do."""

import contextlib
import socket
import struct
import threading

PIECE_BYTES = 65536
LOOK_S = 0.05


class Proxy:
    """Listens on `host` and passes on to `target`, an address.

    Two threads for each connection copy one way each. What they do can be changed at any time:
    silence() loses nobody's connection but passes nothing on; reset() ends all of them with RST;
    cut_after(count) ends the one that has carried so many bytes to the database from now on,
    before or after the database got the last of them.
    """

    def __init__(self, host, target):
        self.target = target
        self.listener = socket.create_server((host, 0), backlog=128)
        self.host, self.port = self.listener.getsockname()
        self.speaks = threading.Event()
        self.speaks.set()
        self.lock = threading.Lock()
        self.generation = 0
        self.is_closing = False
        self.cut_at, self.cut_gives, self.carried, self.cut_count = None, False, 0, 0
        self.connection_count = 0
        self.accepter = threading.Thread(target=self._accept, daemon=True)
        self.accepter.start()

    def _accept(self):
        self.listener.settimeout(LOOK_S)
        while not self.is_closing:
            try:
                here, _ = self.listener.accept()
            except socket.timeout:
                continue
            except OSError:
                return
            threading.Thread(target=self._serve, args=(here, self.generation), daemon=True).start()

    def _serve(self, here, generation):
        while not self.speaks.wait(LOOK_S):
            if self._is_over(generation):
                self._end(here)
                return
        try:
            there = socket.create_connection(self.target, timeout=2)
        except OSError:
            self._end(here)
            return
        with self.lock:
            self.connection_count += 1
        for one in (here, there):
            one.settimeout(LOOK_S)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        state = {"is_over": False}
        back = threading.Thread(target=self._copy, args=(there, here, generation, state, False),
                                daemon=True)
        back.start()
        self._copy(here, there, generation, state, True)
        back.join()
        self._end(here)
        self._end(there)
        with self.lock:
            self.connection_count -= 1

    def _is_over(self, generation):
        return self.is_closing or generation != self.generation

    def _copy(self, one, other, generation, state, is_towards):
        while not state["is_over"] and not self._is_over(generation):
            try:
                piece = one.recv(PIECE_BYTES)
            except socket.timeout:
                continue
            except OSError:
                break
            while not self.speaks.wait(LOOK_S) and not self._is_over(generation):
                pass
            if not piece or self._is_over(generation):
                break
            try:
                if is_towards and self._is_cut(len(piece)):
                    if self.cut_gives:
                        other.sendall(piece)
                    break
                other.sendall(piece)
            except OSError:
                break
        state["is_over"] = True

    def _is_cut(self, count):
        with self.lock:
            self.carried += count
            if self.cut_at is None or self.carried < self.cut_at:
                return False
            self.cut_at = None
            self.cut_count += 1
            return True

    @staticmethod
    def _end(one):
        """With RST instead of a proper end."""
        with contextlib.suppress(OSError):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        one.close()

    # -- what a test does ----------------------------------------------------------------------

    def silence(self):
        self.speaks.clear()

    def speak(self):
        self.speaks.set()

    def reset(self):
        self.generation += 1

    def cut_after(self, count, is_given=False):
        with self.lock:
            self.carried, self.cut_gives, self.cut_at = 0, is_given, count

    def close(self):
        self.is_closing = True
        self.accepter.join()
        self.listener.close()
