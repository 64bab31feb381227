"""NAS-Bench-301 and DARTS as benchmarks: which ground truth there is, and which of it is taken."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from zcbench.datasets.nasbench301 import logs
from zcbench.datasets.nasbench301.ensemble import Ensemble, is_ensemble, open_ensemble
from zcbench.datasets.nasbench301.kinds import with_kinds
from zcbench.datasets.nasbench301.space import DartsSpace, Space
from zcbench.datasets.tables import TableBenchmark, data_folder, to_convert
from zcbench.datasets.truth import Remarks, TruthTable
from zcbench.harness.errors import MissingFileError, ZcbenchError
from zcbench.harness.space import Availability, Available, Conversion, Missing

MODEL_FOLDERS = ("nb_models_1.0", "nb_models", "nb_models_0.9")
"""Where the published ensembles are looked for in the folder that ``ZCBENCH_DATA`` names."""

ENSEMBLES = ("nb301-xgb_v1.0", "nb301-gnn_gin_v1.0")
"""Sources of the published ensembles of version 1.0 that predict accuracies."""

_PREDICTION = "the mean prediction of the ensemble, without the noise that its package adds by default"

REMARKS = Remarks(
    seeds={
        "naslib": "one prediction of the benchmark's surrogate, with noise",
        **dict.fromkeys(ENSEMBLES, _PREDICTION),
    },
    notes={("naslib", "cifar10"): "725 random genotypes; no training"},
)
"""What the tables of NAS-Bench-301 do not say.

