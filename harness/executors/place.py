"""Where scores are computed, as it is recorded with them."""

from __future__ import annotations

import torch

from zcbench.harness.device import described, device_name
from zcbench.harness.environment import describe
from zcbench.harness.machine import Machine


def environment_of(machine: Machine) -> dict[str, str]:
    """Describe this process as the place where scores are computed: the machine below it, software and settings."""
    device = torch.device(machine.device)
    return {
        **describe(device=device_name(device), threads=machine.threads), "workers": str(machine.workers),
        **described(device, machine),
    }  # fmt: skip
