"""Reading foreign pickles and torch files without running anything that is in them.

A pickle is a program: it names functions and calls them. Here it may name only the makers in ``_MAKERS``
and the records its reader expects. Each maker is a class of this module that checks what it is given, or
an immutable built-in type, so a pickle can neither call nor alter anything else.
"""

from __future__ import annotations

import collections
import gc
import io
import math
import pickle
import re
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from surronas.exceptions import InvalidFileError

__all__ = ["Record", "load_pickle", "load_torch"]

_PLAIN = re.compile(r"[<>=|]?(\?|b1|[iufcSU][1-9]\d*)")


class Record:
    """What an object of a foreign class becomes: nothing but its state."""

    __slots__ = ("state",)
    state: Any

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Inert:
    """A maker. Having ``__setstate__`` keeps a pickle from assigning attributes to the class itself."""

    __slots__ = ()

    def __setstate__(self, state: Any) -> None:
        raise InvalidFileError("The pickle sets the state of something that has none.")


class _DType(_Inert):
    """A dtype of numbers or fixed-width strings. Never numpy's own until a value is made with it."""

    __slots__ = ("code",)

    def __init__(self, code: str, align: Any = False, copy: Any = True) -> None:
        if not isinstance(code, str) or not _PLAIN.fullmatch(code):
            raise InvalidFileError(f"The pickle has an array of dtype {code!r:.80}, which is no number or string.")
        self.code = code.lstrip("<>=|")

    def __setstate__(self, state: Any) -> None:
        _, order, subarray, names, fields, *_ = state
        if order not in ("<", ">", "|", "=") or (subarray, names, fields) != (None, None, None):
            raise InvalidFileError(f"The pickle has a structured dtype, {state!r:.80}, which is no number or string.")
        self.code = order + self.code

    def make(self) -> np.dtype[Any]:
        return np.dtype(self.code)


class _NDArray(_Inert):
    """Stands for the class ``numpy.ndarray``, and is never made."""

    def __new__(cls, *args: Any) -> _NDArray:
        raise InvalidFileError("The pickle makes a numpy array in an unknown way.")


class _Array(np.ndarray[Any, Any]):
    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, fortran, data = state
        if not isinstance(dtype, _DType) or not isinstance(data, bytes) or not _holds(shape, dtype, data):
            raise InvalidFileError("The pickle has a numpy array whose content is not plain numbers or strings.")
        super().__setstate__((1, shape, dtype.make(), bool(fortran), data))  # type: ignore[arg-type]


class _Reconstruct(_Inert):
    """``numpy.core.multiarray._reconstruct``: an empty array that awaits its state."""

    def __new__(cls, kind: Any, shape: Any, typecode: Any) -> Any:
        if kind is not _NDArray:
            raise InvalidFileError("The pickle makes a numpy array of an unknown kind.")
        return np.ndarray.__new__(_Array, (0,), np.int8)


class _FromBuffer(_Inert):
    """``numpy.core.numeric._frombuffer``: arrays of protocol 5."""

    def __new__(cls, data: Any, dtype: Any, shape: Any, order: Any, axes: Any = None) -> Any:
        if not isinstance(dtype, _DType) or not isinstance(data, (bytes, bytearray)) or axes is not None:
            raise InvalidFileError("The pickle has a numpy array whose content is not plain numbers or strings.")
        if not _holds(shape, dtype, data) or order not in ("C", "F"):
            raise InvalidFileError("The pickle has a numpy array whose shape does not fit its content.")
        return np.frombuffer(data, dtype.make()).reshape(shape, order=order)


class _Scalar(_Inert):
    """``numpy.core.multiarray.scalar``."""

    def __new__(cls, dtype: Any, data: Any) -> Any:
        if not isinstance(dtype, _DType) or not isinstance(data, bytes) or not _holds((), dtype, data):
            raise InvalidFileError("The pickle has a numpy scalar that is no plain number or string.")
        return np.frombuffer(data, dtype.make())[0]


