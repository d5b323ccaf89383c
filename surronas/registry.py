"""Names for parts: one ``Registry`` for each kind (space, encoder, predictor, benchmark).

A built-in part is one module of its package with one ``@register``; the registry finds it by
importing the package's modules on the first look-up. A third-party distribution adds parts
through the entry-point group ``surronas.<kind>s``: the entry point names the object to register.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Generic, TypeVar

from surronas.exceptions import InvalidInputError, UnknownNameError

__all__ = ["Registry"]

T = TypeVar("T")


class Registry(Generic[T]):
    """Parts of one kind by name.

    Parameters
    ----------
    kind : str
        What the parts are, as error messages say it: ``"predictor"``.
    package : str
        The package whose modules register the built-in parts.
    """

    def __init__(self, kind: str, package: str) -> None:
        self.kind = kind
        self.package = package
        self._parts: dict[str, T] = {}
        self._loaded = False

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator: register the part under ``name``. A second part of one name is refused."""

        def decorate(part: T) -> T:
            if self._parts.get(name, part) is not part:
                raise InvalidInputError(
                    f"The {self.kind} name {name!r} is taken by {self._parts[name]!r}; {part!r} needs another one."
                )
            self._parts[name] = part
            return part

        return decorate

    def names(self) -> list[str]:
        """Sorted names of all parts."""
        self._load()
        return sorted(self._parts)

    def get(self, name: str) -> T:
        """The part of that name.

        Raises
        ------
        UnknownNameError
            When there is none; the text offers the nearest known name.
        """
        self._load()
        if not isinstance(name, str) or name not in self._parts:
            raise UnknownNameError.of(self.kind, name, self._parts)
        return self._parts[name]

    def name_of(self, part: object) -> str | None:
        """The name a part is registered under, or None."""
        self._load()
        return next((name for name, registered in self._parts.items() if registered is part), None)

    def _load(self) -> None:
        if self._loaded:
            return
        self._loaded = True
        package = importlib.import_module(self.package)
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{self.package}.{module.name}")
        for point in entry_points(group=f"surronas.{self.kind}s"):
            self.register(point.name)(point.load())
