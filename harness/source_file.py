"""Python files that a user names on the command line: imported once for each content, with errors in one line."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType

from zcbench.harness.errors import MissingFileError, ZcbenchError
from zcbench.harness.settings import kept

_DESCRIPTIVE = frozenset({"cite", "caveats"})
"""Arguments of ``@metric`` that are words for people."""


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
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ZcbenchError(f"{path} is no Python file: name one that ends with .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(path.parent))
    try:
        with kept() as changed:
            spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # a user's file may fail in any way
        del sys.modules[name]
        raise ZcbenchError(f"{path} cannot be imported: {where(error, path)}") from error
    finally:
        if str(path.parent) in sys.path:  # the file may have tidied up itself
            sys.path.remove(str(path.parent))
    if changed:
        del sys.modules[name]
        raise ZcbenchError(
            f"{path} changes {' and '.join(changed)} when it is imported, and with it the scores of all metrics: "
            "leave that out"
        )
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
    """Return sixteen hexadecimal digits that identify the code of a file, not its layout.

    Comments, docstrings, formatting, citation and caveats do not count. What the file imports does not either.
    """
    try:
        tree = ast.parse(_read(path))
    except (SyntaxError, ValueError) as error:
        raise ZcbenchError(f"{path} cannot be imported: {where(error, path)}") from error
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            node.body = [child for child in node.body if not _is_text(child)] or [ast.Pass()]
        if isinstance(node, ast.Call):
            node.keywords = [k for k in node.keywords if k.arg not in _DESCRIPTIVE]
    return hashlib.sha256(ast.unparse(tree).encode()).hexdigest()[:16]


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
