"""Spaces of which every drawing counts."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from surronas.spaces.base import IntArray, SearchSpace

__all__ = ["as_drawn", "merges_drawings"]


class Drawn(SearchSpace):
    """What a class of spaces takes on to leave its drawings as they are: nothing is pruned, no two are isomorphic."""

    def prune(self, X: IntArray) -> IntArray:
        return X

    def key(self, X: Any) -> NDArray[Any]:
        return SearchSpace.key(self, X)

    def isomorphs(self, C: Any) -> tuple[IntArray, IntArray]:
        return SearchSpace.isomorphs(self, C)

    def to_spec(self) -> dict[str, Any]:
        return {**super().to_spec(), "as_drawn": True}

    def __reduce__(self) -> Any:
        return as_drawn, (_as(self, type(self).__bases__[1]),)

    def __repr__(self) -> str:
        return super().__repr__().replace(":", ", as drawn:", 1)


def as_drawn(space: SearchSpace) -> SearchSpace:
    """The space of a space's drawings.

    Most of what is measured of an architecture depends on what it computes, so that its canonical form says all. But
    a device spends its time on what a network executes, and frameworks execute parts that no path joins to the output.
    Latencies are functions of the drawing, and this is the space for them: the same genes, notations, graphs and
    costs, but ``canonical`` removes nothing except inactive genes and no two different genotypes are isomorphic.

    Returns
    -------
    SearchSpace
        ``space`` itself where its canonical form removes nothing and merges nothing.

    Examples
    --------
    >>> from surronas.spaces import get_space
    >>> space = get_space("nasbench201")
    >>> as_drawn(space).canonical([[3, 0, 0, 1, 0, 4]]), space.canonical([[3, 0, 0, 1, 0, 4]])
    (array([[3, 0, 0, 1, 0, 4]]), array([[0, 0, 0, 1, 0, 0]]))
    """
    if isinstance(space, Drawn) or not merges_drawings(space):
        return space
    kind = type(space)
    return _as(space, type(kind.__name__, (Drawn, kind), {"__module__": kind.__module__}))


def merges_drawings(space: SearchSpace) -> bool:
    """Whether different genotypes, inactive genes aside, can be one architecture."""
    return any(getattr(type(space), name) is not getattr(SearchSpace, name) for name in ("prune", "key", "isomorphs"))


def _as(space: SearchSpace, kind: type[SearchSpace]) -> SearchSpace:
    """The same space as of another class."""
    other = kind.__new__(kind)
    other.__dict__.update(space.__dict__)
    return other
