"""Fitting a model by gradient steps that can stop anywhere and go on: checkpoints, early stopping, progress."""

from __future__ import annotations

import io
import json
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

from surronas.exceptions import InvalidFileError, InvalidInputError
from surronas.io import write_atomic
from surronas.meta.recipe import MetaRecipe
from surronas.threads import single_thread

__all__ = ["Fitting"]

_SECONDS = 60.0  # between checkpoints


class Fitting:
    """A model, what it minimises, and how well it did where it did not learn.

    What is random in a step must follow from the step's number, so that a checkpoint needs no random states, and a
    fitting that was stopped ends with the weights, bit for bit, of one that was not.

    Parameters
    ----------
    model : torch.nn.Module
        Fitted in place; it ends with the weights of the best score.
    loss : callable
        The number of a step -> scalar tensor.
    score : callable
        () -> float, the larger the better, on what is kept out.
    n_steps : int
        At most.
    learning_rate : float
        AdamW's peak: a rise over the first twentieth of the steps, then half a cosine to a hundredth.
    recipe : MetaRecipe
        ``every`` so many steps there is a score, and ``patience`` of them without a better one end it.

    Attributes
    ----------
    step : int
    record : list of (step, mean loss since the last score, score)
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Callable[[int], Tensor],
        score: Callable[[], float],
        n_steps: int,
        learning_rate: float,
        recipe: MetaRecipe,
    ) -> None:
        self.model, self.loss, self.score = model, loss, score
        self.n_steps, self.learning_rate, self.recipe = n_steps, learning_rate, recipe
        self.optimizer = torch.optim.AdamW(model.parameters(), learning_rate, weight_decay=1e-3)
        self.step = 0
        self.record: list[tuple[int, float, float]] = []
        self.best = _copy(model)

    @property
    def finished(self) -> bool:
        scores = [score for *_, score in self.record]
        stale = len(scores) - 1 - scores.index(max(scores)) if scores else 0
        return self.step >= self.n_steps or stale >= self.recipe.patience

    def run(self, path: Path | None, identity: Mapping[str, Any], name: str = "", progress: bool = False) -> None:
        """The steps that are left.

        Parameters
        ----------
        path : Path, optional
            Of the checkpoint, written about every minute and at the end; it is gone on from where it is there.
        identity : mapping
            JSON-able: all that the result depends on. A checkpoint of another fitting is refused.
        name : str
            Shown beside the progress.
        progress : bool

        Raises
        ------
        InvalidInputError
            When the checkpoint is of another fitting.
        InvalidFileError
            When it is damaged.
        """
        if path is not None and path.is_file():
            self._restore(path, identity)
        saved = time.monotonic()
        columns = (TextColumn(name), BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
        with Progress(*columns, disable=not progress) as bar, single_thread():
            shown = bar.add_task("", total=self.n_steps, completed=self.step)
            while not self.finished:
                self._advance()
                _, loss, score = self.record[-1]
                bar.update(shown, completed=self.step, description=f"loss {loss:.3f}  kept-out score {score:.3f}")
                if path is not None and (self.finished or time.monotonic() - saved > _SECONDS):
                    self._save(path, identity)
                    saved = time.monotonic()
        self.model.load_state_dict(self.best)
        self.model.eval()

    def _advance(self) -> None:
        """Steps up to the next score."""
        self.model.train()
        losses = []
        for _ in range(min(self.recipe.every, self.n_steps - self.step)):
            for group in self.optimizer.param_groups:
                group["lr"] = self.learning_rate * _schedule(self.step / self.n_steps)
            self.optimizer.zero_grad()
            loss = self.loss(self.step)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimizer.step()
            self.step += 1
            losses.append(float(loss.detach()))
        self.model.eval()
        with torch.no_grad():
            score = float(self.score())
        if all(score > before for *_, before in self.record):
            self.best = _copy(self.model)
        self.record.append((self.step, sum(losses) / len(losses), score))

    def _save(self, path: Path, identity: Mapping[str, Any]) -> None:
        state = {
            "identity": json.dumps(identity, sort_keys=True),
            "step": self.step,
            "record": self.record,
            "model": self.model.state_dict(),
            "best": self.best,
            "optimizer": self.optimizer.state_dict(),
        }
        buffer = io.BytesIO()
        torch.save(state, buffer)
        write_atomic(path, buffer.getvalue())

    def _restore(self, path: Path, identity: Mapping[str, Any]) -> None:
        try:
            state = torch.load(path, weights_only=True)
            there = json.loads(state["identity"])
        except Exception as error:  # what a damaged file raises depends on where the damage is
            raise InvalidFileError(
                f"The checkpoint {path} is damaged, or none of this library: {str(error).rstrip('.')}. Remove it to "
                "begin anew."
            ) from error
        here = json.loads(json.dumps(identity))
        differing = sorted(key for key in {*there, *here} if there.get(key) != here.get(key))
        if differing:
            raise InvalidInputError(
                f"The folder {path.parent} holds another training: it differs in {', '.join(differing)}. Go on with "
                "what it began with, or choose another folder."
            )
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.best, self.step = state["best"], state["step"]
        self.record = [tuple(row) for row in state["record"]]


def _copy(model: nn.Module) -> dict[str, Tensor]:
    return {name: part.detach().clone() for name, part in model.state_dict().items()}


def _schedule(done: float) -> float:
    return done / 0.05 + 0.01 if done < 0.05 else 0.01 + 0.99 * (1 + math.cos(math.pi * (done - 0.05) / 0.95)) / 2
