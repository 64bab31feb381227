"""Seeded mutations of bytes, and of what JSON, TOML, pickles and tables hold."""

import copy
import math
import random
from typing import Any

STRANGE: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, -(2**31) - 1, 2**63, 10**30, 0.5, -0.0, 1e308, 1e-320, math.nan, math.inf,
    -math.inf, "", " ", "x", "\n", "\x00", "a\nb", "é", "\u2028", "\x1b[2J", "nan", "1e999", "-1", "x" * 9_000,
    "../../etc/passwd", "/dev/zero", "${HOME}", "$(touch canary)", "'; DROP TABLE scores; --", [], {}, [[]],
    [None] * 20, {"": None}, {"__class__": "x"}, list(range(300)),
)  # fmt: skip
"""What may stand anywhere instead of a value; JSON's and a pickle's alike."""

ONLY_PYTHON: tuple[Any, ...] = (b"", b"\xff\xfe", (), (1, 2), {1, 2}, 2j, bytearray(b"x"), {(1, "a"): 2}, {None: 1})
"""What only a pickle can hold."""

NUMBERS = (b"0", b"-1", b"nan", b"inf", b"1e999", b"99999999999999999999", b"-0.0", b"1e-400", b"0x10", b"")


def of_bytes(content: bytes, draw: random.Random) -> bytes:
    """One to a few changes: flipped, cut, inserted, removed, doubled or swapped pieces, other numbers, other heads."""
    found = bytearray(content)
    for _ in range(draw.choice((1, 1, 1, 2, 4, 16))):
        draw.choice(_OF_BYTES)(found, draw)
    return bytes(found)


def _flip(found: bytearray, draw: random.Random) -> None:
    if found:
        found[draw.randrange(len(found))] ^= 1 << draw.randrange(8)


def _set(found: bytearray, draw: random.Random) -> None:
    if found:
        found[draw.randrange(len(found))] = draw.choice((0, 1, 0x7F, 0x80, 0xFF, draw.randrange(256)))


def _cut(found: bytearray, draw: random.Random) -> None:
    if draw.random() < 0.4:
        del found[draw.randrange(len(found) + 1) :]


def _piece(found: bytearray, draw: random.Random) -> slice:
    begin = draw.randrange(len(found) + 1)
    return slice(begin, min(len(found), begin + draw.choice((1, 2, 4, 8, 64, 1000))))


def _insert(found: bytearray, draw: random.Random) -> None:
    at = draw.randrange(len(found) + 1)
    found[at:at] = draw.choice((draw.randbytes(draw.randrange(1, 20)), b"\x00" * 8, b"\xff" * 8, b"\n", b"[" * 3_000))


def _remove(found: bytearray, draw: random.Random) -> None:
    del found[_piece(found, draw)]


def _double(found: bytearray, draw: random.Random) -> None:
    piece, at = bytes(found[_piece(found, draw)]), draw.randrange(len(found) + 1)
    found[at:at] = piece * draw.choice((1, 1, 2, 30))


def _swap(found: bytearray, draw: random.Random) -> None:
    one, other = _piece(found, draw), _piece(found, draw)
    a, b = bytes(found[one]), bytes(found[other])
    if len(a) == len(b):
        found[one], found[other] = b, a


def _length(found: bytearray, draw: random.Random) -> None:
    """Put a length of 4 or 8 bytes where another may stand."""
    width = draw.choice((4, 8))
    if len(found) > width:
        at = draw.randrange(len(found) - width)
        value = draw.choice((0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63, 2**64 - 1, len(found)))
        found[at : at + width] = (value % (1 << 8 * width)).to_bytes(width, draw.choice(("little", "big")))


def _number(found: bytearray, draw: random.Random) -> None:
    """Put another number where a text has one."""
    digits = [at for at in (draw.randrange(max(1, len(found))) for _ in range(30)) if found[at : at + 1].isdigit()]
    if digits:
        end = begin = digits[0]
        while end < len(found) and found[end : end + 1].isdigit():
            end += 1
        found[begin:end] = draw.choice(NUMBERS)


def _head(found: bytearray, draw: random.Random) -> None:
    if draw.random() < 0.15:
        head = draw.choice((b"PAR1", b"PK\x03\x04", b"BZh9", b"\x80\x04", b"\x80\x02", b"\x1f\x8b",
                            b"SQLite format 3\x00", b"{", b"[", b"\xef\xbb\xbf", b"\x93NUMPY", b"CONFIG-offset:",
                            b"binf"))  # fmt: skip
        found[: len(head)] = head


_OF_BYTES = (_flip, _flip, _set, _cut, _insert, _remove, _double, _swap, _length, _number, _head)


def of_object(content: Any, draw: random.Random, *, strange: tuple[Any, ...] = STRANGE) -> Any:
    """Return a copy with one to a few places changed: other types and numbers, missing, doubled or swapped parts."""
    found = [copy.deepcopy(content)]
    for _ in range(draw.choice((1, 1, 2, 5))):
        at, key = _place(found, draw)
        change = draw.randrange(6)
        if change <= 2:
            at[key] = copy.deepcopy(draw.choice(strange))
        elif change == 3:
            del at[key]
            if not found:
                found.append(None)
        elif change == 4:
            other, where = _place(found, draw)
            value = copy.deepcopy(at[key])
            try:
                other[where] = value
            except TypeError:
                continue
        elif isinstance(at, dict):
            other = draw.choice(("", "x\ny", "é" * 50, "__class__", key + " " if isinstance(key, str) else key))
            at[other] = at.pop(key)
        else:
            at[key] = nested(at[key], draw)
    return found[0]


def nested(value: Any, draw: random.Random) -> Any:
    """Return the value deep inside of lists or dicts."""
    for _ in range(draw.choice((2, 40, 700))):
        value = [value] if draw.random() < 0.5 else {"x": value}
    return value


def _place(found: list[Any], draw: random.Random) -> tuple[Any, Any]:
    """Return a container and a key in it, each level with the same chance."""
    at: Any = found
    key: Any = 0
    for _ in range(draw.randrange(9)):
        below = at[key]
        if not isinstance(below, dict | list) or not below:
            break
        at, key = below, draw.choice(list(below)) if isinstance(below, dict) else draw.randrange(len(below))
    return at, key


def of_text(text: str, draw: random.Random) -> str:
    """A text with characters flipped, cut, doubled, replaced, or a strange text in its place."""
    found = list(text)
    for _ in range(draw.choice((1, 1, 2, 3, 8))):
        change, at = draw.randrange(7), draw.randrange(len(found) + 1)
        if change == 0:
            found[at:at] = draw.choice(("|", "~", "+", ",", "=", ":", "(", ")", "-", "_", ".", "/", "\\", " ", "\t",
                                        "é", "\x00", "\u202e", "\ud800", "𝟙", "٣", "0", "9" * 30, "none"))  # fmt: skip
        elif change == 1:
            del found[at : at + draw.choice((1, 2, 5))]
        elif change == 2:
            piece = found[at : at + draw.choice((1, 3, 12))]
            found[at:at] = piece * draw.choice((1, 2, 400))
        elif change == 3 and found:
            found[at % len(found)] = chr(draw.choice((draw.randrange(32, 127), draw.randrange(0x3000), 0x1F600)))
        elif change == 4:
            del found[at:]
        elif change == 5:
            found.reverse()
        elif draw.random() < 0.2:
            found = list(str(draw.choice(STRANGE)))
    return "".join(found)
