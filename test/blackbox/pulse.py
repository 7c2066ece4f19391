"""How long the machine kept everything on it waiting, for tests that set a time by which something
has to be there."""

import threading
import time

STEP_S = 0.02


class Pulse:
    """A thread that would wake up every STEP_S, and notes when it was not let. So much later an
    answer may come: nobody else was let run meanwhile, either."""

    def __init__(self):
        self.stalls = []  # (from, to)
        self.is_stopping = threading.Event()
        self.thread = threading.Thread(target=self._beat, daemon=True)

    def _beat(self):
        last = time.monotonic()
        while not self.is_stopping.is_set():
            time.sleep(STEP_S)
            now = time.monotonic()
            if now - last > 2 * STEP_S:
                self.stalls.append((last + STEP_S, now))
            last = now

    def start(self):
        """Once, however often it is asked for."""
        if self.thread.ident is None:
            self.thread.start()
        return self

    def stop(self):
        self.is_stopping.set()
        if self.thread.is_alive():
            self.thread.join()

    def lost(self, start, end):
        """Seconds of that time in which nothing ran."""
        return sum(max(0.0, min(end, to) - max(start, begun)) for begun, to in self.stalls)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