class _Encode(_Inert):
    """``_codecs.encode``: how protocol 2 writes bytes."""

    def __new__(cls, text: Any, encoding: Any) -> Any:
        if not isinstance(text, str) or encoding != "latin1":
            raise InvalidFileError(f"The pickle encodes text in {encoding!r:.80}.")
        return text.encode("latin1")


class _Bytes(_Inert):
    """``builtins.bytes``: how protocol 2 writes no bytes at all."""

    def __new__(cls) -> Any:
        return b""


def _holds(shape: Any, dtype: _DType, data: bytes | bytearray) -> bool:
    sizes = isinstance(shape, tuple) and all(isinstance(size, int) and size >= 0 for size in shape)
    return sizes and math.prod(shape) * dtype.make().itemsize == len(data)


_MAKERS: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("_codecs", "encode"): _Encode,
    ("builtins", "bytes"): _Bytes,
    ("__builtin__", "bytes"): _Bytes,
    ("numpy", "dtype"): _DType,
    ("numpy", "ndarray"): _NDArray,
    **{(module, kind.__name__): kind for module in ("builtins", "__builtin__") for kind in (set, frozenset, complex)},
    **{
        (f"numpy.{core}.{module}", name): maker
        for core in ("core", "_core")
        for module, name, maker in (
            ("multiarray", "_reconstruct", _Reconstruct),
            ("multiarray", "scalar", _Scalar),
            ("numeric", "_frombuffer", _FromBuffer),
        )
    },
}


class _Unpickler(pickle.Unpickler):
    def __init__(self, stream: io.BytesIO, records: Iterable[str]) -> None:
        super().__init__(stream)
        self.records = {name: type(name.rpartition(".")[2], (Record,), {"__slots__": ()}) for name in records}

    def find_class(self, module: str, name: str) -> Any:
        found = self.records.get(f"{module}.{name}") or _MAKERS.get((module, name))
        if found is None:
            raise InvalidFileError(
                f"The pickle names {module:.80}.{name:.80}, which is neither a container nor a number."
            )
        return found

    def persistent_load(self, pid: Any) -> Any:
        raise InvalidFileError(f"The pickle refers to something outside itself: {pid!r:.80}.")


def load_pickle(source: Path | bytes, records: Iterable[str] = ()) -> Any:
    """What a pickle holds, if that is containers, numbers, strings and numpy arrays of numbers or strings.

    Parameters
    ----------
    source : Path or bytes
    records : iterable of str
        Full names of foreign classes whose objects become a ``Record`` each, holding their state.

    Returns
    -------
    object
        Arrays may be of a subclass of ``numpy.ndarray``.

    Raises
    ------
    InvalidFileError
        When the pickle is damaged or names anything else. Nothing it names is ever called.

    Examples
    --------
    >>> load_pickle(pickle.dumps({"a": [1, 2.5]}))
    {'a': [1, 2.5]}
    """
    name = "a pickle" if isinstance(source, bytes) else str(source)
    data = source if isinstance(source, bytes) else source.read_bytes()
    try:
        with _no_garbage_collection():
            return _Unpickler(io.BytesIO(data), records).load()
    except InvalidFileError as error:
        raise InvalidFileError(f"{name} is refused. {error}") from None
    except Exception as error:  # a damaged pickle can raise nearly anything
        raise InvalidFileError(f"{name} is no readable pickle: {type(error).__name__}: {error}.") from error


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """A hundred thousand new objects set the collector off again and again: two thirds of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def load_torch(path: Path) -> Any:
    """What a file of ``torch.save`` holds, if that is containers, numbers and strings (no tensors).

    Raises
    ------
    InvalidFileError
        When it is no torch zip file, or holds anything else.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            inside = [member for member in archive.infolist() if member.filename.count("/") == 1]
            (member,) = [member for member in inside if member.filename.endswith("/data.pkl")]
            if member.compress_type != zipfile.ZIP_STORED:
                raise ValueError("its content is compressed")
            data = archive.read(member)
    except Exception as error:  # what a damaged archive raises depends on where the damage is
        raise InvalidFileError(f"{path} is no file of torch.save: {error}.") from error
    try:
        return load_pickle(data)
    except InvalidFileError as error:
        raise InvalidFileError(f"{path}: {error}") from error
