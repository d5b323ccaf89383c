"""Scores of architectures: each isomorphism class once, in parallel, remembered."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from joblib import delayed
from numpy.typing import NDArray

from surronas.exceptions import InvalidInputError, SurronasError
from surronas.parallel import check_n_jobs, stream
from surronas.proxies.batch import Batch, batch_of
from surronas.proxies.classes import same_network
from surronas.proxies.frame import frame_of, measured_of
from surronas.proxies.registry import Proxy, get_proxy, list_proxies
from surronas.spaces import SearchSpace, resolve_space

if TYPE_CHECKING:
    from surronas.datasets.images.data import ImageData
    from surronas.proxies.cache import Class, ScoreCache
    from surronas.proxies.measure import Measured

__all__ = ["CHEAP", "Scorer", "noise_scorer", "score"]

CHEAP = ("params", "madds", "layers", "l2_norm", "synflow", "nwot", "swap")

Bar = Callable[..., Iterable[Any]]
Networks = tuple[list["Class"], list[Callable[[], Any]], list[int]]


class Scorer:
    """Which proxies, on which images, from which seed: all that a score depends on besides the network.

    It remembers what it has scored. Parameters are those of ``score``.

    Attributes
    ----------
    proxies : tuple of str
        The columns of its frames.
    measured : tuple of str
        Those measured on one network alone: without aggregates, with their parts.
    batch : Batch
    """

    def __init__(
        self,
        proxies: str | Sequence[str] = "all",
        images: ImageData | Batch | tuple[Any, Any] | None = None,
        *,
        batch_size: int = 64,
        random_state: int = 0,
        n_jobs: int | None = None,
        cache: str | os.PathLike[str] | None = None,
        network_options: Mapping[str, Any] | None = None,
    ) -> None:
        for name, value, least in (("batch_size", batch_size, 2), ("random_state", random_state, 0)):
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not least <= value < 2**32:
                raise InvalidInputError(f"The '{name}' parameter must be an int of at least {least}. Got {value!r}.")
        check_n_jobs(n_jobs)
        self.proxies = _names(proxies)
        self.measured = measured_of(self.proxies)
        self.random_state = int(random_state)
        self.batch = batch_of(images, int(batch_size), self.random_state)
        self.n_jobs = n_jobs
        self.folder = None if cache is None else Path(cache)
        self.network_options = dict(network_options or {})
        self._caches: dict[str, ScoreCache] = {}

    def score(self, archs: Any, space: SearchSpace | str | None = None, *, progress: Bar | None = None) -> pd.DataFrame:
        """The scores of architectures of a space, or of networks; what the function ``score`` returns."""
        from surronas.proxies.cache import ScoreCache

        if space is None:
            networks, cache = self._own(archs), ScoreCache({}, None)
            row_of = np.arange(len(networks[0]))
        else:
            space = resolve_space(space)
            if not space.has_network:
                raise SurronasError(f"The space {space.name!r} defines no networks to score.")
            C = same_network(space, space.canonical(space.parse(archs)))
            _, first, row_of = np.unique(space.rank(C), return_index=True, return_inverse=True)
            networks, cache = self._built(space, C[first].tolist()), self._cache(space)
        self._measure(networks, cache, progress)
        info = {
            "batch": self.batch.info,
            "random_state": self.random_state,
            "network_options": self.network_options,
            "surronas": version("surronas"),
        }
        return frame_of(self.proxies, [cache.get(arch) for arch in networks[0]], row_of, info)

    def mean_seconds(self, space: SearchSpace) -> float:
        """What an architecture of the space takes, of those scored so far; NaN before the first."""
        return self._cache(space).mean_seconds()

    def to_state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """What ``from_state`` makes a scorer of the same scores of: JSON-able settings, and arrays."""
        state = {
            "proxies": list(self.proxies),
            "random_state": self.random_state,
            "network_options": self.network_options,
            "n_classes": self.batch.n_classes,
            "source": self.batch.source,
        }
        return state, {"images": self.batch.images, "labels": self.batch.labels}

    @classmethod
    def from_state(cls, state: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Scorer:
        batch = Batch(arrays["images"], arrays["labels"], state["n_classes"], state["source"])
        options = state["network_options"]
        return cls(state["proxies"], batch, random_state=state["random_state"], network_options=options)

    def _own(self, networks: Any) -> Networks:
        """A user's networks, each its own class."""
        import torch

        networks = list(networks) if isinstance(networks, Iterable) and not isinstance(networks, str) else [networks]
        for row, network in enumerate(networks):
            if not isinstance(network, torch.nn.Module):
                raise InvalidInputError(
                    "The 'archs' must be a list of torch.nn.Module where no 'space' is given. "
                    f"Got a {type(network).__name__} in row {row}."
                )
        rows = range(len(networks))
        return (
            [(row,) for row in rows],
            [partial(copy.deepcopy, network) for network in networks],
            [self.random_state for _ in rows],
        )

    def _built(self, space: SearchSpace, archs: list[list[int]]) -> Networks:
        """Those of a space; the seed of each follows from the architecture alone."""
        options = {**self.batch.network_options, **self.network_options}
        return (
            [tuple(arch) for arch in archs],
            [partial(space.build, arch, **options) for arch in archs],
            [int(np.random.SeedSequence([self.random_state, *arch]).generate_state(1)[0]) for arch in archs],
        )

    def _cache(self, space: SearchSpace) -> ScoreCache:
        from surronas.proxies.cache import ScoreCache

        context = {
            "space": space.to_spec(),
            "network_options": self.network_options,
            "batch": self.batch.info["sha256"],
            "shape": self.batch.info["shape"],
            "n_classes": self.batch.n_classes,
            "random_state": self.random_state,
            "surronas": version("surronas"),
        }
        key = json.dumps(context)
        if key not in self._caches:
            self._caches[key] = ScoreCache(context, self.folder)
        return self._caches[key]

    def _measure(self, networks: Networks, cache: ScoreCache, progress: Bar | None) -> None:
        """Fill the cache with what it lacks."""
        tasks = []
        for arch, make, seed in zip(*networks, strict=True):
            proxies = [get_proxy(name) for name in cache.missing(arch, self.measured)]
            if proxies:
                tasks.append(delayed(_one)(arch, make, self.batch.images, self.batch.labels, proxies, seed))
        if not tasks:
            return
        results = stream(tasks, self.n_jobs, mmap_mode="c")
        for arch, found in progress(results, total=len(tasks)) if progress else results:
            cache.add(arch, found)

    def __deepcopy__(self, memo: Any) -> Scorer:
        """Itself: nothing of it changes but what it remembers, which copies share."""
        return self

    def __repr__(self) -> str:
        return f"Scorer({', '.join(self.proxies)}; {len(self.batch.images)} images: {self.batch.source})"


