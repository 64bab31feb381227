"""Convert what NAS-Bench-301 publishes, once, to the tidy Parquet table that every query reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from zcbench.datasets import unpickle
from zcbench.datasets.conversion import Row, Summary, write_rows
from zcbench.datasets.nasbench301 import logs
from zcbench.datasets.nasbench301.ensemble import is_ensemble
from zcbench.datasets.nasbench301.genotype import parse_genotype
from zcbench.datasets.nasbench301.kinds import with_kinds
from zcbench.datasets.truth import TruthTable
from zcbench.harness.errors import MissingFileError, ZcbenchError


@dataclass(frozen=True, slots=True)
class Converter:
    """Converts what belongs to one of the two benchmarks; see `zcbench.harness.space.Benchmark.convert`.

    Attributes:
        benchmark: the benchmark's name.
        logs: whether it has training logs.
    """

    benchmark: str
    logs: bool

    def __call__(
        self,
        path: Path,
        out: Path,
        *,
        curves: bool = False,  # noqa: ARG002  # the logs have none
        progress: bool | None = False,
    ) -> Summary:
        """Convert a file or folder to a table, which appears whole or not at all.

        Accepted are a folder of training logs (``results*.json``, at any depth), one such file, and a table
        that is tidy already (checked and rewritten). The logs have no curves.

        Raises:
            MissingFileError: if there is no such file or folder.
            ZcbenchError: if a file is damaged or of another form, or the table cannot be written.
        """
        if not path.exists():
            raise MissingFileError(f"there is no file or folder {path}")
        if path.is_file() and unpickle.reading(str(path), lambda: _start(path)) == b"PAR1":
            frame = with_kinds(TruthTable.from_parquet(path, curves=True), str(path)).frame
            for architecture in frame["architecture"].unique():
                _check(str(architecture), path)
            tidy = frame.astype(object).itertuples(index=False, name=None)
            return write_rows(tidy, out, name=str(path))
        files = self._files(path)
        disable = None if progress is None else not progress
        with tqdm(files, path.name, unit="log", disable=disable) as read:
            return write_rows(_once(logs.rows(read)), out, name=str(path))

    def _files(self, path: Path) -> list[Path]:
        if self.logs and path.is_file() and path.match(logs.PATTERN):
            return [path]
        if is_ensemble(path):
            raise ZcbenchError(
                f"cannot convert the folder {path}: a surrogate ensemble has no table, it predicts what it is asked "
                f"for; give the folder itself as ground truth of nasbench301: --truth {path}"
            )
        files = sorted(path.rglob(logs.PATTERN)) if self.logs and path.is_dir() else []
        if not files:
            what = f"neither training logs ({logs.PATTERN}) nor a Parquet table" if self.logs else "no Parquet table"
            raise ZcbenchError(f"cannot use {path} for {self.benchmark}: it is {what}")
        return files


def _once(rows: Iterable[Row]) -> Iterator[Row]:
    """Pass rows on, but refuse a measurement that occurs twice: two logs that name the same seed."""
    seen: set[tuple[object, ...]] = set()
    for row in rows:
        key = (*row[:6], row[7])
        if key in seen:
            raise ZcbenchError(f"two of the logs are of the same training: {row[0]}, {row[3]} epochs, seed {row[4]}")
        seen.add(key)
        yield row


def _check(architecture: str, path: Path) -> None:
    try:
        parse_genotype(architecture)
    except ZcbenchError as error:
        raise ZcbenchError(f"cannot use {path}: {error}") from error


def _start(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(4)
