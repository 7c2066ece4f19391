"""Live tokens by the million, written into a stopped store as rows.

The token endpoint would need minutes for ten million, and each run anew. So one token is issued,
its row is copied with other ids and digests, and for some of the copies, at even distances, the
value is made as token/value.h has it: an AES block of the id, a random secret, base62, a CRC.
"""

import hashlib
import os
import sqlite3
import struct
import zlib

from servers import Skip

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
KEY_NAME = b"token-handle-key"
KIND_ACCESS = 0
BATCH = 10000
SEQUENCE_TOKEN = 1


def base62(number, width):
    text = []
    for _ in range(width):
        number, digit = divmod(number, 62)
        text.append(DIGITS[digit])
    return "".join(reversed(text))


class ValueMaker:
    """Values of access tokens as this installation makes them."""

    def __init__(self, master_key, sealed):
        try:
            from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        except ImportError as why:
            raise Skip(f"python3-cryptography: {why}") from None
        key = AESGCM(master_key).decrypt(sealed[1:13], sealed[13:], KEY_NAME)
        self.encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()

    def make(self, token_id):
        """The value and its digest."""
        secret = os.urandom(16)
        handle = self.encryptor.update(struct.pack(">QB7x", token_id, KIND_ACCESS))
        value = "jta_" + base62(int.from_bytes(handle + secret, "big"), 43)
        value += base62(zlib.crc32(value.encode()), 6)
        return value, hashlib.sha256(secret).digest()


class SqliteRows:
    def __init__(self, path):
        self.store = sqlite3.connect(path, isolation_level=None)

    def one(self, text):
        return self.store.execute(text).fetchone()

    def write(self, row, first, digests, count):
        """count copies of the row, with ids from `first` on."""
        rows = ((first + n, *row, digest) for n, digest in enumerate(digests))
        self.store.execute("BEGIN")
        self.store.executemany("INSERT INTO token (id, kind, format, grant_id, issued_at,"
                               " expires_at, digest) VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        self.store.execute("UPDATE sequence SET next = ? WHERE number = ?",
                           (first + count, SEQUENCE_TOKEN))
        self.store.execute("COMMIT")

    def close(self):
        self.store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.store.close()


class PostgresRows:
    def __init__(self, database, name):
        self.database, self.name = database, name

    def one(self, text):
        values = self.database.run(self.name, text).split("\n")[0].split("|")
        return [bytes.fromhex(value[2:]) if value.startswith("\\x") else int(value)
                for value in values]

    def write(self, row, first, digests, count):
        middle = "\t".join(map(str, row))

        def pieces():
            lines = []
            for n, digest in enumerate(digests):
                lines.append(f"{first + n}\t{middle}\t\\\\x{digest.hex()}\n")
                if len(lines) == BATCH:
                    yield "".join(lines).encode()
                    lines.clear()
            yield "".join(lines).encode()

        self.database.run(self.name, "COPY token (id, kind, format, grant_id, issued_at,"
                          " expires_at, digest) FROM STDIN", data=pieces())
        self.database.run(self.name, f"UPDATE sequence SET next = {first + count}"
                          f" WHERE number = {SEQUENCE_TOKEN}")

    def close(self):
        self.database.run(self.name, "VACUUM ANALYZE token; CHECKPOINT")


def fill(rows, master_key, values_path, count, known_count):
    """Writes count live tokens, and the values of known_count of them to a file."""
    sealed, = rows.one(f"SELECT sealed FROM sealed_value WHERE name = '{KEY_NAME.decode()}'")
    maker = ValueMaker(master_key, sealed)
    row = rows.one("SELECT kind, format, grant_id, issued_at, expires_at FROM token"
                   f" WHERE kind = {KIND_ACCESS} ORDER BY id DESC LIMIT 1")
    first, = rows.one(f"SELECT next FROM sequence WHERE number = {SEQUENCE_TOKEN}")
    step = max(1, count // known_count)
    with open(values_path, "w", encoding="ascii") as values:
        def digests():
            for n in range(count):
                if n % step != 0:
                    yield os.urandom(32)
                    continue
                value, digest = maker.make(first + n)
                values.write(value + "\n")
                yield digest

        rows.write(row, first, digests(), count)
    rows.close()
