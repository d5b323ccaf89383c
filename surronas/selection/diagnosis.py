"""How far a surrogate can be trusted, from its own held-out predictions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist, pdist, squareform
from sklearn.utils import check_random_state

from surronas.encoders import get_encoder
from surronas.encoders.features import encode, features, features_of_all
from surronas.predictors import get_predictor
from surronas.predictors.base import FloatArray, Predictor
from surronas.selection.candidates import SOURCE, Candidate
from surronas.selection.conformal import Conformal
from surronas.selection.rules import tau
from surronas.selection.switching import AdaptiveSwitching, HeldOut
from surronas.spaces.base import IntArray, RandomState

__all__ = ["Diagnosis", "diagnose"]

_COVERAGE = 0.9
_N_DRAWN, _NEAR = 1000, 0.95
_SHARES = (0.25, 0.5)
_LEAST_ROWS, _N_RESAMPLED = 16, 100


@dataclass(frozen=True)
class Diagnosis:
    """What ``Surrogate.diagnose`` found; printed, it is a short text.

    Attributes
    ----------
    frame : DataFrame
        A row a check, named by the index: ``value``, ``reference`` (what it is to be held against; NaN where nothing
        is) and ``finding``, a sentence.
    """

    frame: pd.DataFrame

    def __str__(self) -> str:
        return "\n".join(self.frame["finding"])


def diagnose(switching: AdaptiveSwitching, random_state: RandomState = 0) -> Diagnosis:
    """What ``Surrogate.diagnose`` says; its notes say what is measured."""
    held_out = switching.known_held_out()
    z = switching.targets_.scores
    rng = check_random_state(random_state)
    rows = [
        *_ranking(z, held_out),
        *_calibration(switching, held_out),
        *_reach(switching, held_out, rng),
        *_baselines(switching, held_out, rng),
        *_learning_curve(switching, held_out, rng),
    ]
    frame = pd.DataFrame(rows, columns=["check", "value", "reference", "finding"]).set_index("check")
    return Diagnosis(frame.astype({"value": float, "reference": float}))


Row = tuple[str, float, float, str]


def _ranking(z: FloatArray, held_out: HeldOut) -> list[Row]:
    value = tau(z, held_out.mean)
    return [("tau", value, np.nan, f"{len(z)} labels. Held out, they are ranked with Kendall's tau {value:.3f}.")]


def _calibration(switching: AdaptiveSwitching, held_out: HeldOut) -> list[Row]:
    """Coverage with the factor that the other folds' residuals give; and how much narrower than no knowledge."""
    z = switching.targets_.scores
    residuals = np.abs(z - held_out.mean) / held_out.std
    covered = np.zeros(len(z), dtype=bool)
    for k in np.unique(held_out.fold):
        own = held_out.fold == k
        if not own.all():
            others = Conformal(residuals[~own], held_out.mean[~own])
            covered[own] = residuals[own] <= others.factors(_COVERAGE, held_out.mean[own])
    error = float(np.sqrt(_COVERAGE * (1 - _COVERAGE) / len(z)))
    value = float(covered.mean())
    how = "too few" if value < _COVERAGE - 2 * error else "more than promised" if value > _COVERAGE + 2 * error else ""
    said = f"{how}: do not read them as 90 %" if how else f"as promised, within chance (± {2 * error:.2f})"
    rows: list[Row] = [
        ("coverage", value, _COVERAGE, f"90 % intervals hold {value:.1%} of held-out targets, {said}."),
    ]
    top = held_out.mean >= np.quantile(held_out.mean, 0.75)
    share = float(covered[top].mean())
    rows.append(
        ("coverage_top", share, _COVERAGE, f"Among the quarter predicted largest they hold {share:.1%}."),
    )
    half = switching.conformal_.factors(_COVERAGE, held_out.mean) * held_out.std
    ends = switching.targets_.ends
    width = float(np.mean(ends(held_out.mean + half) - ends(held_out.mean - half)))
    known = float(np.subtract(*np.quantile(switching.y_, [0.95, 0.05])))
    ratio = width / known if known > 0 else np.nan
    rows.append(
        (
            "sharpness",
            ratio,
            1.0,
            f"They are {width:.3g} wide on average, {ratio:.0%} of what 90 % of the labels span.",
        ),
    )
    return rows


