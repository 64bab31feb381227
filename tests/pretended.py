"""A device that pretends to be a GPU: its tensors are refused beside others, its operations run on the CPU.

PyTorch lets a program bring a backend of its own, written in Python (``PrivateUse1``). Here it is one whose tensors
wrap tensors on the CPU, so that scores must be those of the CPU, and which writes down what a real GPU makes a program
wait for. Its second device cannot go backward: PyTorch counts one for such a backend. It is registered for a whole
process and for good: `install` belongs into a process of its own.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils import backend_registration
from torch.utils._python_dispatch import return_and_correct_aliasing
from torch.utils._pytree import tree_flatten, tree_map_only

NAME = "pretended"
CPU = torch.device("cpu")

WAITING = (
    "_local_scalar_dense", "is_nonzero", "item", "equal", "allclose", "nonzero", "masked_select", "_unique", "_unique2",
    "unique_dim", "unique_consecutive", "bincount", "repeat_interleave", "histc", "_linalg_eigh", "_linalg_svd",
    "linalg_eig", "linalg_eigvals", "linalg_lstsq",
)  # fmt: skip
"""Operations whose result or whose check for errors a CUDA device brings to the host, by PyTorch's documentation."""

EIGENVALUES, SINGULAR_VALUES = {"_linalg_eigh"}, {"_linalg_svd"}
WAITS = {
    **dict.fromkeys(("az_expressivity", "az_progressivity", "az_trainability"), EIGENVALUES | SINGULAR_VALUES),
    **dict.fromkeys(
        ("dextr", "jacov", "meco", "ntk_condition", "ntk_condition_coupled", "t_cet", "t_cet_snip", "te_nas_kappa",
         "vkdnw", "vkdnw_entropy"), EIGENVALUES,
    ),
}  # fmt: skip
"""The metrics whose passes a CUDA device interrupts, by name, and by what: PyTorch's decompositions look on the host
whether they converged. There are no others, and a metric that needs none any more must leave this list."""

UNREPEATABLE = (
    "_adaptive_avg_pool2d_backward", "_adaptive_avg_pool3d_backward", "adaptive_max_pool2d_backward",
    "avg_pool3d_backward", "fractional_max_pool2d_backward", "fractional_max_pool3d_backward", "max_unpool2d",
    "max_unpool3d", "upsample_linear1d_backward", "upsample_bilinear2d_backward", "upsample_bicubic2d_backward",
    "upsample_trilinear3d_backward", "reflection_pad1d_backward", "reflection_pad2d_backward",
    "reflection_pad3d_backward", "_ctc_loss_backward", "put_", "histc", "median", "nanmedian", "kthvalue",
    "grid_sampler_2d_backward", "grid_sampler_3d_backward", "_embedding_bag", "_cdist_backward", "resize_",
)  # fmt: skip
"""Operations that PyTorch refuses on CUDA where it is to be deterministic, as torch.use_deterministic_algorithms lists
them; some others it refuses in one form only."""


def repeats(func: Any, args: Any) -> bool:
    """Whether CUDA has a deterministic form of an operation, by that list."""
    name = func.overloadpacket.__name__
    if name in ("cumsum", "cumsum_"):
        return not args[0].is_floating_point()
    if name == "nll_loss2d_forward":  # reduced over the pixels or not
        return bool(args[3] == 0)
    return name not in UNREPEATABLE


COPIES = ("copy_", "_to_copy", "_copy_from")
INDEXING = ("index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index")


@dataclass
class Log:
    """What happened on the device.

    Attributes:
        waits: operations and transfers that make the program wait, and how often.
        unrepeatable: operations without a deterministic form.
        events: how many were recorded, by stream.
        calls: of functions of the device's module.
        limit: bytes of the largest tensor that there is room for.
        lost: whether the device has stopped working.
    """

    waits: Counter[str] = field(default_factory=Counter)
    unrepeatable: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    calls: list[str] = field(default_factory=list)
    limit: float = float("inf")
    lost: bool = False


LOG = Log()
_pinned: dict[int, Tensor] = {}
"""Copies in pinned memory by their address; kept, so that no address comes again."""


def clear() -> Log:
    """Forget what happened."""
    LOG.__init__()  # type: ignore[misc]
    return LOG


class Event:
    """A mark in a stream, as ``torch.cuda.Event``; here the stream is always done."""

    def __init__(self, *, enable_timing: bool = False) -> None:
        assert enable_timing
        self.time: float | None = None

    def record(self, stream: str) -> None:
        LOG.events[stream] += 1
        self.time = time.perf_counter()

    def elapsed_time(self, end: Event) -> float:
        assert self.time is not None
        assert end.time is not None
        return 1000 * (end.time - self.time)


class Module(backend_registration._DummyBackendModule):
    """What ``torch.cuda`` is to CUDA."""

    Event = Event

    def device_count(self) -> int:
        return 2

    def current_stream(self, device: torch.device) -> str:
        return f"stream of {torch.device(device)}"

    def synchronize(self, device: torch.device) -> None:
        LOG.calls.append(f"synchronize {device}")
        if LOG.lost:
            raise RuntimeError("CUDA error: an illegal memory access was encountered. Compile with TORCH_USE_CUDA_DSA")

    def empty_cache(self) -> None:
        LOG.calls.append("empty_cache")

    def get_device_name(self, device: torch.device) -> str:
        return "Pretended GPU"


