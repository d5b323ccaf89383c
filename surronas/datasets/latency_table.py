"""Latency look-up tables: an architecture's latency as the sum of the measured latencies of its blocks."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from surronas.datasets.files import find_file
from surronas.exceptions import InvalidFileError, InvalidInputError, SurronasWarning, UnknownNameError
from surronas.spaces import SearchSpace, resolve_space

__all__ = ["LatencyTable", "list_latency_tables", "load_latency_table"]

# Device -> file, space.
_TABLES = {"i7-8700K": ("ofa_mbv3/i7-8700K_lut.yaml", "ofa_mbv3")}


class LatencyTable:
    """The latencies of the blocks of a search space on one device.

    Parameters
    ----------
    space : SearchSpace or str
        It must have a method ``blocks(X)``: the names of the different blocks and, for each architecture, which
        it has, (n, m) int64, -1 for none. So have "ofa_mbv3", "fbnet", "mbconv" and "nasbench201".
    milliseconds : mapping of block name to latency in ms
    name : str
        What messages call the table.

    Examples
    --------
    >>> from surronas.spaces import get_space
    >>> space = get_space("ofa_mbv3")
    >>> names, _ = space.blocks([space.smallest()])
    >>> LatencyTable(space, dict.fromkeys(names, 0.5)).latency([space.smallest()])  # ten layers, five other parts
    array([7.5])
    """

    def __init__(self, space: SearchSpace | str, milliseconds: Mapping[str, float], name: str = "of your own") -> None:
        self.space: Any = resolve_space(space)
        if not hasattr(self.space, "blocks"):
            raise InvalidInputError(f"The 'space' of a latency table must name its blocks. Got {self.space!r}.")
        self.milliseconds = dict(milliseconds)
        self.name = name

    def __len__(self) -> int:
        return len(self.milliseconds)

    def latency(self, X: Any, **network_options: Any) -> NDArray[np.float64]:
        """The sum over each architecture's blocks.

        Parameters
        ----------
        X : n architectures in any form that the space reads
        **network_options
            Of the space's ``blocks``: "num_classes", "dataset".

        Returns
        -------
        (n,) float64, ms
            NaN where the table lacks a block; a warning says of how many architectures, and names one block.
        """
        names, index = self.space.blocks(X, **network_options)
        values = np.array([*(self.milliseconds.get(name, np.nan) for name in names), 0.0])
        total: NDArray[np.float64] = values[index].sum(axis=1)
        unknown = int(np.isnan(total).sum())
        if unknown:
            lacking = names[index[np.isnan(values)[index]][0]]
            warnings.warn(
                f"{unknown} of {len(total)} architectures have a block that the latency table {self.name} lacks, "
                f"such as {lacking}; their latency is missing.",
                SurronasWarning,
                stacklevel=2,
            )
        return total


def list_latency_tables() -> list[str]:
    """The devices of the known look-up tables."""
    return sorted(_TABLES)


def load_latency_table(device: str) -> LatencyTable:
    """A look-up table by its device.

    ``"i7-8700K"``: the once-for-all MobileNetV3 space, both widths, resolutions 96 to 256, 1,000 classes; the table
    of MSuNAS (Lu et al., 2020, arXiv:2007.10396), 4,050 blocks.

    Raises
    ------
    UnknownNameError
        When there is no such table.
    InvalidFileError
        When the file is damaged.
    """
    if device not in _TABLES:
        raise UnknownNameError.of("latency table", device, _TABLES)
    file, space = _TABLES[device]
    try:
        content = yaml.load(find_file(file).read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        milliseconds = {str(name): float(block["mean"]) for name, block in content.items()}
    except (AttributeError, LookupError, TypeError, ValueError, yaml.YAMLError) as error:
        raise InvalidFileError(f"{file} is not a look-up table of block latencies: {error!r}.") from error
    wrong = next((name for name, value in milliseconds.items() if not 0 < value < np.inf), None)
    if wrong is not None:
        raise InvalidFileError(f"{file} must hold latencies above 0. Got {milliseconds[wrong]} for {wrong}.")
    return LatencyTable(space, milliseconds, device)
