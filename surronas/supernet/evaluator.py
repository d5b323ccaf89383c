"""What subnets of a supernet are worth: accuracy after recalibration, size, latency."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import pandas as pd
import torch
from joblib import delayed
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from torch import Tensor, nn

from surronas.datasets.images import ImageData
from surronas.datasets.images.splits import stratified_draw
from surronas.exceptions import InvalidInputError, SurronasWarning, UnknownNameError
from surronas.parallel import check_n_jobs, renewing_workers, stream
from surronas.spaces.base import IntArray, SearchSpace
from surronas.spaces.networks.folding import fold
from surronas.supernet.augment import crop_and_flip
from surronas.supernet.heads import HEADS
from surronas.supernet.images import prepare_images
from surronas.supernet.machine import has_bfloat16
from surronas.supernet.subnet import BATCH, Arrays, as_images, settle, subnet_accuracies
from surronas.threads import single_thread
from surronas.transfer.latency import Reference, Shape, bar, latency_columns, measure_latency

__all__ = ["SupernetEvaluator"]

_ACCURACIES = {"val_accuracy": "validation", "test_accuracy": "test"}
_COSTS = ("params", "madds")
_LATENCY = re.compile(r"latency(?:_([1-9]\d*))?_ms")
_KEPT = 8  # resolutions whose images are kept between calls


class Elastic(Protocol):
    """What an evaluator needs of a supernet; ``SuperNet`` has it."""

    @property
    def space(self) -> Any: ...
    @property
    def num_classes(self) -> int: ...
    @property
    def in_channels(self) -> int: ...
    def extract(self, x: Any) -> nn.Module: ...
    def inputs(self, images: Tensor, x: Any, dtype: torch.dtype = ...) -> Tensor: ...


class SupernetEvaluator:
    """Measures subnets: each is extracted, its batch norms recalibrated, and then tried on images it never saw.

    The images are fixed, stratified draws, the same for every subnet and every call; no image is in two splits. The
    calibration images come from the training split, each shifted once as in training: black borders are part of the
    statistics that trained weights know, and without them the shipped supernet's subnets lose two points. Test images
    are touched only when ``"test_accuracy"`` is among the targets. Nothing of the weights is kept between calls, so the
    supernet may go on learning; it is left untouched.

    Parameters
    ----------
    supernet : SuperNet
        Or anything with ``space`` (with ``parse``, ``cost`` and ``resolutions``), ``num_classes``, ``in_channels``,
        ``extract(x)``, which gives a module that owns its weights, and ``inputs(images, x, dtype)``, as ``SuperNet``
        has them. Architectures whose inputs agree in the first image must take the same inputs altogether.
    images : ImageData
        Square; made RGB and resized to the space's largest resolution as for training.
    targets : sequence of str
        Of ``"val_accuracy"`` and ``"test_accuracy"`` (top-1 in %), ``"params"``, ``"madds"``, and ``"latency_ms"``
        (milliseconds for one image), ``"latency_64_ms"`` (for a batch of 64; any other number too). ``measure_latency``
        says what is timed, and how.
    n_validation, n_test : int, optional
        How many images of the split to draw; all by default.
    n_calibration : int, default=2000
        Training images for the batch norms; all, where there are fewer.
    random_state : int, default=0
        Of the draws.
    n_jobs : int, optional
        Processes that measure accuracies, of one thread each; None takes it from ``joblib.parallel_config``, else 1.
        The numbers do not depend on it. Latencies are measured afterwards, one by one, in this process.
    head : {"ridge", "prototype"}, optional
        Replace each subnet's classifier by one in closed form, fitted to its features of the calibration images: for
        images of other classes than the supernet learnt.
    dtype : torch.dtype, optional
        What accuracies are computed in; bfloat16 where the CPU has it, else float32.

    Attributes
    ----------
    columns : list of str
        Of the frames: the targets, each latency followed by its spread (``"latency_spread_ms"``).
    info : dict
        What the numbers depend on: dtype, numbers of images, seed, threads.
    reference : Reference or None
        The network that latencies are corrected by, within and between calls: of those first measured the
        one of median multiply-adds.

    Raises
    ------
    InvalidInputError
        For a bad argument, or images whose classes are not the supernet's and no head.
    UnknownNameError
        For an unknown target or head.
    """

    def __init__(
        self,
        supernet: Elastic,
        images: ImageData,
        *,
        targets: Sequence[str] = ("val_accuracy", "test_accuracy", "params", "madds", "latency_ms"),
        n_validation: int | None = None,
        n_test: int | None = None,
        n_calibration: int = 2000,
        random_state: int = 0,
        n_jobs: int | None = None,
        head: str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        check_n_jobs(n_jobs)
        self.supernet, self.targets, self.n_jobs = supernet, tuple(targets), n_jobs
        self.columns = [column for target in self.targets for column in _columns_of(target)]
        if not self.targets or len(set(self.targets)) < len(self.targets):
            raise InvalidInputError(
                f"The 'targets' parameter of SupernetEvaluator must name different ones. Got {self.targets!r}."
            )
        if head is not None and head not in HEADS:
            raise UnknownNameError.of("head", head, HEADS)
        if head is None and images.n_classes != supernet.num_classes:
            raise InvalidInputError(
                f"The 'images' must be of the supernet's {supernet.num_classes} classes, or the 'head' parameter must "
                f"be given. Got images of {images.n_classes} classes."
            )
        self.head, self.n_classes = head, images.n_classes
        self.dtype = dtype or (torch.bfloat16 if has_bfloat16() else torch.float32)
        self.batch_sizes = [int(match[1] or 1) for match in map(_LATENCY.fullmatch, self.targets) if match]
        self.reference: Reference | None = None
        self._pixels: dict[str, Tensor] = {}
        self._labels: dict[str, IntArray] = {}
        self._inputs: dict[tuple[tuple[int, ...], bytes], Arrays] = {}
        n_train = len(images.indices["train"])
        sizes = {"train": min(n_calibration, n_train), "validation": n_validation, "test": n_test}
        self._draw(prepare_images(images, supernet.space), sizes, random_state)
        self.info = {
            "dtype": str(self.dtype).removeprefix("torch."),
            **{f"n_{split}": len(labels) for split, labels in self._labels.items()},
            "random_state": random_state,
            "threads": 1,
            "head": head,
            "torch": torch.__version__,
        }

    def evaluate(self, archs: Any, progress: bool = False) -> pd.DataFrame:
        """Measure architectures.

        Parameters
        ----------
        archs : whatever the space parses
        progress : bool, default=False
            Show bars: subnets done, time left.

        Returns
        -------
        DataFrame, one row an architecture, in the order given, with the columns ``columns``
            A network whose outputs are not finite has no accuracy: NaN, a warning names row and reason, and
            ``attrs["failures"]`` lists {"row", "reason"}.

        Raises
        ------
        InvalidInputError
            Naming the row that is no architecture of the space.
        """
        space: SearchSpace = self.supernet.space
        X = space.parse(archs)
        parts = []
        if self._accuracies:
            parts.append(self._measure_accuracies(X, progress))
        if any(target in _COSTS for target in self.targets):
            options = {"num_classes": self.n_classes, "in_channels": self.supernet.in_channels}
            parts.append(space.cost(X, **options))
        if self.batch_sizes:
            parts.append(self._measure_latencies(X, progress))
        failures = parts[0].attrs.get("failures", [])
        frame = pd.concat(parts, axis=1)[self.columns]
        frame.attrs["failures"] = failures
        return frame

    @torch.no_grad()
    def extract(self, x: Any) -> nn.Module:
        """The subnet as it is measured: a network of its own, recalibrated, with the head that it gets.

        Raises
        ------
        InvalidInputError
            When its batch statistics are not finite.
        """
        x = self.supernet.space.parse([x])[0]
        network = self.supernet.extract(x).eval()
        images = as_images(self._inputs_of(x)["calibration"], self.dtype)
        reason = settle(network, images, self._labels["calibration"], self.head, self.n_classes)
        if reason is not None:
            raise InvalidInputError(f"The subnet {self.supernet.space.format([x])[0]} cannot be used: {reason}.")
        return network

    @torch.no_grad()
    def logits(self, x: Any, split: str = "validation") -> tuple[NDArray[np.float32], IntArray]:
        """What the subnet, as it is measured, says of the images of a split that is among the targets.

        Its accuracy on them is exactly what ``evaluate`` gives.

        Returns
        -------
        logits : (n, n_classes) float32
        labels : (n,) int64
        """
        if split not in self._labels:
            raise UnknownNameError.of("split", split, self._labels)
        with single_thread():
            network, x = self.extract(x), self.supernet.space.parse([x])[0]
            fold(network)
            images = as_images(self._inputs_of(x)[split], self.dtype)
            outputs = [network(batch) for batch in images.split(BATCH)]  # type: ignore[no-untyped-call]
        return torch.cat(outputs).float().numpy(), self._labels[split]

    @property
    def _accuracies(self) -> list[str]:
        return [target for target in self.targets if target in _ACCURACIES]

    def _draw(self, images: ImageData, sizes: dict[str, int | None], random_state: int) -> None:
        """The images, each split by a generator of its own, so that one's size does not change another's draw."""
        for split in ("train", *(_ACCURACIES[target] for target in self._accuracies)):
            rows = images.indices[split]
            name = "calibration" if split == "train" else split
            size = len(rows) if sizes[split] is None else sizes[split]
            parameter = f"'n_{name}' parameter of SupernetEvaluator"
            chosen = stratified_draw(rows, images.labels, size, check_random_state(random_state), parameter)
            if not len(chosen):
                raise InvalidInputError(f"The {parameter} must leave at least one image. Got 0.")
            pixels = torch.from_numpy(images.images[chosen]).permute(0, 3, 1, 2)
            if split == "train":
                pixels = crop_and_flip(pixels, torch.Generator().manual_seed(random_state), flip=False)
            self._pixels[name] = pixels
            self._labels[name] = images.labels[chosen]

    def _measure_accuracies(self, X: IntArray, progress: bool) -> pd.DataFrame:
        frame = pd.DataFrame(np.nan, index=range(len(X)), columns=self._accuracies)
        failures = []
        with bar(progress) as shown, renewing_workers():
            task = shown.add_task("accuracy", total=len(X))
            for row, result in enumerate(stream(self._tasks(X), self.n_jobs, in_order=True, mmap_mode="c")):
                if isinstance(result, str):
                    failures.append({"row": row, "reason": result})
                    warnings.warn(SurronasWarning(f"Row {row} has no accuracy: {result}."), stacklevel=3)
                else:
                    frame.loc[row] = [result[_ACCURACIES[target]] for target in frame.columns]
                shown.advance(task)
        frame.attrs["failures"] = failures
        return frame

    def _tasks(self, X: IntArray) -> Iterator[Any]:
        for x in X:
            # Joblib asks for tasks in threads of its own. With a pool of OpenMP threads in each of them there are more
            # than cores, so that all sleep at every barrier: the training after it took 1.4 times as long.
            with single_thread():
                network, arrays = self.supernet.extract(x), self._inputs_of(x)
            yield delayed(subnet_accuracies)(network, arrays, self._labels, self.dtype, self.head, self.n_classes)

    def _first(self, x: NDArray[Any]) -> Tensor:
        return self.supernet.inputs(self._pixels["calibration"][:1], x, self.dtype)

    @torch.no_grad()
    def _inputs_of(self, x: NDArray[Any]) -> Arrays:
        """The images as the subnet takes them, made once for all subnets that take the same: arrays that joblib maps.

        They are (n, r, r, c) and, as numpy has no bfloat16, integers of their bits.
        """
        first = self._first(x)
        key = tuple(first.shape), first.float().numpy().tobytes()
        if key not in self._inputs:
            if len(self._inputs) >= _KEPT:
                del self._inputs[next(iter(self._inputs))]
            self._inputs[key] = {
                split: self.supernet.inputs(pixels, x, self.dtype)
                .permute(0, 2, 3, 1)
                .contiguous()
                .view(torch.int16 if self.dtype == torch.bfloat16 else self.dtype)
                .numpy()
                for split, pixels in self._pixels.items()
            }
        return self._inputs[key]

    def _measure_latencies(self, X: IntArray, progress: bool) -> pd.DataFrame:
        shapes: list[Shape] = [(c, h, w) for _, c, h, w in (self._first(x).shape for x in X)]
        if self.reference is None and len(X):
            middle = self.supernet.space.cost(X)["madds"].argsort().iloc[len(X) // 2]
            self.reference = Reference(self.supernet.extract(X[middle]), shapes[middle])
        networks = (self.supernet.extract(x) for x in X)
        return measure_latency(
            networks, self.batch_sizes, image_shapes=shapes, reference=self.reference, progress=progress
        )


def _columns_of(target: str) -> tuple[str, ...]:
    latency = _LATENCY.fullmatch(target)
    if latency:
        return latency_columns(int(latency[1] or 1))
    if target not in {*_ACCURACIES, *_COSTS}:
        raise UnknownNameError.of("target", target, [*_ACCURACIES, *_COSTS, "latency_ms", "latency_64_ms"])
    return (target,)
