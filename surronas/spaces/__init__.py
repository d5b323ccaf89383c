"""Search spaces. ``get_space(name)``, ``list_spaces()``, or ``SearchSpace([genes])`` for one's own."""

from __future__ import annotations

from typing import Any

from surronas.exceptions import InvalidFileError, InvalidInputError, UnknownNameError
from surronas.registry import Registry
from surronas.spaces.base import Gene, SearchSpace
from surronas.spaces.drawn import as_drawn
from surronas.spaces.graph import ArchGraph

__all__ = [
    "ArchGraph",
    "Gene",
    "SearchSpace",
    "as_drawn",
    "get_space",
    "list_spaces",
    "register_space",
    "resolve_space",
]

_spaces: Registry[type[SearchSpace]] = Registry("space", __name__)
register_space = _spaces.register
list_spaces = _spaces.names


def get_space(name: str) -> SearchSpace:
    """The registered search space of that name.

    Examples
    --------
    >>> get_space("nasbench201").size
    15625
    """
    return _spaces.get(name)()


def resolve_space(space: SearchSpace | str | None, archs: Any = None) -> SearchSpace:
    """A space from a space, a name, or (None) the integer array that the architectures are."""
    if isinstance(space, SearchSpace):
        return space
    if isinstance(space, str):
        return get_space(space)
    if space is None:
        return SearchSpace.from_array(archs)
    raise InvalidInputError(
        f"The 'space' parameter must be a SearchSpace, the name of one, or None. Got a {type(space).__name__} instead."
    )


def space_from_spec(spec: dict[str, Any]) -> SearchSpace:
    """The inverse of ``SearchSpace.to_spec``.

    Raises
    ------
    UnknownNameError
        When no space of that name is registered.
    InvalidFileError
        When it is no description, or describes no space that there can be.
    """
    try:
        if "name" in spec:
            space = _spaces.get(spec["name"])(**spec.get("parameters", {}))
            return as_drawn(space) if spec.get("as_drawn") else space
        return SearchSpace([Gene(**gene) for gene in spec["genes"]])
    except UnknownNameError:
        raise
    except Exception as error:  # a hostile description may break whatever reads it
        raise InvalidFileError(f"Not the description of a search space: {error!r}.") from error
