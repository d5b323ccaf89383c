"""What a zero-cost proxy promises."""

from __future__ import annotations

from math import isclose, isfinite
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from surronas.proxies import Aggregate, Proxy, get_proxy
from surronas.testing.promises import require, same

if TYPE_CHECKING:
    from torch import nn

    from surronas.proxies.probe import Probe

__all__ = ["check_proxy"]

_IMAGES, _ROWS = 16, 12


def check_proxy(proxy: Proxy | Aggregate | str) -> None:
    """Assert that a proxy keeps its contract, on four small networks, or an aggregate its own, on made-up scores.

    A measure gives a finite number or raises ``NotApplicable`` with a reason; for one of the networks at least, a
    number. It is the same twice, after other proxies' passes, and where layers work in place. Afterwards weights,
    gradients, images, labels, mode and hooks are what they were.

    An aggregate has at least two parts, which are proxies. It depends on nothing but their ranks; what leads in all
    parts leads; what lacks one has no score; rows in another order have the same scores.
    """
    proxy = get_proxy(proxy) if isinstance(proxy, str) else proxy
    require(len(proxy.description) > 10, f"{proxy.name!r} says what it is")
    if isinstance(proxy, Aggregate):
        _check_aggregate(proxy)
    else:
        _check_measure(proxy)


def _check_measure(proxy: Proxy) -> None:
    import torch

    from surronas.testing.networks import networks

    scores = {}
    for kind in networks():
        of = _probe(networks()[kind])
        score = scores[kind] = _score(proxy, of, kind)
        _check_untouched(of, _probe(networks()[kind]), kind)
        torch.manual_seed(1)
        again = _score(proxy, of, kind)
        require(_equal(score, again), f"a second call gives the same score ({kind})")
        other = _probe(networks()[kind])
        _ = other.logits, other.gradients, other.jacobian
        require(_equal(score, _score(proxy, other, kind)), f"passes of others change nothing ({kind})")
    require(any(score is not None for score in scores.values()), "one of the networks has a score")
    require(_equal(scores["residual"], scores["residual, in place"]), "layers may work in place")


def _probe(network: nn.Module) -> Probe:
    import torch

    from surronas.proxies.probe import Probe
    from surronas.testing.networks import CLASSES, SIDE

    rng = torch.Generator().manual_seed(0)
    images = torch.randn(_IMAGES, 3, SIDE, SIDE, generator=rng, dtype=torch.float64)
    return Probe(network, images, torch.arange(_IMAGES) % CLASSES, seed=0)


def _score(proxy: Proxy, probe: Probe, kind: str) -> float | None:
    from surronas.proxies.probe import NotApplicable

    try:
        score = float(proxy.measure(probe))
    except NotApplicable as reason:
        require(bool(str(reason)), f"NotApplicable says why ({kind})")
        return None
    except Exception as error:
        raise AssertionError(f"Broken promise: a score or NotApplicable ({kind}), not {error!r}.") from error
    require(isfinite(score), f"a score is finite ({kind})")
    return score


def _check_untouched(used: Probe, fresh: Probe, kind: str) -> None:
    import torch

    was = dict(fresh.network.named_parameters())
    for name, part in used.network.named_parameters():
        require(torch.equal(part, was[name]) and part.requires_grad, f"weights stay as they are ({kind})")
        require(part.grad is None, f"no gradient is left behind ({kind})")
    same(used.images.numpy(), fresh.images.numpy(), f"images stay as they are ({kind})")
    same(used.labels.numpy(), fresh.labels.numpy(), f"labels stay as they are ({kind})")
    require(used.network.training, f"the network stays in training mode ({kind})")
    hooks = [part for part in used.network.modules() if part._forward_hooks or part._forward_pre_hooks]
    require(not hooks, f"no hook is left behind ({kind})")


def _equal(a: float | None, b: float | None) -> bool:
    return a is b if a is None or b is None else isclose(a, b, rel_tol=1e-6)


def _check_aggregate(aggregate: Aggregate) -> None:
    parts = [get_proxy(part) for part in aggregate.parts]
    require(len(parts) > 1 and not any(isinstance(part, Aggregate) for part in parts), "its parts are proxies")
    sign = pd.Series({part.name: 1 if part.maximize else -1 for part in parts})
    better = pd.DataFrame(np.random.default_rng(0).normal(size=(_ROWS, len(parts))), columns=list(sign.index))
    better.iloc[3] = 9.0
    frame = (better * sign).set_axis(range(7, 7 + _ROWS))
    scores = aggregate.combine(frame)
    require(scores.name == aggregate.name and scores.dtype == np.float64, "scores are float64, named by the aggregate")
    same(scores.index, frame.index, "scores have the index of the rows")
    require(bool(np.isfinite(scores).all()), "scores of rows with all parts are finite")
    require(scores.drop(frame.index[3]).max() < scores.iloc[3], "what leads in all parts leads")
    same(scores, aggregate.combine((better.apply(np.exp) * sign).set_axis(frame.index)), "only the ranks matter")
    order = np.random.default_rng(0).permutation(_ROWS)
    close = np.allclose(scores.iloc[order], aggregate.combine(frame.iloc[order]), rtol=1e-12)
    require(close, "rows in another order have the same scores")
    frame.iloc[0, 0] = np.nan
    require(aggregate.combine(frame).isna().tolist() == [True] + [False] * (_ROWS - 1), "a lacking part: no score")
