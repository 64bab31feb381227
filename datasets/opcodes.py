"""Look through a pickle before it is loaded: what it would cost or ask for besides the names of its format.

Refusing names (`zcbench.datasets.unpickle`) keeps code from running, but a pickle can do harm without any name. A
few bytes of it make the unpickler reserve gigabytes (the number of a place to remember), make a tree of billions of
entries (a list that holds one list ten times, which holds one ten times, ...), or let the hash of a tuple of tuples
run for years or exhaust the stack of the process. So the opcodes are followed here first with stand-ins: what a
value is does not matter, only which containers are in which.

Source: ``Lib/pickletools.py`` and ``Modules/_pickle.c`` of Python 3.11 for what each opcode reads and does.
"""

from __future__ import annotations

import pickletools
from collections.abc import Iterable

from zcbench.harness.errors import UnsafeFileError

LARGEST = 1_000_000
"""Entries that a pickle may have, counted as often as they are referred to, beyond ten times what its bytes make."""

DEEPEST = 500
"""Tuples in tuples: the hash of one calls that of the next, without any check of the stack."""

_WIDTH = {"uint1": 1, "uint2": 2, "int4": 4, "uint4": 4, "uint8": 8, "float8": 8}
_COUNTED = {
    "string1": 1, "string4": 4, "bytes1": 1, "bytes4": 4, "bytes8": 8, "bytearray8": 8, "unicodestring1": 1,
    "unicodestring4": 4, "unicodestring8": 8, "long1": 1, "long4": 4,
}  # fmt: skip
_OPCODES = {ord(op.code): (op.name, op.arg.name if op.arg is not None else "") for op in pickletools.opcodes}

_SHORT_TEXT, _MEMOIZE, _STOP = ord("\x8c"), ord("\x94"), ord(".")
_RECALL = {ord("h"): 1, ord("j"): 4}

_NUMBERS = {ord("K"): 2, ord("M"): 3, ord("J"): 5, ord("G"): 9, ord("N"): 1, 0x88: 1, 0x89: 1}
"""How long the plain numbers, None, True and False are, of which the files mostly consist: they are not remembered."""

_REFUSED = {
    "PERSID": "a persistent id", "BINPERSID": "a persistent id", "NEXT_BUFFER": "a buffer outside of the file",
    "READONLY_BUFFER": "a buffer outside of the file", "EXT1": "a registered extension",
    "EXT2": "a registered extension", "EXT4": "a registered extension",
}  # fmt: skip
_TAKES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3, "REDUCE": 2, "NEWOBJ": 2, "NEWOBJ_EX": 3, "STACK_GLOBAL": 2,
          "BINPERSID": 1}  # fmt: skip
_TAKES_TO_MARK = ("TUPLE", "LIST", "DICT", "FROZENSET", "OBJ", "INST")
_EMPTY = ("EMPTY_LIST", "EMPTY_DICT", "EMPTY_SET", "EMPTY_TUPLE")
_FILLS = {"APPEND": 1, "SETITEM": 2, "BUILD": 1}
_FILLS_TO_MARK = ("APPENDS", "SETITEMS", "ADDITEMS")
_PLAIN = ("STACK_GLOBAL", "BINPERSID")  # take values, and give none that holds them


def look_through(data: bytes, name: str, *, start: int = 0, persistent: bool = False) -> int:
    """Refuse a pickle that asks for what no file of a benchmark asks for.

    Args:
        data: the bytes that hold it.
        name: what to call the file in an error.
        start: where it begins.
        persistent: whether its format has persistent ids, as that of torch does.

    Returns:
        Where it ends.

    Raises:
        UnsafeFileError: naming what it asks for.
        ValueError: if it breaks off, or is no pickle.
    """
    return _Look(data, name, persistent).to_the_end(start)


def unsafe(file: str, wanted: str) -> UnsafeFileError:
    """Return the error for a file that asks for something which its format does not contain."""
    shown = wanted if wanted.isprintable() else ascii(wanted)
    shown = shown if len(shown) <= 200 else shown[:197] + "..."
    return UnsafeFileError(f"refused to load {file}: it asks for {shown}, which this format never contains")


