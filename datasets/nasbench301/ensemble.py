"""Surrogate ensembles of NAS-Bench-301: models that predict what a training would have given.

The folder of an ensemble, e.g. ``nb_models_1.0/xgb_v1.0``, has a folder for each member with
``surrogate_model.model`` (the model), ``model_config.json`` (its kind in ``model``) and
``data_config.json``. All members are of one kind:

=========================  ==============================================================
``xgb``, ``lgb``           boosted trees on the 56 numbers of `encoding`; percent
``xgb_time, lgb_time``     the same for the time of the training; seconds
``gnn_gin``                a graph network; percent
=========================  ==============================================================

The prediction is the mean over the members. The benchmark's own ``predict`` adds normal noise of the
members' spread by default, so that its answers differ from call to call; here there is none.

Source: Zela et al., "Surrogate NAS Benchmarks", ICLR 2022; package nasbench301 0.3, ``api.py``, ``ensemble.py``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from zcbench.datasets import unpickle
from zcbench.datasets.nasbench301.encoding import encode
from zcbench.datasets.nasbench301.genotype import Genotype, parse_genotype
from zcbench.datasets.tidy import TRUTH_COLUMNS
from zcbench.harness.errors import MissingFileError, ZcbenchError, did_you_mean

MODEL = "surrogate_model.model"
KINDS = ("xgb", "lgb", "xgb_time", "lgb_time", "gnn_gin")
"""Kinds of members that can be read."""

EPOCHS = 100
"""Length of the trainings that the surrogates predict (``T_max`` in the package's ``api.py``)."""


@dataclass(frozen=True, slots=True)
class Ensemble:
    """A folder of models.

    Attributes:
        folder: the folder.
        kind: one of `KINDS`.
        members: folders of the members, sorted.
        configs: their ``model_config.json``.
    """

    folder: Path
    kind: str
    members: tuple[Path, ...]
    configs: tuple[Mapping[str, Any], ...]

    @property
    def source(self) -> str:
        """The source that its predictions get: ``nb301-`` and the folder's name."""
        return f"nb301-{self.folder.resolve().name}"

    @property
    def metric(self) -> str:
        """What it predicts: ``accuracy`` or ``training_seconds``."""
        return "training_seconds" if self.kind.endswith("_time") else "accuracy"

    def predict(self, genotypes: Sequence[Genotype]) -> NDArray[np.float64]:
        """Return the mean prediction of each genotype [n]: a fraction, or seconds.

        Raises:
            UnsafeFileError: if a model file asks to run code.
            ZcbenchError: if one is damaged, or predicts what cannot be.
        """
        total = np.zeros(len(genotypes))
        for member, config in zip(self.members, self.configs, strict=True):
            total += _member(self.kind, member / MODEL, config, genotypes)
        mean = total / len(self.members)
        if self.metric == "training_seconds":
            return mean
        if not np.all((mean >= 0) & (mean <= 100)):
            raise ZcbenchError(f"cannot use {self.folder}: it predicts accuracies outside 0 to 100 percent")
        return mean / 100

    def table(self, architectures: Sequence[str]) -> pd.DataFrame:
        """Return the predictions in tidy form; architectures that occur twice are predicted once.

        Raises:
            UnsafeFileError: if a model file asks to run code.
            ZcbenchError: if a file is damaged, or a string is no genotype.
        """
        names = list(dict.fromkeys(architectures))
        values = self.predict([parse_genotype(name) for name in names])
        constant = ("cifar10", "valid", EPOCHS, -1, self.metric)
        rows = [(name, *constant, float(v), self.source, "surrogate") for name, v in zip(names, values, strict=True)]
        return pd.DataFrame(rows, columns=list(TRUTH_COLUMNS))


def is_ensemble(path: Path) -> bool:
    """Say whether a folder holds the models of an ensemble."""
    return path.is_dir() and next(path.rglob(f"*{MODEL}"), None) is not None


def open_ensemble(folder: Path) -> Ensemble:
    """Find the members of an ensemble; the models are read when they predict.

    Raises:
        MissingFileError: if there is no such folder.
        ZcbenchError: if it holds no models, models of several kinds, or of a kind that cannot be read.
    """
    if not folder.is_dir():
        raise MissingFileError(f"there is no folder {folder}")
    members = tuple(sorted(path.parent for path in folder.rglob(f"*{MODEL}")))
    if not members:
        raise ZcbenchError(f"cannot use the folder {folder}: no {MODEL} in it, so it is no ensemble of NAS-Bench-301")
    configs = tuple(_config(member) for member in members)
    kinds = sorted({str(config.get("model"))[:40] for config in configs})
    if len(kinds) > 1:
        raise ZcbenchError(
            f"cannot use the folder {folder}: it holds several ensembles ({', '.join(kinds)}); name the folder of one"
        )
    if kinds[0] not in KINDS:
        hint = did_you_mean(kinds[0], KINDS)
        raise ZcbenchError(f'cannot use {folder}: models of the kind "{kinds[0]}" cannot be read.{hint}')
    if any(config.get("param:bananas_enc") for config in configs):
        raise ZcbenchError(f"cannot use {folder}: its models take another encoding (param:bananas_enc)")
    return Ensemble(folder, kinds[0], members, configs)


def _config(member: Path) -> Mapping[str, Any]:
    path = member / "model_config.json"
    if not path.is_file():
        raise MissingFileError(f"there is no {path}, which says what kind of model {MODEL} is")
    config = unpickle.reading(str(path), lambda: json.loads(path.read_text(encoding="utf-8")))
    if not isinstance(config, dict):
        raise ZcbenchError(f"cannot use {path}: it is no description of a model")
    return config


def _member(kind: str, path: Path, config: Mapping[str, Any], genotypes: Sequence[Genotype]) -> NDArray[np.float64]:
    if not genotypes:
        return np.empty(0)
    if kind == "gnn_gin":
        from zcbench.datasets.nasbench301 import gin  # torch only when it is needed

        network = gin.read(path, config)
        return np.array(network.predict(genotypes))
    from zcbench.datasets.nasbench301 import lightgbm_file, xgboost_file

    forest = (xgboost_file if kind.startswith("xgb") else lightgbm_file).read(path)
    rows = np.stack([encode(genotype) for genotype in genotypes])
    return unpickle.reading(str(path), lambda: forest.predict(rows))
