"""Benchmarks as the field spells them."""

_NAMES = {
    "nasbench101": ("NAS-Bench-101", "NB101"),
    "nasbench201": ("NAS-Bench-201", "NB201"),
    "nasbench301": ("NAS-Bench-301", "NB301"),
    "darts": ("DARTS", "DARTS"),
    "natsbench_size": ("NATS-Bench (size)", "NATS size"),
    "transnasbench101_micro": ("TransNAS-Bench-101 Micro", "TNB101 Micro"),
    "transnasbench101_macro": ("TransNAS-Bench-101 Macro", "TNB101 Macro"),
}


def benchmark_title(name: str) -> str:
    """Return a benchmark's name as the field spells it; that of a plug-in as it is."""
    return _NAMES.get(name, (name, name))[0]


def short_title(name: str) -> str:
    """Return the abbreviation of a benchmark's name, for headers; that of a plug-in as it is."""
    return _NAMES.get(name, (name, name))[1]
