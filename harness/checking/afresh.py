"""A metric whose file is imported once more: nothing that it kept from earlier calls is there."""

from __future__ import annotations

import contextlib
import io
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from zcbench.harness.errors import ZcbenchError
from zcbench.harness.metric import Metric
from zcbench.harness.metric_file import from_function
from zcbench.harness.source_file import imported


@contextmanager
def afresh(metric: Metric) -> Iterator[Metric]:
    """Import the file of a metric a second time, under another module name, and give the metric of that module.

    Modules that lie beside the file are imported a second time as well, unless it belongs to a package or is
    installed. The modules that were there before are untouched. What the file prints is left out.

    Raises:
        ZcbenchError: in words that continue "it cannot be imported anew: ".
    """
    module, path, name = _place(metric)
    beside = _beside(path, module)
    loaded_name = f"{module}__afresh"
    there = set(sys.modules)
    try:
        for one in beside:
            del sys.modules[one]
        with contextlib.redirect_stdout(io.StringIO()):
            loaded = imported(loaded_name, path)
        yield _found(metric, loaded, name)
    finally:
        for one in [n for n in _beside(path, module) if n not in there] + [loaded_name]:
            sys.modules.pop(one, None)
        sys.modules.update(beside)


def _place(metric: Metric) -> tuple[str, Path, str]:
    """Return the module that has a metric, its file, and the metric's name there."""
    module = metric.function.__module__
    if metric.source is not None:
        return module, metric.source.path, metric.source.name
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None or module == "__main__":
        raise ZcbenchError("it is in no file that can be imported")
    return module, Path(file).resolve(), metric.function.__qualname__


def _beside(path: Path, module: str) -> dict[str, ModuleType]:
    """Return the loaded modules that lie in the folder of a user's own file."""
    installed = {Path(folder).resolve() for folder in sysconfig.get_paths().values()}
    if "." in module or path.parent in installed:
        return {}
    return {
        name: one for name, one in list(sys.modules.items())
        if "." not in name and name not in ("__main__", "conftest", module)
        and Path(getattr(one, "__file__", None) or "/").parent == path.parent
    }  # fmt: skip


def _found(metric: Metric, loaded: ModuleType, name: str) -> Metric:
    found = getattr(loaded, name, None)
    if not isinstance(found, Metric) and not callable(found):
        raise ZcbenchError(f"it is not at the top of {loaded.__file__}")
    made = found if isinstance(found, Metric) else from_function(found)
    return replace(made, source=metric.source, parameters=metric.parameters)
