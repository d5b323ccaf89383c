"""Where the numbers of a benchmark come from: data, protocol, seeds, versions, machine."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from surronas.benchmark.protocol import Protocol
from surronas.command import command_line
from surronas.datasets.table import BenchmarkTable, Target
from surronas.encoders.zero_cost import ZeroCost

__all__ = ["provenance_of"]

_PACKAGES = ("surronas", "numpy", "scipy", "scikit-learn", "xgboost", "gpytorch", "torch", "joblib")


def provenance_of(
    table: BenchmarkTable,
    target: Target,
    test_target: Target,
    protocol: Protocol,
    random_state: int,
    proxies: ZeroCost | None = None,
) -> dict[str, Any]:
    """Everything a reader needs to trust or repeat a benchmark; JSON-able.

    Parameters
    ----------
    table : BenchmarkTable
        Of the rows that take part.
    proxies : ZeroCost, optional
        The scores that predictors may use.

    Returns
    -------
    dict
        ``measurement``: what fixes every cell's numbers, and so must agree when a journal is continued.
        ``table``: source, licence, citation and checksum. ``run``: when, where and with what.
    """
    return {
        "measurement": {
            "journal": 1,
            "table": table.name,
            "dataset": table.dataset,
            "content": _digest(table, target, test_target),
            "target": target.name,
            "test_target": test_target.name,
            "protocol": asdict(protocol),
            "random_state": random_state,
            "surronas": _version("surronas"),
            **({} if proxies is None else {"proxies": _digest_of_scores(proxies, table)}),
        },
        "table": asdict(table.info),
        "run": {
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": command_line(),
            "python": platform.python_version(),
            **{package: _version(package) for package in _PACKAGES},
            "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        },
    }


def _digest(table: BenchmarkTable, target: Target, test_target: Target) -> str:
    digest = hashlib.sha256(table.archs.tobytes())
    for name in (target.name, test_target.name):
        digest.update(table.targets[name].to_numpy().tobytes())
    return f"sha256:{digest.hexdigest()}"


def _digest_of_scores(proxies: ZeroCost, table: BenchmarkTable) -> str:
    state, arrays = proxies.to_state(table.space)
    digest = hashlib.sha256(json.dumps(state, sort_keys=True).encode())
    for name in sorted(arrays):
        digest.update(arrays[name].tobytes())
    return f"sha256:{digest.hexdigest()}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
