"""The connection to a Ray cluster: found within seconds, or one line says why not; and nothing of Ray's own talk."""

from __future__ import annotations

import importlib
import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from zcbench.harness.environment import cores
from zcbench.harness.errors import ZcbenchError
from zcbench.harness.machine import Machine

LOCAL = "local"
"""The address of a cluster that is started for this run and ends with it."""

CONNECT_SECONDS = 5.0
"""An address that does not answer within it is no cluster: Ray itself would try for two minutes."""

LEAVE_SECONDS = 20.0
"""So long it takes leave of a cluster; one that was started here is ended meanwhile."""

STORE_BYTES = 100_000_000
"""Object store of a cluster that is started here: it holds one job."""

_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # no question, and nothing is sent
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # a warning about a default that is going to change
    # Ray ends a program whose cluster's head is silent for a minute; here that is decided, and said, by the executor.
    "RAY_gcs_rpc_server_reconnect_timeout_s": "86400",
}

_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
"""The connection preface of HTTP/2 (RFC 9113, section 3.4) with empty settings; gRPC, which Ray speaks, rests on it."""

_SETTINGS = 4
"""The type of the frame that an HTTP/2 server begins with; the fourth byte of it."""


def the_package() -> Any:
    """Return Ray, imported and told to be quiet.

    Raises:
        ZcbenchError: if it is not installed.
    """
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    try:
        ray = importlib.import_module("ray")
        worker: Any = importlib.import_module("ray._private.worker")
    except ImportError as error:
        raise ZcbenchError('--executor ray needs Ray: pip install "zcbench[ray]"') from error
    # What becomes of workers and nodes is said by the executor. Ray prints pages of its logs to standard output, and
    # has no option against it (2.60).
    if hasattr(worker, "print_to_stdstream"):
        worker.print_to_stdstream = lambda *_, **__: None
    return ray


@contextmanager
def connected(machine: Machine) -> Iterator[Any]:
    """Connect to the cluster of a machine, unless this process is connected already; give the package.

    Raises:
        ZcbenchError: if Ray is not installed, or there is no cluster.
    """
    ray = the_package()
    if ray.is_initialized():
        yield ray
        return
    asked = machine.address or os.environ.get("RAY_ADDRESS") or LOCAL
    address = _checked(asked)
    own: dict[str, Any] = {"num_cpus": cores(), "include_dashboard": False, "object_store_memory": STORE_BYTES}
    ending = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(
            address=address, logging_level=logging.CRITICAL, log_to_driver=False, **(own if address == LOCAL else {})
        )
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, ending)  # Ray would leave at once, where a run finishes its chunks
    except Exception as error:  # whatever Ray says, it is one line
        hint = "" if "RAY_AUTH_MODE" in os.environ else "; if it asks for a token, set RAY_AUTH_MODE=token here too"
        raise ZcbenchError(f"cannot join the Ray cluster {asked}: {_in_a_line(error)}{hint}") from error
    try:
        yield ray
    finally:
        # Without the head of the cluster Ray would wait for it.
        leaving = threading.Thread(target=ray.shutdown, daemon=True)
        leaving.start()
        leaving.join(LEAVE_SECONDS)


def answers(address: str, seconds: float = CONNECT_SECONDS) -> bool:
    """Say whether something that may be the head of a cluster answers at ``host:port``."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=seconds) as connection:
            if os.environ.get("RAY_USE_TLS", "0") not in ("0", ""):
                return True  # it will not talk to those who do not encrypt
            connection.sendall(_HELLO)
            frame = connection.recv(4)
    except (OSError, ValueError):
        return False
    return len(frame) == 4 and frame[3] == _SETTINGS


def _checked(asked: str) -> str:
    """Return the address in the form that Ray takes, after a look whether anything is there.

    Raises:
        ZcbenchError: if not, or if it is no address.
    """
    services = importlib.import_module("ray._private.services")
    if asked == LOCAL:
        return LOCAL
    if "://" in asked:
        raise ZcbenchError(
            f'"{asked}" is no address of a Ray cluster that this machine is part of: --address takes auto or host:port,'
            " such as 127.0.0.1:6379; run zcbench on a node of the cluster"
        )
    try:
        address: str | None = services.canonicalize_bootstrap_address(asked)
    except (ConnectionError, OSError, ValueError):
        address = None
    if address is None and asked == "auto":
        raise ZcbenchError(
            "no Ray cluster runs on this machine: start one with ray start --head, or give its --address"
        )
    if address is None:
        raise ZcbenchError(
            f'cannot read the address "{asked}": --address takes auto or host:port, such as 127.0.0.1:6379'
        )
    if not answers(address):
        raise ZcbenchError(
            f"no Ray cluster answers at {asked}: start one with ray start --head, which says its address"
        )
    return address


def _in_a_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else f"{text[:300]} ..."
