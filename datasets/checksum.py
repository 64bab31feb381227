"""Hold a file against a known checksum."""

from pathlib import Path

import pooch


def mismatch(path: Path, checksum: str) -> str:
    """Say how a file differs from its checksum; nothing if it does not, or if none is known.

    Args:
        path: the file.
        checksum: ``sha256:...`` or ``md5:...``; empty if none is known.
    """
    if not checksum:
        return ""
    algorithm, _, expected = checksum.partition(":")
    got = str(pooch.file_hash(str(path), alg=algorithm))
    return "" if got == expected else f"its {algorithm} is {got} instead of {expected}"
