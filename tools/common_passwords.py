#!/usr/bin/env python3
"""Compiles the list of common passwords to C: sorted, in lower case, for a binary search.

    common_passwords.py LIST.txt OUTPUT.c
"""

import pathlib
import sys


def main():
    source, output = map(pathlib.Path, sys.argv[1:3])
    lines = source.read_text("utf-8").splitlines()
    words = sorted({line.lower().encode() for line in lines if line})
    rows, starts, at = [], [], 0
    for word in words:
        starts.append(at)
        at += len(word)
        rows.append('    "' + "".join(
            chr(byte) if chr(byte).isascii() and chr(byte).isalnum() else f"\\{byte:03o}"
            for byte in word) + '"')
    starts.append(at)
    output.write_text(
        "/* Made from src/account/common_passwords/list.txt by tools/common_passwords.py. */\n"
        '#include "account/password_policy.h"\n\n'
        "/* What ISO C promises a literal at least is less than the list. */\n"
        '#pragma GCC diagnostic ignored "-Woverlength-strings"\n\n'
        "static const char bytes[] =\n" + "\n".join(rows) + ";\n\n"
        "static const uint32_t starts[] = {\n"
        + "".join(f"    {', '.join(map(str, starts[i:i + 12]))},\n"
                  for i in range(0, len(starts), 12))
        + "};\n\n"
        f"const struct common_passwords common_passwords = {{ bytes, starts, {len(words)} }};\n")


if __name__ == "__main__":
    main()
