#!/usr/bin/env python3
"""Compiles the list of common passwords to C: sorted, in lower case, in small blocks.

    common_passwords.py LIST.txt OUTPUT.c
"""

import pathlib
import sys


BLOCK_WORDS = 16  # as struct common_passwords has them
LENGTH_MAX = 255


def shared_length(one, other):
    """Of the bytes that both begin with."""
    length = 0
    while length < min(len(one), len(other), LENGTH_MAX) and one[length] == other[length]:
        length += 1
    return length


def pack(words):
    """The words in blocks, and where each block begins."""
    packed, starts, before = bytearray(), [], b""
    for number, word in enumerate(words):
        if number % BLOCK_WORDS == 0:
            starts.append(len(packed))
            before = b""
        shared = shared_length(word, before)
        rest = word[shared:]
        assert len(rest) <= LENGTH_MAX
        if shared < 15 and len(rest) < 15:
            packed.append(shared << 4 | len(rest))
        else:
            packed += bytes([0xff, shared, len(rest)])
        packed += rest
        before = word
    return packed, starts


def in_lines(numbers):
    return "".join(f"    {', '.join(map(str, numbers[i:i + 16]))},\n"
                   for i in range(0, len(numbers), 16))


def main():
    source, output = map(pathlib.Path, sys.argv[1:3])
    lines = source.read_text("utf-8").splitlines()
    words = sorted({line.lower().encode() for line in lines if line})
    packed, starts = pack(words)
    output.write_text(
        "/* Made from src/account/common_passwords/list.txt by tools/common_passwords.py. */\n"
        '#include "account/password_policy.h"\n\n'
        f"static const unsigned char bytes[] = {{\n{in_lines(packed)}}};\n\n"
        f"static const uint32_t starts[] = {{\n{in_lines(starts)}}};\n\n"
        f"const struct common_passwords common_passwords = {{ bytes, starts, {len(words)} }};\n")


if __name__ == "__main__":
    main()