@lru_cache
def noise_scorer(proxies: str | tuple[str, ...], n_jobs: int | None = None) -> Scorer:
    """On noise, by seed 0; one for all that ask, so that what one of them scored the others know."""
    return Scorer(proxies, n_jobs=n_jobs)


def score(
    archs: Any,
    space: SearchSpace | str | None = None,
    proxies: str | Sequence[str] = "all",
    images: ImageData | Batch | tuple[Any, Any] | None = None,
    *,
    batch_size: int = 64,
    random_state: int = 0,
    n_jobs: int | None = None,
    cache: str | os.PathLike[str] | None = None,
    network_options: Mapping[str, Any] | None = None,
    progress: Bar | None = None,
) -> pd.DataFrame:
    """Zero-cost proxies of untrained networks.

    Each architecture is brought to its canonical form, and each isomorphism class is scored once: on one network, built
    for the images' size, channels and classes and initialised from a seed that follows from ``random_state`` and the
    class. So isomorphic architectures have the same scores, which depend neither on the other rows nor on ``n_jobs``.

    Parameters
    ----------
    archs : n architectures in any form the space reads, or n networks
        Networks, ``torch.nn.Module``, are scored as they are, on copies.
    space : SearchSpace or str, optional
        One whose networks can be built; None where networks are given.
    proxies : str or sequence of str, default="all"
        ``"all"`` (but gennas, which trains), ``"cheap"`` (params, madds, layers, l2_norm, synflow, nwot, swap), or
        names of ``list_proxies()``.
        An aggregate ranks the rows that are given.
    images : ImageData, (images, labels) or None, default=None
        ``batch_size`` training images, drawn by seed, stratified by class, normalised; or a whole batch,
        (n, c, h, w) normalised floats with n labels from 0; or None: standard normal noise, 3x32x32, with random
        labels of 10 classes.
    batch_size : int, default=64
    random_state : int, default=0
        Of the draw of images, the networks' weights and what proxies draw.
    n_jobs : int, optional
        Networks scored at a time, in processes of one thread each; None takes it from ``joblib.parallel_config``,
        else 1.
    cache : path, optional
        A folder. What it knows, from whatever run, is not computed again; each network's scores are written as soon as
        they are there. Not for networks of one's own. None remembers nothing after the call.
    network_options : mapping, optional
        What else ``space.build`` is to know.
    progress : callable, optional
        Wraps the networks to do, as ``tqdm.tqdm`` and ``rich.progress.track`` do: called with an iterator and
        ``total``, it gives an iterator.

    Returns
    -------
    DataFrame of float64, a row an architecture, in the order given, a column a proxy
        NaN where a proxy failed. ``attrs``, JSON-able: ``"failures"``, a list of row, proxy and reason;
        ``"seconds"``, the mean for an architecture, and ``"seconds_of"``, by proxy, where a pass that several
        share is on the account of the first that asks for it, and ``"build"``; ``"info"``, the batch (with its
        sha256), the seed, the version.

    Raises
    ------
    InvalidInputError
        Naming the row that is no architecture of the space.
    UnknownNameError
        For an unknown proxy.
    SurronasError
        When the space defines no networks.

    Examples
    --------
    >>> from surronas.proxies import score
    >>> archs = ["8:8:8:8:8", "64:64:64:64:64"]
    >>> frame = score(archs, "nats_size", ["params", "nwot"], batch_size=8)
    >>> frame["params"].tolist()
    [11714.0, 713674.0]
    >>> frame.attrs["info"]["batch"]["source"]
    'standard normal noise with random labels'
    """
    scorer = Scorer(
        proxies,
        images,
        batch_size=batch_size,
        random_state=random_state,
        n_jobs=n_jobs,
        cache=cache,
        network_options=network_options,
    )
    return scorer.score(archs, space, progress=progress)


def _names(proxies: Any) -> tuple[str, ...]:
    """What the ``proxies`` parameter means; every name is known, none is there twice."""
    if isinstance(proxies, str):
        everything = [name for name in list_proxies() if not get_proxy(name).costly]
        proxies = {"all": everything, "cheap": CHEAP}.get(proxies, [proxies])
    names = tuple(proxies) if isinstance(proxies, Iterable) else ()
    if not names or len(set(names)) < len(names):
        raise InvalidInputError(
            f"The 'proxies' parameter must be 'all', 'cheap', or different names, at least one. Got {proxies!r}."
        )
    for name in names:
        get_proxy(name)
    return names


def _one(
    arch: Class,
    make: Callable[[], Any],
    images: NDArray[np.float32],
    labels: NDArray[np.int64],
    proxies: Sequence[Proxy],
    seed: int,
) -> tuple[Class, Measured]:
    """A worker's task."""
    import torch

    from surronas.proxies.measure import measure

    return arch, measure(make, torch.tensor(images), torch.tensor(labels), proxies, seed)
