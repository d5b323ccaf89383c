"""What a search found: the archive, its front, and the files made of them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from surronas.datasets.images import Normalization
from surronas.exceptions import InvalidInputError
from surronas.io import remove_unfinished, write_atomic
from surronas.search.archive import Archive
from surronas.search.cascade import cascade, has_cascades, numbered
from surronas.search.evaluators import Evaluator, SubnetEvaluator
from surronas.search.report import render

__all__ = ["Result"]


@dataclass(frozen=True)
class Result:
    """What a search found.

    Attributes
    ----------
    archive : Archive
        All evaluated architectures: ``archs``, ``values``.
    decisions : list of dict
        How each batch was chosen, in order.
    seconds : mapping
        What a run has spent besides evaluations: ``"choosing"``, ``"adapting"``.
    evaluator : Evaluator, optional
    settings : mapping
        Of the search, its space and its evaluator.
    """

    archive: Archive
    decisions: list[dict[str, Any]]
    seconds: Mapping[str, float] = field(default_factory=dict)
    evaluator: Evaluator | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def front(self) -> Archive:
        """The Pareto-optimal feasible ones, by the first objective."""
        return self.archive.front()

    @cached_property
    def cascades(self) -> pd.DataFrame | None:
        """``cascade(self)``; None where it was not for their accuracy that subnets were found, or none was."""
        return cascade(self) if has_cascades(self) else None

    def to_frame(self) -> pd.DataFrame:
        """The front as a table.

        Returns
        -------
        DataFrame
            A row an architecture, by the first objective: ``arch`` as the space writes it, the objectives and other
            targets in their units, ``evaluation``, its number in the search, and the supernet's ``version``.
        """
        front, goals = self.front, self.archive.goals
        frame = goals.frame(front.values.to_numpy())
        others = [name for name in goals.targets if name not in {objective.target for objective in goals.objectives}]
        frame = pd.concat([frame, front.values[others]], axis=1)
        frame.insert(0, "arch", front.space.format(front.archs) if len(front) else [])
        return frame.assign(evaluation=self.archive.front_rows + 1, version=front.version)

    def to_csv(self, path: str | os.PathLike[str]) -> Path:
        """Write ``to_frame`` to a file."""
        write_atomic(path, self.to_frame().to_csv(index=False).encode())
        return Path(path)

    def to_html(self, path: str | os.PathLike[str]) -> Path:
        """Write a page that needs nothing but itself: the front, how it was found, what to be wary of."""
        write_atomic(path, render(self).encode())
        return Path(path)

    def save_subnets(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Write the front's networks, each with the weights and batch statistics that it was measured with.

        Parameters
        ----------
        folder : path-like
            Gets ``front-01.safetensors`` and so on, in the order of ``front``.

        Returns
        -------
        list of Path
            Files that ``load_supernet`` reads: a supernet that holds nothing larger, so that
            ``supernet.extract(supernet.largest)`` is the network, and ``supernet.inputs(images, supernet.largest)``
            what it takes. The card has architecture and values.

        Raises
        ------
        InvalidInputError
            When what was searched is no supernet.
        """
        from surronas.supernet.network import SuperNet
        from surronas.supernet.weights import save_supernet

        evaluator = self.evaluator
        if not isinstance(evaluator, SubnetEvaluator) or not isinstance(evaluator.supernet, SuperNet):
            raise InvalidInputError(f"Only a search of a supernet has networks to save. This one searched {evaluator}.")
        supernet, paths = evaluator.supernet, []
        normalization = Normalization(*(part.numpy().astype(np.float64) for part in (supernet.mean, supernet.std)))
        rows = self.to_frame().to_dict("records")
        for number, (x, row) in enumerate(zip(self.front.archs, rows, strict=True), start=1):
            network = evaluator.evaluator.extract(x)
            alone = SuperNet(
                supernet.space,
                evaluator.evaluator.n_classes,
                supernet.in_channels,
                normalization,
                largest=x,
            )
            alone.network.load_state_dict(network.state_dict())
            paths.append(Path(folder) / f"front-{number:02}.safetensors")
            card = {str(name): v.item() if isinstance(v, np.generic) else v for name, v in row.items()}
            save_supernet(paths[-1], alone, card)
        return paths

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write ``front.csv``, ``report.html`` and, of a supernet, ``cascades.csv`` and the networks.

        The networks are numbered from 1 on in the order of the front, and so are the members of cascades.

        Returns
        -------
        Path
            Of the page.
        """
        folder = Path(folder)
        for name in ("front.csv", "cascades.csv", "report.html"):
            remove_unfinished(folder / name)
        self.to_csv(folder / "front.csv")
        if isinstance(self.evaluator, SubnetEvaluator):
            for path in (folder / "subnets").glob("*front-*.safetensors*"):  # of a shorter run, or of a killed one
                path.unlink()
            self.save_subnets(folder / "subnets")
        if self.cascades is not None:
            write_atomic(folder / "cascades.csv", numbered(self.cascades).to_csv(index=False).encode())
        return self.to_html(folder / "report.html")
