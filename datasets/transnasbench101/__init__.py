"""TransNAS-Bench-101: its two search spaces, their networks for seven tasks, and what training them gave.

One trained network stands behind every value. The spaces are two benchmarks, whose tables come from one official
file (``zcbench data convert`` once for each) or from the tables that NASLib's authors published.
"""

from types import MappingProxyType

from zcbench.datasets.tables import EVERYTHING, TableBenchmark
from zcbench.datasets.transnasbench101.convert import OFFICIAL_SOURCE, convert_macro, convert_micro
from zcbench.datasets.transnasbench101.genotype import has_dead_cell_edge, is_connected_cell, parse_micro
from zcbench.datasets.transnasbench101.space import MacroSpace, MicroSpace
from zcbench.datasets.transnasbench101.tasks import TASKS
from zcbench.datasets.truth import Remarks
from zcbench.harness.space import Benchmark

__all__ = ["BENCHMARKS"]

_SOURCES = (OFFICIAL_SOURCE, "naslib")

_REMARKS = Remarks(
    seeds=dict.fromkeys(_SOURCES, "one training run"),
    notes={(source, "room_layout"): "minus the mean squared error" for source in _SOURCES},
)

_MICRO_POPULATIONS = MappingProxyType(
    {
        **EVERYTHING,
        "connected": lambda architecture: is_connected_cell(parse_micro(architecture.id)),
        "no_dead_edge": lambda architecture: not has_dead_cell_edge(parse_micro(architecture.id)),
    }
)

BENCHMARKS: tuple[Benchmark, ...] = (
    TableBenchmark(
        name="transnasbench101_micro",
        space=MicroSpace(),
        datasets=tuple(TASKS),
        default_sources=_SOURCES,
        tables=("transnasbench101_micro.parquet",),
        converter=convert_micro,
        default_split="valid",  # what NASLib and NAS-Bench-Suite-Zero use; official files have test too
        populations=_MICRO_POPULATIONS,
        remarks=_REMARKS,
    ),
    TableBenchmark(
        name="transnasbench101_macro",
        space=MacroSpace(),
        datasets=tuple(TASKS),
        default_sources=_SOURCES,
        tables=("transnasbench101_macro.parquet",),
        converter=convert_macro,
        default_split="valid",
        remarks=_REMARKS,
    ),
)
"""Both spaces, as the registry finds them."""
