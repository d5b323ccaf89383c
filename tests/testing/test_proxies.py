"""The kit catches proxies that break a promise."""

from __future__ import annotations

import pytest
import torch

from surronas.proxies import Aggregate, Proxy
from surronas.proxies.probe import NotApplicable
from surronas.testing import check_proxy


def norm(probe):
    """The norm of all weights."""
    return float(sum(part.detach().norm() for part in probe.weights.values()))


def of_no_network(probe):
    """Defined for nothing."""
    raise NotApplicable("it is not defined")


def without_reason(probe):
    """Not defined, without a word."""
    raise NotApplicable


def infinite(probe):
    """Too large for a float."""
    return float("inf")


def failing(probe):
    """Asks for what is not there."""
    return probe.weights["body.weight"].norm()


def by_chance(probe):
    """Of torch's own generator."""
    return float(torch.rand(()))


def by_state(probe):
    """Other before the first pass than after it."""
    return float("logits" in vars(probe))


def training(probe):
    """Makes a step."""
    with torch.no_grad():
        next(iter(probe.weights.values())).mul_(0.9)
    return 1.0


def backward(probe):
    """Leaves gradients."""
    probe.loss_of(slice(None)).backward()
    return 1.0


def evaluating(probe):
    """Leaves the network in evaluation mode."""
    probe.network.eval()
    return 1.0


def listening(probe):
    """Leaves a hook."""
    probe.network.register_forward_hook(lambda *_: None)
    return 1.0


def blurring(probe):
    """Changes the batch."""
    probe.images.mul_(0.5)
    return 1.0


def without_in_place(probe):
    """Minds how layers work."""
    return float(any(getattr(part, "inplace", False) for part in probe.network.modules()))


def undescribed(probe):
    return 1.0


def test_one_that_keeps_its_promises():
    check_proxy(Proxy("norm", norm))


@pytest.mark.parametrize(
    ("measure", "promise"),
    [
        (of_no_network, "one of the networks has a score"),
        (without_reason, "NotApplicable says why"),
        (infinite, "a score is finite"),
        (failing, r"a score or NotApplicable \(residual\), not KeyError"),
        (by_chance, "a second call gives the same score"),
        (by_state, "passes of others change nothing"),
        (training, "weights stay as they are"),
        (backward, "no gradient is left behind"),
        (evaluating, "training mode"),
        (listening, "no hook is left behind"),
        (blurring, "images stay as they are"),
        (without_in_place, "layers may work in place"),
        (undescribed, "'mine' says what it is"),
    ],
)
def test_broken_measures(measure, promise):
    with pytest.raises(AssertionError, match=promise):
        check_proxy(Proxy("mine", measure))


def worst(ranks):
    """The other way round."""
    return -ranks.sum(axis=1)


def flat(ranks):
    """The same for all."""
    return ranks.sum(axis=1) * 0


def of_place(ranks):
    """By their places among the rows."""
    return ranks.sum(axis=1) + ranks.index * 1e-3


def strict(ranks):
    """None for the worst."""
    return ranks.where(ranks > ranks.min()).sum(axis=1, skipna=False)


def total(ranks):
    """The sum of the ranks."""
    return ranks.sum(axis=1)


@pytest.mark.parametrize(
    ("rule", "parts", "promise"),
    [
        (worst, ("params", "madds"), "leads"),
        (flat, ("params", "madds"), "leads"),
        (of_place, ("params", "madds"), "another order"),
        (strict, ("params", "madds"), "finite"),
        (total, ("params",), "its parts are proxies"),
        (total, ("params", "az_nas"), "its parts are proxies"),
    ],
)
def test_broken_rules(rule, parts, promise):
    with pytest.raises(AssertionError, match=promise):
        check_proxy(Aggregate("mine", parts, rule))


def test_an_aggregate_that_does_not_rank():
    class Raw(Aggregate):
        def combine(self, frame):
            return frame[list(self.parts)].sum(axis=1, skipna=False).rename(self.name)

    with pytest.raises(AssertionError, match="only the ranks matter"):
        check_proxy(Raw("mine", ("params", "madds"), total))


def test_an_aggregate_keeps_its_promises():
    check_proxy(Aggregate("mine", ("params", "te_ntk"), total))