NASLib's code asks the surrogate with the default of its package, which adds noise
(``naslib/search_spaces/nasbench301/graph.py``, ``query``).
"""

DARTS_REMARKS = Remarks(
    seeds={"yang2020": "training seeds not stated"},
    notes={("yang2020", "cifar10"): "214 random genotypes, trained by the protocol of DARTS"},
)
"""What the table of DARTS does not say."""


@dataclass(frozen=True, slots=True)
class _Converter:
    """Calls `zcbench.datasets.nasbench301.convert.Converter`, whose readers are imported when needed."""

    benchmark: str
    logs: bool

    def __call__(self, path: Path, out: Path, *, curves: bool = False, progress: bool | None = False) -> Conversion:
        from zcbench.datasets.nasbench301.convert import Converter

        return Converter(self.benchmark, self.logs)(path, out, curves=curves, progress=progress)


@dataclass(frozen=True, kw_only=True)
class NasBench301(TableBenchmark):
    """The surrogate benchmark; beside tables it reads the folders of surrogate ensembles."""

    def availability(self) -> list[Availability]:
        """List the sources of its tables, and the ensembles in `MODEL_FOLDERS`."""
        ensembles = self._ensembles()
        listed = [entry for entry in super().availability() if entry.source not in ensembles]
        missing = self._absent(f"the folder {' or '.join(MODEL_FOLDERS)}")
        others = [
            Missing(entry.source, missing) if isinstance(entry, Missing) and entry.source in ENSEMBLES else entry
            for entry in listed
        ]
        return [*(Available(source, folder) for source, folder in ensembles.items()), *others]

    def truth(
        self, *, source: str | None = None, path: Path | None = None, architectures: Sequence[str] | None = None
    ) -> TruthTable:
        """Load the ground truth, or let an ensemble predict it.

        Args:
            source: only this source; ``nb301-{folder}`` is the ensemble of that folder in `MODEL_FOLDERS`.
            path: a tidy Parquet file, or the folder of an ensemble.
            architectures: what an ensemble predicts; a table has what it has.

        Raises:
            MissingFileError: if the table or the ensemble is not there.
            UnsafeFileError: if a model asks to run code.
            ZcbenchError: if a file is damaged, or an ensemble is not told what to predict.
        """
        if path is None and source is not None and source.startswith("nb301-"):
            folder = self._ensembles().get(source)
            if folder is not None:
                return self._predicted(open_ensemble(folder), source, architectures)
            if source not in self._in_tables():
                data = data_folder()
                put = f"put it into {data / MODEL_FOLDERS[0]}" if data else (
                    f"set ZCBENCH_DATA to a folder that has it in {MODEL_FOLDERS[0]}"
                )
                raise MissingFileError(
                    f"there is no surrogate ensemble of the source {source}: give its folder (--truth FOLDER), or "
                    f"{put}; zcbench data status {self.name} says where to get it"
                )
        if path is not None and path.is_dir():
            if not is_ensemble(path) and next(path.rglob(logs.PATTERN), None) is not None:
                raise to_convert(path, self.name)
            return self._predicted(open_ensemble(path), source, architectures)
        name = str(path) if path is not None else f"the ground truth of {self.name}"
        table = with_kinds(super().truth(path=path), name).remarked(self.known)
        return table if source is None else table.only(source)

    def _predicted(
        self, ensemble: Ensemble, source: str | None, architectures: Sequence[str] | None
    ) -> TruthTable:
        if source not in (None, ensemble.source):
            raise ZcbenchError(
                f'the ensemble in {ensemble.folder} is the source "{ensemble.source}", not "{source}"; '
                "leave the source out"
            )
        if not architectures:
            raise ZcbenchError(
                f"the ensemble in {ensemble.folder} predicts those architectures that it is given: add --pool space "
                "or --architectures FILE"
            )
        remarks = replace(self.known, seeds={**self.remarks.seeds, ensemble.source: _PREDICTION})
        return TruthTable(ensemble.table(architectures), str(ensemble.folder), remarks=remarks)

    def _ensembles(self) -> dict[str, Path]:
        """Return the folders of the ensembles that are there, by source."""
        data = data_folder()
        if data is None:
            return {}
        folders = [data / name for name in MODEL_FOLDERS if (data / name).is_dir()]
        found = [entry for folder in folders for entry in sorted(folder.iterdir()) if is_ensemble(entry)]
        return {f"nb301-{entry.name}": entry for entry in reversed(found)}  # the first folder wins

    def _in_tables(self) -> tuple[str, ...]:
        paths = self._present()
        return TruthTable.from_parquets(paths).sources if paths else ()


NASBENCH301 = NasBench301(
    name="nasbench301",
    space=Space(),
    datasets=("cifar10",),
    default_sources=(*ENSEMBLES, logs.SOURCE, "naslib"),
    tables=("nasbench301.parquet", "nasbench301_surrogate.parquet"),
    converter=_Converter("nasbench301", logs=True),
    default_split="valid",
    remarks=REMARKS,
)
"""NAS-Bench-301: publications use the surrogate's prediction, which is of the validation accuracy."""


@dataclass(frozen=True, kw_only=True)
class Darts(TableBenchmark):
    """The trained architectures; what belongs to the surrogate benchmark is sent there."""

    def truth(
        self, *, source: str | None = None, path: Path | None = None, architectures: Sequence[str] | None = None
    ) -> TruthTable:
        """Load the ground truth; see `zcbench.datasets.tables.TableBenchmark.truth`."""
        if path is not None and path.is_dir():
            if is_ensemble(path) or next(path.rglob("surrogate_model.model"), None) is not None:
                raise ZcbenchError(
                    f"{path} is a surrogate ensemble, which is ground truth of nasbench301: give it with "
                    "--benchmark nasbench301"
                )
            if next(path.rglob(logs.PATTERN), None) is not None:
                raise ZcbenchError(
                    f"{path} holds training logs of nasbench301: convert them first (zcbench data convert nasbench301 "
                    f"{shlex.quote(str(path))} --out TABLE.parquet), and give the table with --benchmark nasbench301"
                )
        return TableBenchmark.truth(self, source=source, path=path, architectures=architectures)


DARTS = Darts(
    name="darts",
    space=DartsSpace(),
    datasets=("cifar10",),
    default_sources=("yang2020",),
    tables=("darts.parquet", "darts_trained.parquet"),
    converter=_Converter("darts", logs=False),
    remarks=DARTS_REMARKS,
)
"""The same search space with 214 real trainings of 600 epochs (Yang et al., ICLR 2020)."""