class OnDevice(Tensor):
    """A tensor on the device, around one on the CPU."""

    inner: Tensor

    @staticmethod
    def __new__(cls, inner: Tensor, device: torch.device) -> OnDevice:
        _allocate(inner)
        made: OnDevice = torch.Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls, inner.shape, strides=inner.stride(), storage_offset=inner.storage_offset(), dtype=inner.dtype,
            device=device,
        )  # fmt: skip
        made.inner = inner
        return made

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        name = func.overloadpacket.__name__
        device = _checked(func, name, args, kwargs)
        if name in COPIES:
            _note_copy(name, args, kwargs)
        elif name in WAITING or (name in INDEXING and _chooses(args[1])):
            LOG.waits[name] += 1
        if not repeats(func, args):
            LOG.unrepeatable[name] += 1
        inner_args, inner_kwargs = tree_map_only(cls, lambda t: t.inner, (args, kwargs))
        to = inner_kwargs.get("device")
        if to is not None:
            inner_kwargs["device"] = CPU if torch.device(to).type == NAME else to
        out = func(*inner_args, **inner_kwargs)
        if to is not None and torch.device(to).type != NAME:
            return out
        if name == "copy_" and not isinstance(args[0], cls):
            return args[0]
        wrapped = tree_map_only(Tensor, lambda t: cls(t, device), out)
        return return_and_correct_aliasing(func, args, kwargs, wrapped)


def _allocate(inner: Tensor) -> None:
    wanted = inner.numel() * inner.element_size()
    if wanted > LOG.limit:
        raise torch.OutOfMemoryError(
            f"CUDA out of memory. Tried to allocate {wanted / 2**20:.2f} MiB. GPU 0 has a total capacity of 7.79 GiB "
            "of which 1.06 GiB is free. Including non-PyTorch memory, this process has 6.70 GiB memory in use. Of the "
            "allocated memory 6.25 GiB is allocated by PyTorch, and 300.00 MiB is reserved by PyTorch but unallocated. "
            "If reserved but unallocated memory is large try setting PYTORCH_ALLOC_CONF=expandable_segments:True"
        )


def _checked(func: Any, name: str, args: Any, kwargs: Any) -> torch.device:
    """Return the device of an operation, and refuse what a CUDA device refuses: tensors on several devices."""
    tensors = [t for t in tree_flatten((args, kwargs))[0] if isinstance(t, Tensor)]
    device = next(t.device for t in tensors if isinstance(t, OnDevice))
    if LOG.lost:
        raise RuntimeError("CUDA error: an illegal memory access was encountered. Compile with TORCH_USE_CUDA_DSA")
    scalars = torch.Tag.pointwise in func.tags
    for t in tensors:
        fits = t.device == device or (scalars and t.dim() == 0 and t.device == CPU)
        if not fits and name not in (*COPIES, *INDEXING):
            raise RuntimeError(
                f"Expected all tensors to be on the same device, but found at least two devices, {device} and "
                f"{t.device}! ({func})"
            )
    return device


def _note_copy(name: str, args: Any, kwargs: Any) -> None:
    if name == "_to_copy":
        to = kwargs.get("device")
        if to is not None and torch.device(to).type == "cpu":
            LOG.waits["to the host"] += 1
        return
    target, source = args[:2]
    if not isinstance(target, OnDevice):
        LOG.waits["to the host"] += 1
    elif not isinstance(source, OnDevice):
        _note_arrival(source, blocking=not (args[2] if len(args) > 2 else kwargs.get("non_blocking", False)))


def _note_arrival(source: Tensor, *, blocking: bool) -> None:
    if blocking:
        LOG.waits["to the device"] += 1
    elif source.untyped_storage().data_ptr() not in _pinned and source.numel():
        LOG.waits["to the device, not from pinned memory"] += 1


def _chooses(indices: Any) -> bool:
    """Whether an index is a mask, whose size the host must know, or must be brought over first."""
    return any(i is not None and (i.dtype in (torch.bool, torch.uint8) or i.device == CPU) for i in indices)


def _pin(tensor: Tensor) -> Tensor:
    copy = tensor.detach().clone()
    _pinned[copy.untyped_storage().data_ptr()] = copy
    return copy


def install() -> None:
    """Register the device for the rest of this process."""
    backend_registration._setup_privateuseone_for_python_backend(NAME, backend_module=Module())
    torch.Tensor.pin_memory = _pin  # type: ignore[method-assign, assignment]

    @torch.library.impl("aten::empty.memory_format", "PrivateUse1")
    def empty(size, dtype=None, layout=None, device=None, pin_memory=None, memory_format=None):  # type: ignore[no-untyped-def]
        how = memory_format or torch.contiguous_format
        return OnDevice(torch.empty(size, dtype=dtype, memory_format=how), _numbered(device))

    @torch.library.impl("aten::empty_strided", "PrivateUse1")
    def empty_strided(size, stride, dtype=None, layout=None, device=None, pin_memory=None):  # type: ignore[no-untyped-def]
        return OnDevice(torch.empty_strided(size, stride, dtype=dtype), _numbered(device))

    @torch.library.impl("aten::_efficientzerotensor", "PrivateUse1")
    def zero_tensor(size, dtype=None, layout=None, device=None, pin_memory=None):  # type: ignore[no-untyped-def]
        return OnDevice(torch.zeros(size, dtype=dtype), _numbered(device))

    @torch.library.impl("aten::_copy_from", "PrivateUse1")
    def copy_from(source, target, non_blocking=False):  # type: ignore[no-untyped-def]
        _note_arrival(source, blocking=not non_blocking)
        target.inner.copy_(source)
        return target


def _numbered(device: torch.device) -> torch.device:
    """Return the device with its number; there are two."""
    number = 0 if device.index is None else device.index
    if number > 1:
        raise RuntimeError("CUDA error: invalid device ordinal\nCUDA kernel errors might be asynchronously reported")
    return torch.device(NAME, number)
