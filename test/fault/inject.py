"""A server whose system calls or allocations fail when a test says so (inject.c).

An Injector is a page of memory that the library in the server reads. It is armed with what counts,
which of them fails, and how; what was counted can be read while the server runs.
"""

import errno
import mmap
import os
import pathlib
import struct
import subprocess

import harness

OPEN, WRITE, SYNC, RENAME, TRUNCATE, ALLOCATION, MAPPING = (1 << bit for bit in range(7))
MEMORY = ALLOCATION | MAPPING
FILES = OPEN | WRITE | SYNC | RENAME | TRUNCATE
SHORT = 1000
EIO, ENOSPC, EINTR = errno.EIO, errno.ENOSPC, errno.EINTR
WORD = struct.Struct("=Q")
KINDS, NUMBER, STICKY, ERROR, COUNTED, FAILED = range(0, 48, 8)
SOURCE = pathlib.Path(__file__).resolve().parent / "inject.c"


def compile_library(folder):
    library = pathlib.Path(folder) / "inject.so"
    subprocess.run([os.environ.get("CC", "cc"), "-std=c17", "-D_GNU_SOURCE", "-O2", "-fPIC",
                    "-shared", "-o", library, SOURCE], check=True)
    return library


class Injector:
    def __init__(self, library, control, below):
        self.library, self.path, self.below = library, control, below
        pathlib.Path(control).write_bytes(bytes(48))
        with open(control, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), 48)

    def environment(self):
        """What a process needs that is to be hit; with leaks told where it is sanitized."""
        options = harness.sanitizer_environment()["ASAN_OPTIONS"]
        return {"LD_PRELOAD": str(self.library), "JETON_INJECT_CONTROL": str(self.path),
                "JETON_INJECT_FOLDER": str(self.below),
                "ASAN_OPTIONS": options + ":verify_asan_link_order=0:allocator_may_return_null=1"}

    def _put(self, at, value):
        WORD.pack_into(self.memory, at, value)

    def _get(self, at):
        return WORD.unpack_from(self.memory, at)[0]

    def arm(self, kinds, number=0, error=errno.ENOMEM, is_sticky=False):
        """From now on: the call with that number fails; with 0 they are only counted."""
        self.disarm()
        for at, value in ((COUNTED, 0), (FAILED, 0), (NUMBER, number), (STICKY, int(is_sticky)),
                          (ERROR, error), (KINDS, kinds)):
            self._put(at, value)

    def disarm(self):
        self._put(KINDS, 0)

    @property
    def counted(self):
        return self._get(COUNTED)

    @property
    def failed(self):
        return self._get(FAILED)
