"""The form of a backup (store/backup_form.h, daemon/backup_file.h), read and written: what no
program of ours writes can be tried, and what one of an earlier schema wrote.

Encryption is libsodium's own: crypto_secretstream_xchacha20poly1305.
"""

import ctypes
import ctypes.util
import hashlib
import struct

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

HEAD_BYTES, CHUNK_BYTES, OVERHEAD_BYTES, STREAM_AT = 60, 64 * 1024, 17, 36
STATE_BYTES, MESSAGE, FINAL = 52, 0, 3


def sodium():
    library = ctypes.CDLL(ctypes.util.find_library("sodium"))
    assert library.sodium_init() >= 0
    return library


def call(name, *args):
    assert getattr(sodium(), "crypto_secretstream_xchacha20poly1305_" + name)(*args) == 0, name


def size(data):
    return ctypes.c_ulonglong(len(data))


def key_of_master(master_key):
    return HKDF(hashes.SHA256(), 32, None, b"backup").derive(master_key)


def decrypt(content, key):
    """The plain bytes of a file."""
    head, plain = content[:HEAD_BYTES], b""
    state = ctypes.create_string_buffer(STATE_BYTES)
    call("init_pull", state, head[STREAM_AT:], key)
    for at in range(HEAD_BYTES, len(content), CHUNK_BYTES + OVERHEAD_BYTES):
        chunk = content[at:at + CHUNK_BYTES + OVERHEAD_BYTES]
        out = ctypes.create_string_buffer(len(chunk) - OVERHEAD_BYTES)
        call("pull", state, out, None, ctypes.byref(ctypes.c_ubyte()), chunk, size(chunk), head,
             size(head))
        plain += out.raw
    return plain


def encrypt(head, plain, key):
    """A file with that head, but for the header of its stream."""
    state, header = ctypes.create_string_buffer(STATE_BYTES), ctypes.create_string_buffer(24)
    call("init_push", state, header, key)
    head = head[:STREAM_AT] + header.raw
    content = head
    for at in range(0, len(plain), CHUNK_BYTES):
        piece = plain[at:at + CHUNK_BYTES]
        out = ctypes.create_string_buffer(len(piece) + OVERHEAD_BYTES)
        tag = FINAL if at + CHUNK_BYTES >= len(plain) else MESSAGE
        call("push", state, out, None, piece, size(piece), head, size(head), ctypes.c_ubyte(tag))
        content += out.raw
    return content


def take_text(data):
    length, = struct.unpack_from(">Q", data)
    return data[8:8 + length], data[8 + length:]


def texts(*values):
    return b"".join(struct.pack(">Q", len(value)) + value for value in values)


def record(letter, data):
    return letter + struct.pack(">I", len(data)) + data


class Table:
    """Rows are lists of (letter, value): a number, or bytes."""

    def __init__(self, name, columns, types, rows):
        self.name, self.columns, self.types, self.rows = name, columns, types, rows

    def keep(self, columns):
        """Only those, in their order."""
        at = [self.columns.index(column) for column in columns]
        return Table(self.name, list(columns), "".join(self.types[i] for i in at),
                     [[row[i] for i in at] for row in self.rows])

    def format(self):
        form = b"".join(letter + (struct.pack(">q", value) if letter in b"IN" else texts(value))
                        for row in self.rows for letter, value in row)
        made = record(b"T", texts(self.name.encode(), ", ".join(self.columns).encode(),
                                  self.types.encode()))
        assert len(self.rows) <= 1024  # a page
        if self.rows:
            made += record(b"P", struct.pack(">I", len(self.rows)) + form)
        return made + record(b"S", struct.pack(">Q", len(self.rows)) +
                             texts(hashlib.sha256(form).digest()))


class Backup:
    """All of a file, to be changed."""

    def __init__(self, content, key):
        self.head, self.key = content[:HEAD_BYTES], key
        self.tables, rest = [], decrypt(content, key)
        while rest:
            letter, length = rest[:1], struct.unpack(">I", rest[1:5])[0]
            self._take(letter, rest[5:5 + length])
            rest = rest[5 + length:]

    def _take(self, letter, data):
        if letter == b"H":
            self.schema, self.taken_at = struct.unpack_from(">QQ", data)
            self.version, rest = take_text(data[16:])
            self.origin, rest = take_text(rest)
            self.master_key, _ = take_text(rest)
        elif letter == b"T":
            name, rest = take_text(data)
            columns, rest = take_text(rest)
            types, _ = take_text(rest)
            self.tables.append(Table(name.decode(), columns.decode().split(", "), types.decode(),
                                     []))
        elif letter == b"P":
            self._take_rows(data[4:])

    def _take_rows(self, data):
        table = self.tables[-1]
        while data:
            row = []
            for _ in table.types:
                letter, data = data[:1], data[1:]
                if letter in b"IN":
                    value, data = struct.unpack_from(">q", data)[0], data[8:]
                else:
                    value, data = take_text(data)
                row.append((letter, value))
            table.rows.append(row)

    def table(self, name):
        return next(table for table in self.tables if table.name == name)

    def format(self):
        plain = record(b"H", struct.pack(">QQ", self.schema, self.taken_at) +
                       texts(self.version, self.origin, self.master_key))
        plain += b"".join(table.format() for table in self.tables)
        plain += record(b"E", struct.pack(">Q", sum(len(table.rows) for table in self.tables)) +
                        texts(b""))
        return encrypt(self.head, plain, self.key)
