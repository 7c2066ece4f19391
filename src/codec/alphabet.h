/*
 * codec/alphabet.h: rows of the tables of base62.c, base64url.c and basic.c; for those only.
 *
 * A table has an entry for each byte: ALPHABET_MEMBER plus its value for a character of the
 * alphabet, 0 for any other. So the AND of many entries tells whether all of them were members.
 */
#ifndef JETON_CODEC_ALPHABET_H
#define JETON_CODEC_ALPHABET_H

enum { ALPHABET_MEMBER = 0x40, ALPHABET_VALUE = 0x3f };

/* clang-format off */
#define ALPHABET_UPPER(first)                                                                      \
    ['A'] = (first) + 0x40, ['B'] = (first) + 0x41, ['C'] = (first) + 0x42,                        \
    ['D'] = (first) + 0x43, ['E'] = (first) + 0x44, ['F'] = (first) + 0x45,                        \
    ['G'] = (first) + 0x46, ['H'] = (first) + 0x47, ['I'] = (first) + 0x48,                        \
    ['J'] = (first) + 0x49, ['K'] = (first) + 0x4a, ['L'] = (first) + 0x4b,                        \
    ['M'] = (first) + 0x4c, ['N'] = (first) + 0x4d, ['O'] = (first) + 0x4e,                        \
    ['P'] = (first) + 0x4f, ['Q'] = (first) + 0x50, ['R'] = (first) + 0x51,                        \
    ['S'] = (first) + 0x52, ['T'] = (first) + 0x53, ['U'] = (first) + 0x54,                        \
    ['V'] = (first) + 0x55, ['W'] = (first) + 0x56, ['X'] = (first) + 0x57,                        \
    ['Y'] = (first) + 0x58, ['Z'] = (first) + 0x59

#define ALPHABET_LOWER(first)                                                                      \
    ['a'] = (first) + 0x40, ['b'] = (first) + 0x41, ['c'] = (first) + 0x42,                        \
    ['d'] = (first) + 0x43, ['e'] = (first) + 0x44, ['f'] = (first) + 0x45,                        \
    ['g'] = (first) + 0x46, ['h'] = (first) + 0x47, ['i'] = (first) + 0x48,                        \
    ['j'] = (first) + 0x49, ['k'] = (first) + 0x4a, ['l'] = (first) + 0x4b,                        \
    ['m'] = (first) + 0x4c, ['n'] = (first) + 0x4d, ['o'] = (first) + 0x4e,                        \
    ['p'] = (first) + 0x4f, ['q'] = (first) + 0x50, ['r'] = (first) + 0x51,                        \
    ['s'] = (first) + 0x52, ['t'] = (first) + 0x53, ['u'] = (first) + 0x54,                        \
    ['v'] = (first) + 0x55, ['w'] = (first) + 0x56, ['x'] = (first) + 0x57,                        \
    ['y'] = (first) + 0x58, ['z'] = (first) + 0x59

#define ALPHABET_DIGITS(first)                                                                     \
    ['0'] = (first) + 0x40, ['1'] = (first) + 0x41, ['2'] = (first) + 0x42,                        \
    ['3'] = (first) + 0x43, ['4'] = (first) + 0x44, ['5'] = (first) + 0x45,                        \
    ['6'] = (first) + 0x46, ['7'] = (first) + 0x47, ['8'] = (first) + 0x48,                        \
    ['9'] = (first) + 0x49
/* clang-format on */

#endif
