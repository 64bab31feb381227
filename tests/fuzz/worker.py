"""A process that reads changed files or runs changed commands, and says of each that it has begun and how it ended.

Its arguments: ``formats`` or ``commands``, a name, the first case and the number of cases, and a folder. It prints one
JSON line for each case; what does not come is a hang or a crash, of which ``fuzzing.py`` makes a fault.
"""

import contextlib
import json
import os
import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

Prepare: TypeAlias = Callable[[random.Random], tuple[Callable[[], object], Sequence[str]]]
"""From a seeded draw to the use of one changed file or command, and to the texts that the command names."""

TESTS = Path(__file__).parents[1]


def main(kind: str, name: str, first: int, count: int, folder: Path) -> None:
    """Run the cases first to first + count - 1; case n is the same in any process."""
    sys.path.insert(0, str(TESTS))
    say = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever else is printed
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    from fuzz.limits import Limits

    prepared = _formats(name, folder) if kind == "formats" else _commands(name, folder)
    with contextlib.suppress(Exception, SystemExit):
        prepared(random.Random("first"))[0]()  # what is imported late is no case's own memory
    limits = Limits(folder)
    for number in range(first, first + count):
        draw = random.Random(f"{kind} {name} {number}")
        use, named = prepared(draw)
        print(json.dumps({"case": number}), file=say, flush=True)
        said, fault = limits.fault(use, named)
        if fault is not None and fault.kind == "hang":  # once more: the whole machine may have stood still
            said, fault = limits.fault(use, named)
        found = {"case": number, "said": said}
        if fault is not None:
            found |= {"fault": fault.kind, "text": fault.text, "place": fault.place}
        print(json.dumps(found), file=say, flush=True)


def _formats(name: str, folder: Path) -> Prepare:
    from fuzz.formats import FORMATS

    case = FORMATS[name](folder)
    case.path.write_bytes(case.change.whole)
    case.use()  # unchanged it is good: otherwise the first complaint would hide all others

    def prepare(draw: random.Random) -> tuple[Callable[[], object], Sequence[str]]:
        case.write(draw)
        return case.used, ()

    return prepare


def _commands(name: str, folder: Path) -> Prepare:
    from fuzz.commands import prepare

    return prepare(name, folder)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), Path(sys.argv[5]))
