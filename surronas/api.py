"""The front door."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from surronas.encoders import Encoder
from surronas.encoders.aggregate import Aggregate
from surronas.encoders.zero_cost import ZeroCost
from surronas.exceptions import InvalidInputError, SurronasWarning
from surronas.predictors import Predictor
from surronas.proxies.scorer import Scorer, noise_scorer
from surronas.selection import AdaptiveSwitching, Untrained, resolve_candidates
from surronas.selection.candidates import SOURCE
from surronas.selection.targets import check_targets
from surronas.spaces import SearchSpace, resolve_space
from surronas.spaces.base import RandomState
from surronas.surrogate import Surrogate
from surronas.transfer import Source, as_source

__all__ = ["fit_predictor"]


def fit_predictor(
    archs: Any = None,
    y: Any = None,
    *,
    space: SearchSpace | str | None = None,
    predictor: str | Predictor | Sequence[str | Predictor] = "auto",
    encoder: str | Sequence[str] = "auto",
    proxies: str | Sequence[str] | pd.DataFrame | Scorer | Encoder | None = None,
    source: Any = None,
    images: Any = None,
    random_state: RandomState = None,
    n_jobs: int | None = None,
    time_budget: float | None = None,
) -> Surrogate:
    """Fit the best surrogate for a search space.

    Parameters
    ----------
    archs : n architectures in any form the space reads
        Genotypes (n, n_genes), strings, dicts, ...; n >= 2. None, with ``y``, where nothing is measured yet: then the
        surrogate is untrained, and what it predicts orders the architectures of ``space`` by the ``source``, else by
        the ``proxies`` (``surronas.encoders.aggregate`` says how), else by parameters and multiply-adds.
    y : (n,) array of finite numbers
        What was measured: accuracy, latency, anything. Larger need not be better. A Series gives the surrogate's
        ``target`` its name.
    space : SearchSpace, str or None, default=None
        A space, the name of one, or None for the plain categorical space that an integer array spans.
    predictor : str, Predictor or sequence of them, default="auto"
        ``"auto"`` tries a portfolio; several are tried against each other; ``"encoder:predictor"`` fixes both.
    encoder : str or sequence of str, default="auto"
        Names from ``list_encoders()``; ``+`` joins several side by side.
    proxies : str, sequence of str, DataFrame, Scorer or Encoder, default=None
        Zero-cost proxies, which ``"auto"`` then also tries as features; what they cost is in ``selection_``.
        ``"cheap"``, ``"all"`` or names are computed on a batch of noise, a ``surronas.proxies.Scorer``'s on its
        images, for the architectures given here and for those predicted later. A DataFrame has known scores of
        both, a column a proxy, and the architectures as its index; what is not in it is missing. For known ones
        that are computed where they are missing, give ``get_encoder("zero_cost", proxies=scorer, scores=frame)``.
        ``"auto"`` also starts from their untrained aggregate, so that few labels need not say again what it knows; but
        not with a ``source``, which is a prior of its own. None: not used.
    source : BenchmarkTable, sequence of them, mapping of name to (archs, values), MetaD2A or MetaDatabase, optional
        What is known of the space's architectures on other tasks: data sets or devices. Of a table those targets count
        that are of the kind of ``y``'s name, without that one itself; ``surronas.transfer.SourceTasks`` says more, and
        made once serves many targets. ``"auto"`` then also tries candidates that learn from it, three labels or more.
        Those without it are tried as well, and the target's own labels say whom to believe. Where drawings of one
        architecture differ on the tasks, as latencies do, the surrogate's space is that of drawings
        (``surronas.spaces.as_drawn``), and where the tasks are best seen on a logarithmic scale, so is the target.
    images : ImageData, optional
        Of the task that ``y`` was measured on; with a ``MetaD2A`` or ``MetaDatabase`` as ``source`` only.
    random_state : int, RandomState or None, default=None
    n_jobs : int or None, default=None
        Candidates are tried in parallel through joblib; the result does not depend on it.
    time_budget : float or None, default=None
        Seconds for computing features and for trying and fitting candidates. Quick candidates are tried first, none is
        begun whose predicted end is too late, and ``selection_`` says of which. The quickest that can rank is fitted
        in any case. With a budget the surrogate depends on the machine's speed: only without one is it the same for
        the same ``random_state``.

    Returns
    -------
    Surrogate

    Raises
    ------
    InvalidInputError
        For an architecture that is none of the space, targets that are not finite, lengths that differ,
        one architecture, or none where a predictor or an encoder is asked for or nothing orders the space;
        for a time budget that is not positive.

    Examples
    --------
    >>> import surronas as sn
    >>> table = sn.load_benchmark("analog_nasbench")
    >>> train, test = table.split(n_train=50, random_state=0)
    >>> y = table.targets["baseline_accuracy"].to_numpy()
    >>> model = sn.fit_predictor(table.archs[train], y[train], space=table.space, random_state=0)
    >>> mean, std = model.predict(table.archs[test], return_std=True)
    >>> bool(sn.metrics.kendall_tau(y[test], mean) > 0.6)
    True

    Before the first label:

    >>> untrained = sn.fit_predictor(space=table.space)
    >>> bool(sn.metrics.kendall_tau(y, untrained.predict(table.archs)) > 0.4)
    True
    """
    if archs is None and y is None:
        if space is None:
            raise InvalidInputError("A 'space' must be given where there are no 'archs'. Got None.")
        archs, y = [], []
    space = resolve_space(space, archs)
    genotypes = space.parse(archs)
    untrained = not len(genotypes) and np.shape(y) == (0,) and (predictor, encoder) == ("auto", "auto")
    targets = None if untrained else check_targets(y, n=len(genotypes))
    repeated = len(genotypes) - len(np.unique(space.key(genotypes)))
    if repeated:
        warnings.warn(
            f"{repeated} of the {len(genotypes)} architectures in 'archs' repeat another one (isomorphic); "
            f"they share a fold in cross-validation.",
            SurronasWarning,
            stacklevel=2,
        )
    target = str(y.name) if isinstance(y, pd.Series) and y.name is not None else None
    known = None if source is None else as_source(source, space, target)
    given = given_encoders(proxies, known, images, space, n_jobs)
    space = space if known is None else known.space
    if targets is None:
        name = SOURCE if SOURCE in given else "aggregate"
        return Surrogate(space, Untrained(space, name, used_encoders(given, [name])), target)
    prior = next((name for name in (SOURCE, "aggregate") if name in given), None)
    candidates = resolve_candidates(predictor, encoder, space, "zero_cost" in given, prior, n=len(genotypes))
    given = used_encoders(given, [candidate.encoder for candidate in candidates])
    log = known is not None and known.log
    switching = AdaptiveSwitching(
        candidates,
        space,
        random_state=random_state,
        n_jobs=n_jobs,
        encoders=given,
        log=log,
        time_budget=time_budget,
    )
    return Surrogate(space, switching.fit(space.canonical(genotypes), targets), target)


def given_encoders(
    proxies: Any, source: Source | None, images: Any, space: SearchSpace, n_jobs: int | None
) -> dict[str, Encoder]:
    """The encoders with parameters of their own that the parameters of ``fit_predictor`` mean, by name."""
    given: dict[str, Encoder] = {} if proxies is None else {"zero_cost": proxy_encoder(proxies, space, n_jobs)}
    if source is not None:
        given[SOURCE] = source.prior(images)
    elif images is not None:
        raise InvalidInputError("The 'images' have no use without a 'source'.")
    elif isinstance(scores := given.get("zero_cost"), ZeroCost):
        given["aggregate"] = Aggregate(**scores.get_params())
    return given


def used_encoders(given: Mapping[str, Encoder], names: Sequence[str]) -> dict[str, Encoder]:
    """Those that some candidate has; an error names parameters that none has a use for."""
    parts = {part for name in names for part in name.split("+")}
    for kinds, parameters in (({"zero_cost", "aggregate"}, "'proxies'"), ({SOURCE}, "'source'")):
        if kinds & given.keys() and not kinds & given.keys() & parts:
            name = "zero_cost" if "zero_cost" in kinds else SOURCE
            raise InvalidInputError(f"The {parameters} have no use: {name!r} is in none of the encoders {list(names)}.")
    return {name: encoder for name, encoder in given.items() if name in parts}


def proxy_encoder(proxies: Any, space: SearchSpace, n_jobs: int | None) -> Encoder:
    """The encoder that the ``proxies`` parameter of ``fit_predictor`` means."""
    if isinstance(proxies, Encoder):
        return proxies
    if isinstance(proxies, pd.DataFrame):
        return ZeroCost(scores=proxies)
    if not space.has_network:
        raise InvalidInputError(
            f"The 'proxies' cannot be computed: the space {space.name!r} defines no networks. "
            "Give a DataFrame of known scores instead."
        )
    if isinstance(proxies, Scorer):
        return ZeroCost(proxies)
    names = tuple(proxies) if isinstance(proxies, Iterable) and not isinstance(proxies, str) else proxies
    return ZeroCost(noise_scorer(names, n_jobs))