class _Node:
    """A container or object that a pickle makes; plain values are None.

    Attributes:
        inside: the containers and objects in it.
        hashed: how many values a hash of it visits; 0 where it has none or its own.
        depth: how many tuples are in one another in it.
    """

    __slots__ = ("depth", "hashed", "inside")

    def __init__(self, inside: Iterable[_Node | None] = (), *, hashes: bool = False) -> None:
        self.inside = [value for value in inside if value is not None]
        self.hashed: int = 1 + sum(node.hashed for node in self.inside) if hashes else 0
        self.depth: int = 1 + max((node.depth for node in self.inside), default=0) if hashes else 0


_NOWHERE = _Node()


class _Look:
    """Follows the opcodes of one pickle.

    Args:
        data: the bytes that hold it.
        name: what to call the file in an error.
        persistent: whether its format has persistent ids.
    """

    def __init__(self, data: bytes, name: str, persistent: bool) -> None:
        self._data, self._name, self._persistent = data, name, persistent
        self._stack: list[_Node | None] = []
        self._marks: list[int] = []
        self._places: dict[int, _Node | None] = {}
        self._shared = False

    def to_the_end(self, at: int) -> int:
        """Go from opcode to opcode, the most frequent ones without a call, and return where the pickle ends."""
        data, size, start = self._data, len(self._data), at
        stack, places = self._stack, self._places
        while at < size:
            code = data[at]
            if code in _NUMBERS:
                at += _NUMBERS[code]
                stack.append(None)
            elif code == _SHORT_TEXT and at + 1 < size:
                at += 2 + data[at + 1]
                stack.append(None)
                if at < size and data[at] == _MEMOIZE:
                    places[len(places)] = None
                    at += 1
            elif code == _MEMOIZE and stack and len(stack) > (self._marks[-1] if self._marks else 0):
                places[len(places)] = stack[-1]
                at += 1
            elif code in _RECALL and at + _RECALL[code] < size and (
                self._places.get(int.from_bytes(data[at + 1 : at + 1 + _RECALL[code]], "little"), _NOWHERE) is None
            ):
                stack.append(None)
                at += 1 + _RECALL[code]
            else:
                end = self._step(at, start)
                if data[at] == _STOP:
                    return end
                at = end
        raise ValueError("it breaks off")

    def _step(self, at: int, start: int) -> int:
        """Follow any opcode; return where the next one begins."""
        code = self._data[at]
        if code not in _OPCODES:
            raise ValueError(f"byte {at} is no opcode of a pickle")
        op, argument = _OPCODES[code]
        end = self._after(argument, at + 1)
        if end > len(self._data):
            raise ValueError("it breaks off")
        if op == "STOP":
            self._check_size(self._pop(1)[0], end - start)
        else:
            self._follow(op, at + 1, end)
        return end

    def _after(self, argument: str, at: int) -> int:
        """Return where the next opcode begins, beyond the end where the pickle breaks off."""
        if not argument:
            return at
        if argument in _WIDTH:
            return at + _WIDTH[argument]
        beyond = len(self._data) + 1
        if argument in _COUNTED:
            width = _COUNTED[argument]
            length = int.from_bytes(self._data[at : at + width], "little")
            return at + width + length if at + width < beyond else beyond
        for _ in range(2 if argument.endswith("_pair") else 1):
            at = self._data.find(b"\n", at) + 1
            if not at:
                return beyond
        return at

    def _follow(self, op: str, begin: int, end: int) -> None:
        if op in ("MEMOIZE", "BINPUT", "LONG_BINPUT", "PUT"):
            self._remember(op, begin, end)
        elif op in ("BINGET", "LONG_BINGET", "GET"):
            self._push_known(self._places.get(self._place(op, begin, end)))
        elif op == "MARK":
            self._marks.append(len(self._stack))
        elif op in _EMPTY:
            self._stack.append(_Node(hashes=op == "EMPTY_TUPLE"))
        elif op in _TAKES or op in _TAKES_TO_MARK:
            self._take(op)
        elif op in _FILLS or op in _FILLS_TO_MARK:
            values = self._pop(_FILLS[op]) if op in _FILLS else self._pop_to_mark()
            (filled,) = self._pop(1)
            filled = filled or _Node()
            filled.inside += [value for value in values if value is not None]
            self._stack.append(filled)
        elif op == "POP":
            if self._marks and self._marks[-1] == len(self._stack):
                self._marks.pop()
            else:
                self._pop(1)
        elif op == "POP_MARK":
            self._pop_to_mark()
        elif op == "DUP":
            (value,) = self._pop(1)
            self._stack.append(value)
            self._push_known(value)
        elif op in _REFUSED:
            raise unsafe(self._name, _REFUSED[op])
        elif op == "FRAME":
            if int.from_bytes(self._data[begin:end], "little") > len(self._data) - end:
                raise ValueError("it breaks off")
        elif op != "PROTO":
            self._stack.append(None)

    def _take(self, op: str) -> None:
        """Make one value of the last ones."""
        if op == "BINPERSID" and not self._persistent:
            raise unsafe(self._name, _REFUSED[op])
        values = self._pop(_TAKES[op]) if op in _TAKES else self._pop_to_mark()
        if op in _PLAIN:
            self._stack.append(None)
            return
        made = _Node(values, hashes=op.startswith("TUPLE") or op == "FROZENSET")
        if made.depth > DEEPEST:
            raise unsafe(self._name, f"tuples in tuples, more than {DEEPEST} deep")
        if made.hashed > LARGEST:
            raise unsafe(self._name, f"tuples of tuples with more than {LARGEST:,} entries")
        self._stack.append(made)

    def _pop(self, number: int) -> list[_Node | None]:
        floor = self._marks[-1] if self._marks else 0
        if len(self._stack) - number < floor:
            raise ValueError("it takes more values than it made")
        values = self._stack[-number:]
        del self._stack[-number:]
        return values

    def _pop_to_mark(self) -> list[_Node | None]:
        if not self._marks:
            raise ValueError("it takes more values than it made")
        mark = self._marks.pop()
        values = self._stack[mark:]
        del self._stack[mark:]
        return values

    def _remember(self, op: str, begin: int, end: int) -> None:
        place = len(self._places) if op == "MEMOIZE" else self._place(op, begin, end)
        if place > len(self._data):
            raise unsafe(self._name, f"a place numbered {place} to remember a value")
        (value,) = self._pop(1)
        self._places[place] = value
        self._stack.append(value)

    def _place(self, op: str, begin: int, end: int) -> int:
        raw = self._data[begin:end]
        if op not in ("PUT", "GET"):
            return int.from_bytes(raw, "little")
        if len(raw) > 20:
            raise ValueError("a place of too many digits")
        place = int(raw)
        if place < 0:
            raise ValueError(f"place {place}")
        return place

    def _push_known(self, value: _Node | None) -> None:
        self._shared = self._shared or value is not None
        self._stack.append(value)

    def _check_size(self, root: _Node | None, length: int) -> None:
        """Refuse what is in itself, or far larger than its bytes when it is gone through."""
        if root is None or not self._shared:  # a tree is as large as its bytes
            return
        sizes: dict[int, int] = {}  # of a node; 0 while it is open
        open_: list[_Node] = [root]
        while open_:
            node = open_[-1]
            if id(node) not in sizes:
                sizes[id(node)] = 0
                open_ += [inner for inner in node.inside if id(inner) not in sizes]
                if any(sizes.get(id(inner)) == 0 for inner in node.inside):
                    raise unsafe(self._name, "a container that is in itself")
                continue
            open_.pop()
            if not sizes[id(node)]:
                sizes[id(node)] = 1 + sum(sizes[id(inner)] for inner in node.inside)
        if sizes[id(root)] > LARGEST + 10 * length:
            raise unsafe(self._name, f"containers in containers with {sizes[id(root)]:.3g} entries in all")
