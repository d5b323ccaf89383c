"""Names for parts: one ``Registry`` for each kind (space, encoder, predictor, benchmark).

A built-in part is one module of its package with one ``@register``; the registry finds it by
importing the package's modules on the first look-up. A third-party distribution adds parts
through the entry-point group ``surronas.<plural of the kind>``: the entry point names the object to register.
"""

from __future__ import annotations

import importlib
import pkgutil
import threading
import warnings
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Generic, TypeVar

from surronas.exceptions import InvalidInputError, SurronasWarning, UnknownNameError

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
        self._lock = threading.RLock()

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
        with self._lock:
            if self._loaded:
                return
            self._loaded = True  # at once: a part may look up another one while it is imported
            try:
                self._load_built_in()
                self._load_third_party()
            except BaseException:
                self._loaded = False
                raise

    def _load_built_in(self) -> None:
        package = importlib.import_module(self.package)
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{self.package}.{module.name}")

    def _load_third_party(self) -> None:
        plural = f"{self.kind[:-1]}ies" if self.kind.endswith("y") else f"{self.kind}s"
        for point in entry_points(group=f"surronas.{plural}"):
            try:
                part = point.load()
            except Exception as error:  # noqa: BLE001  a foreign package may fail in any way; the others still work
                owner = point.dist.name if point.dist else "an unnamed distribution"
                warnings.warn(
                    f"The {self.kind} {point.name!r} of {owner} cannot be loaded from {point.value!r}: {error!r}.",
                    SurronasWarning,
                    stacklevel=4,
                )
            else:
                self.register(point.name)(part)
