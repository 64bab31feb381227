"""Where official files come from and how to convert them: one TOML file a benchmark."""

import tomllib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class OfficialFile:
    """One official file or folder.

    Attributes:
        name: its name as it is published.
        source: the source that its accuracies get in a table.
        origin: the page that says where to get it.
        licence: under which terms.
        convert: the command that converts it; empty where none is needed.
    """

    name: str
    source: str
    origin: str
    licence: str
    convert: str


def official_files(benchmark: str) -> tuple[OfficialFile, ...]:
    """Return what the manifest of a benchmark lists, in its order; nothing where it has no manifest."""
    # Not importlib.resources: it does not find files of a namespace package that is installed editable.
    path = Path(__file__).parent / "manifests" / f"{benchmark}.toml"
    if not path.is_file():
        return ()
    entries = tomllib.loads(path.read_text(encoding="utf-8"))["files"]
    return tuple(
        OfficialFile(e["name"], e["source"], e["from"], e["licence"], e.get("convert", "")) for e in entries
    )