def _reach(switching: AdaptiveSwitching, held_out: HeldOut, rng: np.random.RandomState) -> list[Row]:
    """How much of the space is farther from the nearest label than labels are from each other."""
    space = switching.space
    members = sorted(switching.members_, key=lambda member: -member[2])
    # A thousand networks are not built and scored for this.
    free = [c.encoder for c, _, _ in members if not switching.encoders_[c.encoder].seconds_ > 0]
    name = (free or ["one_hot"])[0]
    encoder = switching.encoders_[name] if free else encode(space, [name], held_out.archs)[name][0]
    drawn = space.representatives(space.canonical(space.sample(_N_DRAWN, rng, unique=False)))
    labelled, new = features(encoder, space.representatives(held_out.archs)), features(encoder, drawn)
    spread = np.concatenate([labelled, new]).std(axis=0)
    scale = np.where(spread > 1e-12, spread, 1.0)
    labelled, new = np.unique(labelled / scale, axis=0), new / scale
    among = squareform(pdist(labelled))
    np.fill_diagonal(among, np.inf)
    usual = float(np.quantile(among.min(axis=1), _NEAR)) if len(labelled) > 1 else np.nan
    share = float((cdist(new, labelled).min(axis=1) > usual * (1 + 1e-9)).mean())
    text = (
        f"{share:.1%} of {_N_DRAWN:,} architectures drawn from the space are farther from the nearest label (features "
        f"{name}) than 95 % of the labels are from theirs; about 5 % would be, were the labels drawn like them."
    )
    return [("beyond_labels", share, 1 - _NEAR, text)]


def _baselines(switching: AdaptiveSwitching, held_out: HeldOut, rng: np.random.RandomState) -> list[Row]:
    """Cheap ways on the same folds. As good as the blend: within 1.645 standard errors of the difference, or better."""
    z, space = switching.targets_.scores, switching.space
    ours = tau(z, held_out.mean)
    mistake, none = float(np.mean((z - held_out.mean) ** 2)), float(np.mean((z - _mean_of_others(z, held_out)) ** 2))
    explained = 1 - mistake / none if none > 0 else np.nan
    verdict = "the mean of the labels does as well" if not explained > 0 else "more than their mean does"
    rows: list[Row] = [("mean", explained, 0.0, f"{explained:.0%} of the held-out variance is explained: {verdict}.")]
    resampled = rng.randint(len(z), size=(_N_RESAMPLED, len(z)))
    for name, title, predicted in _cheap(switching, held_out):
        theirs = tau(z, predicted)
        gaps = [tau(z[i], held_out.mean[i]) - tau(z[i], predicted[i]) for i in resampled]
        error = float(np.nanstd(gaps)) if np.isfinite(gaps).any() else np.nan
        as_good = np.isnan(ours) or theirs >= ours - 1.645 * error
        verdict = "does about as well or better: use it, or more labels" if as_good else "does worse"
        rows.append((name, theirs, ours, f"{title} has tau {theirs:.3f} (± {error:.3f}) and {verdict}."))
    if len(rows) == 1:
        rows[0] = (*rows[0][:3], f"{rows[0][3]} The space {space.name!r} has no cost to compare with.")
    return rows


def _mean_of_others(z: FloatArray, held_out: HeldOut) -> FloatArray:
    out = np.zeros(len(z))
    for k in np.unique(held_out.fold):
        own = held_out.fold == k
        out[own] = z[~own].mean() if not own.all() else 0.0
    return out


