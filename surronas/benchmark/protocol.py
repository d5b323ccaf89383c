"""What is trained on and what is tested on: published figures differ by up to 0.28 tau for this alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surronas.datasets.table import BenchmarkTable
from surronas.exceptions import InvalidInputError, UnknownNameError

__all__ = ["PROTOCOLS", "Protocol", "Split", "Splitter", "get_protocol"]

_LEAST_TEST_ROWS = 10


@dataclass(frozen=True)
class Protocol:
    """Which rows of a table take part, and which of them are tested on.

    Parameters
    ----------
    name : str
    rows : {"every", "canonical", "unique"}
        Every row; those whose genotype is canonical; the first row of each isomorphism class.
    test_on_training : bool, default=False
        Test on all rows that take part, training rows included, as some papers do; else on the rest.
    """

    name: str
    rows: str
    test_on_training: bool = False

    def restrict(self, table: BenchmarkTable) -> BenchmarkTable:
        """The table of the rows that take part."""
        if self.rows == "unique":
            return table.subset(np.sort(np.unique(table.space.key(table.archs), return_index=True)[1]))
        if self.rows == "canonical":
            return table.subset((table.space.canonical(table.archs) == table.archs).all(axis=1))
        return table

    def describe(self, n_rows: int, target: str, test_target: str) -> str:
        """The protocol in one sentence, for a table of ``n_rows`` rows that take part."""
        which = {
            "every": "architectures of the table",
            "canonical": "architectures without parts that cannot influence the output",
            "unique": "architectures, one of each isomorphism class",
        }[self.rows]
        measured = "that" if test_target == target else f"the {test_target}"
        tested = "all of them, the n trained on included" if self.test_on_training else "the rest"
        return (
            f"A predictor is trained on the {target} of n architectures, drawn at random from {n_rows:,} {which}, "
            f"and tested on {measured} of {tested}."
        )


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol("rest", rows="every"),
        Protocol("canonical", rows="canonical"),
        Protocol("unique", rows="unique"),
        Protocol("all", rows="every", test_on_training=True),
    )
}


def get_protocol(protocol: str | Protocol) -> Protocol:
    """A protocol by name: ``rest``, ``canonical``, ``unique`` or ``all``.

    Examples
    --------
    >>> get_protocol("all").describe(15625, "val_accuracy", "test_accuracy")[-74:]
    'and tested on the test_accuracy of all of them, the n trained on included.'
    """
    if isinstance(protocol, Protocol):
        return protocol
    if not isinstance(protocol, str) or protocol not in PROTOCOLS:
        raise UnknownNameError.of("protocol", protocol, PROTOCOLS)
    return PROTOCOLS[protocol]


@dataclass(frozen=True)
class Split:
    """Rows of one draw, and the seed that gave it."""

    train: NDArray[np.int64]
    test: NDArray[np.int64]
    seed: int


class Splitter:
    """Draws the splits; the same (n_train, repeat) gives every predictor the same rows.

    Parameters
    ----------
    table : BenchmarkTable
        Of the rows that take part.
    target, test_target : str
        Rows without the one are not trained on, rows without the other not tested on.
    test_on_training : bool
    random_state : int
    """

    def __init__(
        self, table: BenchmarkTable, target: str, test_target: str, test_on_training: bool, random_state: int
    ) -> None:
        self.trainable = np.flatnonzero(table.targets[target].notna())
        self.testable = np.flatnonzero(table.targets[test_target].notna())
        self.test_on_training = test_on_training
        self.random_state = random_state

    def split(self, n_train: int, repeat: int) -> Split:
        """The draw of that size and number; draws of different sizes are independent of each other."""
        seed = int(np.random.SeedSequence((self.random_state, n_train, repeat)).generate_state(1)[0] >> 1)
        train = np.random.default_rng(seed).permutation(self.trainable)[:n_train]
        return Split(train, self.testable if self.test_on_training else np.setdiff1d(self.testable, train), seed)

    def check(self, n_train: Any) -> int:
        """``n_train``, if so many rows can be trained on and enough are left to test on."""
        most = min(len(self.trainable), len(self.testable) - _LEAST_TEST_ROWS)
        if isinstance(n_train, bool) or not isinstance(n_train, (int, np.integer)) or not 2 <= n_train <= most:
            raise InvalidInputError(
                f"The 'n_train' parameter of evaluate must hold ints from 2 to {most}: of {len(self.trainable)} "
                f"architectures at least {_LEAST_TEST_ROWS} are kept for testing. Got {n_train!r} instead."
            )
        return int(n_train)
