"""MetaD2A: looks at images, and proposes architectures with predicted accuracies in seconds."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from torch import Tensor

from surronas.datasets.images import ImageData
from surronas.exceptions import (
    DataNotFoundError,
    InvalidFileError,
    InvalidInputError,
    SurronasWarning,
)
from surronas.meta.features import N_KEPT, N_PER_CLASS, draw_sets, image_features
from surronas.meta.generator import GraphGenerator
from surronas.meta.graphs import graph_code
from surronas.meta.latency import predicted_latencies
from surronas.meta.predictor import MetaPredictor
from surronas.meta.prior import MetaPrior
from surronas.meta.set_encoder import Sets
from surronas.meta.shipped import find_shipped
from surronas.meta.weights import load_networks, save_networks
from surronas.search.spread import evenly
from surronas.spaces.base import IntArray, RandomState, SearchSpace
from surronas.supernet.network import SuperNet
from surronas.supernet.pretrained import load_pretrained
from surronas.supernet.weights import fingerprint
from surronas.threads import single_thread

__all__ = ["MetaD2A"]

_LOOKS = 10  # draws of images of a data set, of which a prediction is the mean
_ROUND, _ROUNDS, _ENOUGH = 500, 12, 1000  # graphs written at once, how often at most, or until so many can be had
_LATENCY = "predicted_latency_ms"


class MetaD2A:
    """From a data set to architectures (Lee et al., 2021, arXiv:2107.00860), over a trained supernet.

    Parameters
    ----------
    space : SearchSpace
    supernet : SuperNet
        Whose subnets give the images' features.
    predictor : MetaPredictor
    generator : GraphGenerator
    card : mapping
        JSON-able; ``"supernet"`` is the supernet's name.
    task_vectors : (t, hidden) float32 tensor
        The set encoder's, of the tasks of the meta-database that it was trained on, in their order.

    Examples
    --------
    ``MetaD2A.load("mbconv").propose(sn.load_images("digits"), n=10, max_madds=2e7)``
    """

    log = False

    def __init__(
        self,
        space: SearchSpace,
        supernet: SuperNet,
        predictor: MetaPredictor,
        generator: GraphGenerator,
        card: Mapping[str, Any],
        task_vectors: Tensor,
    ) -> None:
        self.task_vectors = task_vectors
        self.space, self.supernet, self.card = space, supernet, dict(card)
        self.predictor, self.generator = predictor.eval(), generator.eval()
        self.code = graph_code(space)

    def __repr__(self) -> str:
        return f"MetaD2A(space {self.space.name!r}, supernet {self.card.get('supernet', '')!r})"

    @classmethod
    def load(cls, name: str | os.PathLike[str], supernet: SuperNet | None = None) -> MetaD2A:
        """A trained one.

        Parameters
        ----------
        name : str or path-like
            ``"mbconv"``, or a file that ``save`` or ``surronas meta train`` wrote.
        supernet : SuperNet, optional
            The one it was trained with; by default it is loaded by its name.

        Raises
        ------
        UnknownNameError, InvalidFileError
        InvalidInputError
            When the supernet has other weights than the one it was trained with.
        """
        path = find_shipped(name, ".safetensors", "trained MetaD2A")
        space, predictor, generator, vectors, card = load_networks(path)
        if supernet is None and not card.get("supernet"):
            raise InvalidFileError(f"{str(path)!r} names no supernet; give the one that it was trained with.")
        supernet = supernet or load_pretrained(card["supernet"])
        if card.get("fingerprint") != fingerprint(supernet):
            raise InvalidInputError(
                f"The 'supernet' has other weights than the one that {str(path)!r} was trained with."
            )
        return cls(space, supernet, predictor, generator, card, vectors)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a file that ``load`` reads: both networks and the card; the supernet has its own."""
        card = {**self.card, "fingerprint": fingerprint(self.supernet)}
        save_networks(path, self.space, self.predictor, self.generator, self.task_vectors, card)

    def look(self, images: ImageData, n: int = _LOOKS, random_state: RandomState = 0) -> Sets:
        """n looks at training images, 20 a class: what the networks take.

        Raises
        ------
        InvalidInputError
            When a class has no training image, or images are not square.
        """
        rng = check_random_state(random_state)
        features = image_features(self.supernet, images, N_KEPT, rng, n_jobs=-1)
        return Sets.of(list(draw_sets(features, n, N_PER_CLASS, rng)))

    @torch.no_grad()
    def vectors(self, sets: Sets) -> Tensor:
        """(n, hidden) float32: what the predictor's set encoder makes of n looks."""
        with single_thread():
            return self.predictor.sets(sets)  # type: ignore[no-any-return]

    def predict(self, archs: Any, images: ImageData | Sets) -> pd.DataFrame:
        """Accuracy of architectures with a classifier in closed form, without any label of theirs.

        Parameters
        ----------
        archs : n architectures in any form the space reads
        images : ImageData or Sets
            Or what ``look`` made of them.

        Returns
        -------
        DataFrame, one row an architecture
            ``score`` (of mean 0 and deviation 1 over random architectures: what ranks them), ``predicted_accuracy``
            (in %) and ``predicted_spread`` (its standard deviation over the looks, in points).
        """
        sets = self.look(images) if isinstance(images, ImageData) else images
        graphs = self.code.write(self.space.parse(archs))
        with single_thread():
            scores, accuracies = (self.predictor.predict(graphs, sets, scores=kind) for kind in (True, False))
        return pd.DataFrame(
            {
                "score": scores.mean(dim=1).double().numpy(),
                "predicted_accuracy": accuracies.mean(dim=1).double().numpy(),
                "predicted_spread": accuracies.std(dim=1, correction=0).double().numpy(),
            }
        )

    def propose(
        self,
        images: ImageData,
        n: int = 50,
        *,
        max_madds: float | None = None,
        max_latency_ms: float | None = None,
        random_state: int = 0,
    ) -> pd.DataFrame:
        """Architectures for a data set, best first.

        The generator writes graphs, 500 at a time; what is a valid architecture, new and within the bounds is scored by
        the predictor. Where bounds are so tight that it finds too few, their neighbours are tried.

        Parameters
        ----------
        images : ImageData
            Square; only the training split is looked at.
        n : int, default=50
        max_madds : float, optional
            Bound of the multiply-adds of one image.
        max_latency_ms : float, optional
            Bound of the latency of one image, as a surrogate of the shipped measurements predicts it.
        random_state : int, default=0

        Returns
        -------
        DataFrame, at most n rows, best first
            ``arch`` (as ``space.parse`` reads it), ``score``, ``predicted_accuracy``, ``predicted_spread``, ``params``,
            ``madds`` and, where the space has measured latencies, ``predicted_latency_ms`` and
            ``predicted_latency_64_ms``. ``attrs["generated"]``, ``attrs["valid"]`` and ``attrs["different"]`` count
            what the generator wrote.

        Raises
        ------
        InvalidInputError
            When no architecture was found within the bounds.
        DataNotFoundError
            When latency is bounded and the space has no measured latencies.
        """
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
            raise InvalidInputError(f"The 'n' parameter of propose must be a positive int. Got {n!r} instead.")
        sets = self.look(images, random_state=random_state)
        found, counts = self._generate(self.vectors(sets), n, max_madds, max_latency_ms, random_state)
        frame = pd.concat([self.predict(found, sets), self._costs(found, max_latency_ms is not None)], axis=1)
        best = np.argsort(-frame["score"].to_numpy(), kind="stable")[:n]
        frame = frame.iloc[best].reset_index(drop=True)
        frame.insert(0, "arch", self.space.format(found[best]))
        frame.attrs.update(counts)
        if len(frame) < n:
            warnings.warn(
                SurronasWarning(f"Only {len(frame)} of {n} architectures were found within the bounds."), stacklevel=2
            )
        return frame

    def design(self, images: ImageData | Sets, n: int, random_state: int = 0) -> IntArray:
        """Architectures for a search to begin with: the best at every size.

        The smallest, the largest, and between them proposals on the front of predicted score and multiply-adds, spread
        evenly along it; where one front has too few, those of the next are added.

        Parameters
        ----------
        images : ImageData or Sets
            Or what ``look`` made of them.
        n : int
        random_state : int, default=0

        Returns
        -------
        (at most n, n_genes) int64 canonical genotypes
        """
        space = self.space
        sets = self.look(images, random_state=random_state) if isinstance(images, ImageData) else images
        found, _ = self._generate(self.vectors(sets), n, None, None, random_state)
        score, madds = self.predict(found, sets)["score"].to_numpy(), space.cost(found)["madds"].to_numpy()
        order = np.lexsort((-score, madds))
        chosen = np.empty(0, dtype=np.int64)
        while len(chosen) < n and len(order):
            before = np.r_[-np.inf, np.maximum.accumulate(score[order])[:-1]]
            front = score[order] > before
            on_front, order = order[front], order[~front]
            chosen = np.r_[chosen, on_front[evenly(len(on_front), n - len(chosen))]]
        ends = space.canonical(np.stack([space.smallest(), space.largest()]))
        return space.unique(np.concatenate([ends, found[chosen]]))[:n]

    def prior(self, images: ImageData | None) -> MetaPrior:
        """What it thinks of architectures on these images, as an encoder: what ``fit_predictor(source=...)`` takes.

        Raises
        ------
        InvalidInputError
            Without images.
        """
        if images is None:
            raise InvalidInputError("A MetaD2A as 'source' must have the 'images' of the task. Got None.")
        return MetaPrior(self.predictor, self.vectors(self.look(images)), self.space)

    def _generate(
        self, of_sets: Tensor, n: int, max_madds: float | None, max_latency_ms: float | None, random_state: int
    ) -> tuple[IntArray, dict[str, int]]:
        """Different architectures within the bounds, as many as n where they are found, most often more."""
        generator = torch.Generator().manual_seed(random_state)
        per_look = -(-_ROUND // len(of_sets))
        found = np.empty((0, self.space.n_genes), dtype=np.int64)
        written, valid, different = 0, 0, found
        for _ in range(_ROUNDS):
            with single_thread():
                graphs = self.generator.sample(of_sets, per_look, generator)
            X, good = self.code.read(graphs)
            written, valid = written + len(X), valid + int(good.sum())
            different = self.space.unique(np.concatenate([different, X[good]]))
            found = different[self._within(different, max_madds, max_latency_ms)]
            if len(found) >= max(n, _ENOUGH):
                break
        ends = self.space.canonical(self.space.smallest()[None])
        around = found if len(found) else ends[self._within(ends, max_madds, max_latency_ms)]
        while len(found) < n and len(around):
            near = np.concatenate([found, around, *map(self.space.neighbours, around[:n])])
            near = self.space.unique(self.space.canonical(near))
            near = near[self._within(near, max_madds, max_latency_ms)]
            around = near[~np.isin(self.space.key(near), self.space.key(found))] if len(found) else near
            found = np.concatenate([found, around])
        if not len(found):
            raise InvalidInputError(
                f"No architecture of the space {self.space.name!r} was found with max_madds={max_madds} and "
                f"max_latency_ms={max_latency_ms}."
            )
        return found, {"generated": written, "valid": valid, "different": len(different)}

    def _within(self, X: IntArray, max_madds: float | None, max_latency_ms: float | None) -> NDArray[np.bool_]:
        inside = np.ones(len(X), dtype=bool)
        if not len(X):
            return inside
        if max_madds is not None:
            inside &= self.space.cost(X)["madds"].to_numpy() <= max_madds
        if max_latency_ms is not None:
            inside &= predicted_latencies(self.space, X)[_LATENCY].to_numpy() <= max_latency_ms
        return inside

    def _costs(self, X: IntArray, latency: bool) -> pd.DataFrame:
        costs = self.space.cost(X)[["params", "madds"]]
        try:
            return pd.concat([costs, predicted_latencies(self.space, X)], axis=1)
        except DataNotFoundError:
            if latency:
                raise
            return costs