def _cheap(switching: AdaptiveSwitching, held_out: HeldOut) -> list[tuple[str, str, FloatArray]]:
    """(check, title, predictions) of a line through the costs, and of what orders the space without labels."""
    space, z = switching.space, switching.targets_.scores
    found = []
    if space.has_cost:
        encoder, F = encode(space, ["cost"], held_out.archs)["cost"]
        line = Candidate("cost", get_predictor("linear"))
        predicted = np.zeros(len(z))
        for k in np.unique(held_out.fold):
            own = held_out.fold == k
            if (~own).sum() >= 2:
                predicted[own] = line.fit(F[~own], z[~own], encoder.blocks_, 0).predict(F[own])
        found.append(("cost_linear", "A line through parameters and multiply-adds", predicted))
    given = switching.encoders or {}
    if given.keys() & {SOURCE, "aggregate"} or space.has_cost:
        prior = get_encoder(SOURCE if SOURCE in given else "aggregate", given=given, space=space)
        order = features(prior.fit(held_out.archs), held_out.archs).mean(axis=1)
        way = -1 if (tau(z, order) or 0) < 0 else 1
        found.append(("untrained", f"What orders the space untrained{', reversed,' if way < 0 else ''}", way * order))
    return found


def _learning_curve(switching: AdaptiveSwitching, held_out: HeldOut, rng: np.random.RandomState) -> list[Row]:
    """The blend's tau with all, a quarter and a half of the other folds' rows, and how that goes on."""
    z = switching.targets_.scores
    if len(z) < _LEAST_ROWS:
        return [("learning", np.nan, np.nan, f"How more labels would help is not told from fewer than {_LEAST_ROWS}.")]
    sizes = [len(z) * (1 - 1 / len(np.unique(held_out.fold)))]
    taus = [tau(z, held_out.mean)]
    encoded = features_of_all(switching.encoders_, held_out.archs)
    for share in _SHARES:
        predicted, size = np.zeros(len(z)), 0.0
        for k in np.unique(held_out.fold):
            own, others = np.flatnonzero(held_out.fold == k), np.flatnonzero(held_out.fold != k)
            rows = rng.permutation(others)[: max(round(share * len(others)), 3)]
            size += len(rows) * len(own) / len(z)
            predicted[own] = _blend_of(switching, encoded, rows, own)
        sizes.append(size)
        taus.append(tau(z, predicted))
    if not np.isfinite(taus).all() or max(taus) >= 1:
        return [("learning", np.nan, np.nan, "With part of the labels it does not rank: no learning curve.")]
    b, tau_at = power_law(sizes, taus)
    now, double, fourfold = (tau_at(m * len(z)) for m in (1, 2, 4))
    if not b:
        return [("learning", double, now, "Fewer labels did as well: more of them would hardly help.")]
    text = (
        f"Twice the labels ({2 * len(z)}) should rank with tau {double:.3f}, four times with {fourfold:.3f}, against "
        f"{now:.3f} now, if 1 - tau goes on falling as n to the power of -{b:.2f}, as it did from {sizes[-2]:.0f} to "
        f"{sizes[0]:.0f} labels; noise in the labels ends that earlier."
    )
    return [("learning", double, now, text)]


def power_law(sizes: Sequence[float], taus: Sequence[float]) -> tuple[float, Callable[[float], float]]:
    """(b, tau at n labels) of 1 - tau = a * n ** -b: the slope by least squares of logarithms, never upwards, the level
    that of the first size, the largest."""
    slope = np.polyfit(np.log(sizes), np.log(1 - np.array(taus)), 1)[0]
    b = max(-float(slope), 0.0)
    return b, lambda n: float(1 - (1 - taus[0]) * (n / sizes[0]) ** -b)


def _blend_of(
    switching: AdaptiveSwitching, encoded: dict[str, FloatArray], rows: IntArray, new: IntArray
) -> FloatArray:
    """What the chosen members, fitted to some rows, say of others."""
    z, total = switching.targets_.scores, np.zeros(len(new))
    for candidate, model, weight in switching.members_:
        F = encoded[candidate.encoder]
        blocks: Any = switching.encoders_[candidate.encoder].blocks_
        part: Predictor = Candidate(candidate.encoder, model).fit(F[rows], z[rows], blocks, 0)
        total += weight * np.asarray(part.predict(F[new]))
    return total
