"""Trained supernets by name: ``load_pretrained("mbconv-cifar10")``. A supernet of one's own is ``load_supernet``'s."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from surronas.registry import Registry
from surronas.supernet.network import SuperNet
from surronas.supernet.weights import load_supernet

__all__ = ["find_pretrained", "list_pretrained", "load_pretrained", "register_pretrained"]

_pretrained: Registry[Callable[[], Path]] = Registry("supernet", __name__)
register_pretrained = _pretrained.register
list_pretrained = _pretrained.names


def load_pretrained(name: str) -> SuperNet:
    """A trained supernet, in evaluation mode.

    Parameters
    ----------
    name : str
        One of ``list_pretrained()``. Other distributions add theirs by the entry-point group ``surronas.supernets``:
        a function that takes nothing and returns the path of what ``save_supernet`` wrote.

    Raises
    ------
    UnknownNameError
        When there is no supernet of that name; the text offers the nearest one.
    InvalidFileError
        When its file is missing or damaged.
    """
    return load_supernet(find_pretrained(name))


def find_pretrained(name: str) -> Path:
    """The file of a trained supernet, whose card ``read_card`` reads.

    Raises
    ------
    UnknownNameError
        When there is no supernet of that name; the text offers the nearest one.
    """
    return _pretrained.get(name)()
