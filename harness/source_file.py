"""Python files that a user names on the command line: imported once for each content, with errors in one line."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
import traceback
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from zcbench.harness.errors import MissingFileError, ZcbenchError
from zcbench.harness.settings import kept

_DESCRIPTIVE = frozenset({"cite", "caveats"})
"""Arguments of ``@metric`` that are words for people."""


class Uncached(SourceFileLoader):
    """Compiles a file anew: bytecode is found by size and second, and a file may change twice within one."""

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002
        """Return the code of the file as it is now."""
        return self.source_to_code(self.get_data(self.path), self.path)


def module_of(path: Path) -> ModuleType:
    """Import a file; the same content is imported once.

    Its folder is on the search path while it is imported, so that it can import its neighbours.

    Raises:
        MissingFileError: if there is no such file.
        ZcbenchError: if it cannot be imported, with the line where that failed, or changes settings of PyTorch, which
            are put back.
    """
    path = path.resolve()
    name = f"zcbench_file_{path.stem}_{hashlib.sha256(str(path).encode() + _read(path)).hexdigest()[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    try:
        with kept() as changed:
            module = imported(name, path)
    except ZcbenchError as error:
        raise ZcbenchError(f"{path} cannot be imported: {error}") from error
    if changed:
        del sys.modules[name]
        raise ZcbenchError(
            f"{path} changes {' and '.join(changed)} when it is imported, and with it the scores of all metrics: "
            "leave that out"
        )
    return module


def imported(name: str, path: Path) -> ModuleType:
    """Import a file as a module of some name, whatever was imported from it before.

    Raises:
        ZcbenchError: if that fails; in words that continue "it cannot be imported: ", with the line.
    """
    loader = Uncached(name, str(path))
    spec = ModuleSpec(name, loader, origin=str(path))
    spec.has_location = True
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(path.parent))
    try:
        loader.exec_module(module)
    except (Exception, SystemExit) as error:  # a user's file may fail in any way
        sys.modules.pop(name, None)
        raise ZcbenchError(where(error, path)) from error
    finally:
        if str(path.parent) in sys.path:  # the file may have tidied up itself
            sys.path.remove(str(path.parent))
    return module


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise MissingFileError(f"there is no file {path}")
    return path.read_bytes()


def where(error: BaseException, path: Path) -> str:
    """Say in one line what went wrong and at which line of a file."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == path]
    line = error.lineno if isinstance(error, SyntaxError) else (lines[-1] if lines else None)
    text = error.msg if isinstance(error, SyntaxError) else " ".join(str(error).split())
    return f"{f'line {line}: ' if line else ''}{type(error).__name__}: {text}"


def code_digest(path: Path) -> str:
    """Return sixteen hexadecimal digits that identify the code of a file and of the neighbours that it imports.

    Comments, docstrings, formatting, citation and caveats do not count. Modules count that lie beside the file, and
    what these import beside it; installed packages do not.
    """
    total = hashlib.sha256()
    for tree in _trees(path).values():
        total.update(ast.unparse(tree).encode())
    return total.hexdigest()[:16]


def files_of(path: Path) -> list[Path]:
    """Return a file and the neighbours that it imports, and what these import beside it."""
    return list(_trees(path))


def _trees(path: Path) -> dict[Path, ast.Module]:
    waiting, seen = [path.resolve()], dict[Path, ast.Module]()
    while waiting:
        file = waiting.pop(0)
        if file not in seen:
            seen[file] = _tree(file)
            waiting += _neighbours(seen[file], path.resolve().parent)
    return seen


def _tree(path: Path) -> ast.Module:
    """Return the code of a file without what is for people."""
    try:
        tree = ast.parse(_read(path))
    except (SyntaxError, ValueError) as error:
        raise ZcbenchError(f"{path} cannot be imported: {where(error, path)}") from error
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            node.body = [child for child in node.body if not _is_text(child)] or [ast.Pass()]
        if isinstance(node, ast.Call):
            node.keywords = [k for k in node.keywords if k.arg not in _DESCRIPTIVE]
    return tree


def _neighbours(tree: ast.Module, folder: Path) -> list[Path]:
    """Return the files of a folder that some code imports by their names."""
    names: dict[str, None] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= dict.fromkeys(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= dict.fromkeys([node.module, *(f"{node.module}.{alias.name}" for alias in node.names)])
    paths = [folder.joinpath(*name.split(".")) for name in names]
    tried = [file for path in paths for file in (path.with_suffix(".py"), path / "__init__.py")]
    return [file for file in tried if file.is_file()]


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
