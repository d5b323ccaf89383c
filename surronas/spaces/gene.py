"""One decision of a search space."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

from surronas.exceptions import InvalidInputError

__all__ = ["Gene"]


@dataclass(frozen=True)
class Gene:
    """One categorical decision.

    Parameters
    ----------
    name : str
    choices : tuple
        The values the gene can take; a genotype stores the index into it.
    active_if : mapping of gene name to allowed choices, optional
        The gene is expressed only while every named (earlier, itself active) gene has one of the
        allowed choices. An inactive gene is 0 in the canonical genotype.
    ordered : bool, default=False
        The choices run from the cheapest to the dearest.
    """

    name: str
    choices: tuple[Hashable, ...]
    active_if: Mapping[str, tuple[Hashable, ...]] = field(default_factory=dict)
    ordered: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "choices", tuple(self.choices))
        object.__setattr__(self, "active_if", {name: tuple(values) for name, values in dict(self.active_if).items()})
        if not self.choices or len(set(self.choices)) != len(self.choices):
            raise InvalidInputError(
                f"The 'choices' of gene {self.name!r} must be distinct and at least one. Got {self.choices!r}."
            )
