"""What differs on a GPU: copies that nobody waits for, memory that is given back, and why there was not enough.

Everything asks ``torch.get_device_module`` for the module of the device (``torch.cuda``), so that a device that only
pretends to be a GPU goes through the same lines (`tests/pretended.py`).
"""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from zcbench.harness.errors import ZcbenchError, unknown
from zcbench.harness.machine import LOCAL, Machine
from zcbench.harness.types import OUT_OF_MEMORY

Network = TypeVar("Network", bound=nn.Module)

DEVICES = ("cpu", "cuda")
"""Kinds of devices that scores are computed on."""

_WITHOUT_MEMORY_OF_THEIR_OWN = ("cpu", "meta")

_OTHER_WORDS = (
    "can't allocate memory", "not enough memory", "CUDA out of memory", "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED", "CUSOLVER_STATUS_ALLOC_FAILED",
)  # fmt: skip
"""Of PyTorch's CPU allocator and of the libraries that allocate past its CUDA allocator, which raise RuntimeError."""

_SIZE = r"(\d+(?:\.\d*)? (?:bytes|[KMGTP]i?B))"
_SAID = {
    "tried to allocate {}": (rf"[Tt]ried to allocate {_SIZE}", rf"[Uu]nable to allocate {_SIZE}"),
    "{} free": (rf"of which {_SIZE} is free", rf"; {_SIZE} free"),
    "{} in all": (rf"total capacity of {_SIZE}", rf"; {_SIZE} total capacity"),
    "{} held by PyTorch": (rf"{_SIZE} is allocated by PyTorch", rf"; {_SIZE} already allocated"),
    "{} reserved by it": (rf"{_SIZE} is reserved by PyTorch but unallocated",),
}
"""What an allocator's message says, by how it is said here; the second forms are those of other versions and NumPy."""


def usable_device(name: str) -> torch.device:
    """Return the device of this name.

    Raises:
        ZcbenchError: if it is neither a CPU nor a CUDA device, or is not there.
    """
    kind, _, number = name.partition(":")
    if kind not in DEVICES:
        raise unknown("device", name, DEVICES)
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = _there(kind, number) or " ".join(str(error).split()).partition(". ")[0][:120]
        raise ZcbenchError(f'device "{name}" cannot be used here ({reason}): try --device cpu') from error
    return device


def check_fast(machine: Machine) -> None:
    """Check that there is something to make fast.

    Raises:
        ZcbenchError: if this process computes on a CPU.
    """
    if machine.fast and machine.executor == LOCAL and not is_gpu(torch.device(machine.device)):
        raise ZcbenchError("--fast is for a GPU: on a CPU it would change nothing, leave it out")


def _there(kind: str, number: str) -> str:
    """Say which GPUs there are, if it is the number that is wrong."""
    count = 0 if kind == "cpu" else torch.get_device_module(kind).device_count()
    if not (count and number.isdigit() and int(number) >= count):
        return ""
    return f"there is {kind}:0 only" if count == 1 else f"there are {kind}:0 to {kind}:{count - 1}"


def device_name(device: torch.device) -> str:
    """Return what a device is called in the environment of a score."""
    return f"{device} ({module_of(device).get_device_name(device)})" if is_gpu(device) else str(device)


def is_gpu(device: torch.device) -> bool:
    """Whether a device has memory of its own and works while the program goes on."""
    return device.type not in _WITHOUT_MEMORY_OF_THEIR_OWN


def module_of(device: torch.device) -> Any:
    """Return the module of a GPU's kind: ``torch.cuda``."""
    return torch.get_device_module(device)


def moved(tensor: Tensor, device: torch.device) -> Tensor:
    """Copy a tensor from the CPU without waiting for what the device has still to do.

    A copy that does not come from pinned memory makes the program wait until the device has reached it.
    """
    if not is_gpu(device):
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def pinned(network: Network, device: torch.device) -> Network:
    """Put the weights and buffers of a network on the CPU into pinned memory, if a device is to fetch them there."""
    if not is_gpu(device):
        return network
    for tensor in itertools.chain(network.parameters(), network.buffers()):
        tensor.data = tensor.data.pin_memory()
    return network


class LostDeviceError(ZcbenchError):
    """A GPU does not work any more for this process, which an invalid memory access brings about."""


def release(device: torch.device) -> None:
    """Give back what a failed pass leaves behind: to this process's other passes, and to other processes.

    Raises:
        LostDeviceError: if the device does not work any more: all that follows in this process would fail.
    """
    if not is_gpu(device):
        return
    module = module_of(device)
    try:
        module.synchronize(device)
        module.empty_cache()
    except RuntimeError as error:
        why = " ".join(str(error).split()).partition(". ")[0][:120]
        raise LostDeviceError(f'device "{device}" has stopped working for this process ({why})') from error


def want_of_memory(error: BaseException) -> str | None:
    """Return ``oom`` with the numbers of the allocator, or None for another error.

    For example: ``oom: tried to allocate 2.50 GiB, 1.10 GiB free, 8.00 GiB in all``.
    """
    text = " ".join(str(error).split())
    if not (isinstance(error, torch.OutOfMemoryError | MemoryError) or any(words in text for words in _OTHER_WORDS)):
        return None
    matches = {said: (re.search(form, text) for form in forms) for said, forms in _SAID.items()}
    found = [
        said.format(match.group(1))
        for said, several in matches.items()
        if (match := next(filter(None, several), None))
    ]
    return ": ".join(filter(None, (OUT_OF_MEMORY, ", ".join(found))))


def described(device: torch.device, machine: Machine) -> dict[str, str]:
    """Describe a GPU and how exact it is, for the environment of scores; nothing on a CPU."""
    if not is_gpu(device):
        return {}
    return {
        "deterministic": "no" if machine.fast else "yes",
        "tf32": "yes" if machine.fast else "no",
        "cuda": str(torch.version.cuda or ""),
        "cudnn": str(torch.backends.cudnn.version() or ""),  # type: ignore[no-untyped-call]
        "driver": _driver(),
    }


def _driver(path: Path = Path("/proc/driver/nvidia/version")) -> str:
    """Return the version of NVIDIA's driver, ``550.54.15``; empty where the kernel does not say."""
    try:
        found = re.search(r"Kernel Module.*?(\d+(?:\.\d+)+)", path.read_text())
    except OSError:
        return ""
    return found.group(1) if found else ""
