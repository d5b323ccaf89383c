"""Some proxies of one network."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import isfinite
from time import perf_counter

import torch
from torch import Tensor, nn

from surronas.proxies.probe import NotApplicable, Probe
from surronas.proxies.registry import Proxy
from surronas.threads import single_thread

__all__ = ["Measured", "measure"]

_LONGEST = 300

_alone = threading.Lock()  # torch has one generator of random numbers for all threads


@dataclass(frozen=True)
class Measured:
    """What proxies say of a network.

    Attributes
    ----------
    scores : dict of str to float
        By proxy, finite; those that failed are not in it.
    reasons : dict of str to str
        Why the others failed.
    seconds : dict of str to float
        What each took, and ``"build"``. A pass that proxies share is on the account of the first that asks for it.
    """

    scores: dict[str, float] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, other: Measured) -> None:
        """Take over what another measurement of the network says."""
        self.scores.update(other.scores)
        self.reasons.update(other.reasons)
        self.seconds.update(other.seconds)


def measure(
    make: Callable[[], nn.Module], images: Tensor, labels: Tensor, proxies: Sequence[Proxy], seed: int
) -> Measured:
    """Build a network and score it, on one thread; whatever goes wrong is a reason, never an error.

    Parameters
    ----------
    make : callable
        Gives the network, freshly initialised by torch's global generator, which the seed sets and which is
        left as it was.
    images : (n, c, h, w) float
    labels : (n,) int64
    proxies : sequence of Proxy
    seed : int
    """
    found = Measured()
    with _alone, single_thread(), torch.random.fork_rng(devices=[]):
        began = perf_counter()
        torch.manual_seed(seed)
        try:
            probe = Probe(make(), images, labels, seed)
        except Exception as error:  # noqa: BLE001  a network may fail in any way; the others go on
            reason = f"the network cannot be built: {_reason(error)}"
            return Measured(reasons={proxy.name: reason for proxy in proxies})
        found.seconds["build"] = perf_counter() - began
        for proxy in proxies:
            began = perf_counter()
            torch.manual_seed(seed)  # a dropout then draws the same whoever makes a shared pass
            try:
                score = float(proxy.measure(probe))
            except Exception as error:  # noqa: BLE001
                found.reasons[proxy.name] = _reason(error)
            else:
                if isfinite(score):
                    found.scores[proxy.name] = score
                else:
                    found.reasons[proxy.name] = f"the score is {score}"
            found.seconds[proxy.name] = perf_counter() - began
    return found


def _reason(error: Exception) -> str:
    text = str(error) if isinstance(error, NotApplicable) else f"{type(error).__name__}: {error}"
    return " ".join(text.split())[:_LONGEST]
