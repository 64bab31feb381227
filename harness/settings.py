"""What code can set for the whole program, seen and put back: no metric may change the scores of another."""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.nn.modules import batchnorm

from zcbench.harness.device import is_gpu
from zcbench.harness.machine import Machine

LAYERS = (
    nn.Module, nn.Conv2d, nn.ConvTranspose2d, nn.Linear, nn.BatchNorm2d, batchnorm._BatchNorm, nn.ReLU, nn.AvgPool2d,
    nn.MaxPool2d, nn.AdaptiveAvgPool2d, nn.Sequential, nn.Identity, nn.Dropout,
)  # fmt: skip
"""Layers of which networks are made; their ``forward`` can be replaced for all networks at once."""

_FUNCTIONS = (
    (functional, ("batch_norm", "conv2d", "cross_entropy", "linear", "relu")),
    (torch.autograd, ("backward", "grad")),
    (torch, ("manual_seed", "rand", "randn", "relu", "zeros")),
    (torch.Tensor, ("backward",)),
)
"""Functions that passes and initialisations call, by where they are looked up."""

WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"
DETERMINISTIC_WORKSPACES = (":4096:8", ":16:8")
"""With one of these cuBLAS repeats its results; PyTorch refuses matrix products otherwise."""

MIXED = "mixed"
"""How precise products are where a program has used both interfaces of PyTorch, which then refuses to say."""

Setting = tuple[Callable[[], Any], Callable[[Any], Any]]
"""How to read it, and how to set it."""


def _attribute(owner: Any, name: str) -> Setting:
    # As it stands in the class itself: bound and inherited functions compare unequal to what was set.
    return lambda: vars(owner).get(name), lambda value: _put(owner, name, value)


def _put(owner: Any, name: str, value: Any) -> None:
    if value is None:
        delattr(owner, name)
    else:
        setattr(owner, name, value)


def _attribute_of(owner: Any, name: str) -> Setting:
    return lambda: getattr(owner, name), lambda value: setattr(owner, name, value)


_FILLING = _attribute_of(torch.utils.deterministic, "fill_uninitialized_memory")


def _settings() -> dict[str, Setting]:
    backends = torch.backends
    found: dict[str, Setting] = {
        "torch's default dtype": (torch.get_default_dtype, torch.set_default_dtype),
        "torch's default device": (lambda: str(torch.get_default_device()), _put_device),
        "whether torch keeps gradients": (torch.is_grad_enabled, torch.set_grad_enabled),
        "torch's number of threads": (torch.get_num_threads, torch.set_num_threads),
        "torch's choice of deterministic algorithms": (
            torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms,
        ),
        "whether torch fills new memory": _FILLING,
        "the precision of matrix products": _precision(
            torch.get_float32_matmul_precision, torch.set_float32_matmul_precision
        ),
        "whether cuDNN is used": _attribute_of(backends.cudnn, "enabled"),
        "whether cuDNN tries algorithms out": _attribute_of(backends.cudnn, "benchmark"),
        "whether cuDNN is deterministic": _attribute_of(backends.cudnn, "deterministic"),
        "whether cuDNN uses TensorFloat-32": _precision(*_attribute_of(backends.cudnn, "allow_tf32")),
        "whether oneDNN is used": _attribute_of(backends.mkldnn, "enabled"),
    }  # fmt: skip
    found |= {f"the forward of every {kind.__name__}": _attribute(kind, "forward") for kind in LAYERS}
    found |= {"what calling a module does": _attribute(nn.Module, "__call__")}
    found |= {f"{owner.__name__}.{name}": _attribute(owner, name) for owner, names in _FUNCTIONS for name in names}
    return found


def _put_device(device: str) -> None:
    torch.set_default_device(None if device == "cpu" else device)


def _precision(read: Callable[[], Any], put: Callable[[Any], Any]) -> Setting:
    def tolerant() -> Any:
        try:
            return read()
        except RuntimeError:
            return MIXED

    def put_back(value: Any) -> None:
        if value != MIXED:
            put(value)

    return tolerant, put_back


_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""As in malloc.h of glibc."""

SETTINGS = _settings()
"""By what they are called in messages."""


@contextmanager
def kept() -> Iterator[list[str]]:
    """Put back what is set inside, also if it raises; give the names of what had to be put back, once it is over."""
    before = {name: read() for name, (read, _) in SETTINGS.items()}
    changed: list[str] = []
    try:
        yield changed
    finally:
        for name, value in before.items():
            read, put = SETTINGS[name]
            if read() != value:
                changed.append(name)
                put(value)


@contextmanager
def fixed(machine: Machine) -> Iterator[None]:
    """Fix what changes the last bits of a score, and put it back: the threads, and on a GPU how exact it is."""
    with kept():
        fix(machine)
        yield


def fix(machine: Machine) -> None:
    """Fix it for the rest of this process, which is a worker's.

    On a CPU that is the number of threads: there everything that passes use repeats. On a GPU an operation without a
    deterministic form raises, and so its metric fails and says which one, unless the machine is to be fast.
    """
    torch.set_num_threads(machine.threads)
    keep_memory()
    if not is_gpu(torch.device(machine.device)):
        return
    cudnn = torch.backends.cudnn
    cudnn.enabled, cudnn.benchmark, cudnn.deterministic = True, machine.fast, not machine.fast
    # The names that every supported PyTorch has; those of 2.9 (fp32_precision) must not be mixed with them.
    cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = machine.fast
    torch.use_deterministic_algorithms(not machine.fast)
    _FILLING[1](False)  # nothing reads memory before it is written
    # cuBLAS reads it when its first handle is made, which is why it is set even where nothing asks for it.
    if os.environ.get(WORKSPACE) not in DETERMINISTIC_WORKSPACES:
        os.environ[WORKSPACE] = DETERMINISTIC_WORKSPACES[0]


def keep_memory() -> None:
    """Let the C library keep what passes free instead of giving it back and taking it anew; it changes no bit.

    Otherwise the kernel clears every page of every pass again: 8 % of the time of the thirteen metrics of
    NAS-Bench-Suite-Zero on a cell. Nothing happens where the C library is not glibc.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, 32 << 20)  # the largest that it takes
        libc.mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1)
