"""Notations of DARTS cells: Genotype tuples and text, NASLib's compact form, NAS-Bench-301's configurations."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from surronas.exceptions import InvalidInputError
from surronas.spaces.reading import short

Cell = list[list[tuple[int, int]]]
"""For each of the four nodes its two (input, operation), the lower input first."""

_CELLS = ("normal", "reduce")
_CONFIG = "NetworkSelectorDatasetInfo:darts:edge_{}_{}"


def read_genotype(arch: Any, ops: Sequence[str]) -> list[Cell]:
    """Both cells of a ``Genotype``, of a mapping of its fields, of a configuration or of a pair of cells."""
    if hasattr(arch, "get_dictionary"):
        arch = arch.get_dictionary()
    if isinstance(arch, Mapping):
        if not set(arch) & set(_CELLS):
            return _read_config(arch, ops)
        fields = dict(arch)
    elif hasattr(arch, "_asdict"):
        fields = arch._asdict()
    else:
        normal, reduce = arch
        fields = {"normal": normal, "reduce": reduce}
    for cell in _CELLS:
        if cell not in fields:
            raise InvalidInputError(f"the genotype has no field {cell!r}")
        concat = fields.get(f"{cell}_concat", (2, 3, 4, 5))
        if len(concat) != 4 or sorted(concat) != [2, 3, 4, 5]:  # a range may be of any length
            raise InvalidInputError(f"{cell}_concat must be the nodes 2 to 5, not {short(concat)}")
    return [_cell(fields[cell], ops) for cell in _CELLS]


def read_text(text: str, ops: Sequence[str]) -> list[Cell]:
    """What ``repr`` writes of any of these; nothing in it is run."""
    node = ast.parse(text.strip(), mode="eval").body
    if not isinstance(node, ast.Call):
        return read_genotype(ast.literal_eval(node), ops)
    if not isinstance(node.func, ast.Name) or node.func.id != "Genotype" or node.args:
        raise InvalidInputError("it is not of the form Genotype(normal=[...], ...)")
    return read_genotype({str(field.arg): _value(field.value) for field in node.keywords}, ops)


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range":
        return range(*(ast.literal_eval(bound) for bound in node.args))
    return ast.literal_eval(node)


def _read_config(config: Mapping[Any, Any], ops: Sequence[str]) -> list[Cell]:
    """A NAS-Bench-301 configuration: the operation of each edge there is, edges numbered by node, then by input."""
    cells = []
    for cell in _CELLS:
        pairs, edge = [], 0
        for node in (2, 3, 4, 5):
            keys = [_CONFIG.format(cell, edge + i) for i in range(node)]
            present = [(config[key], i) for i, key in enumerate(keys) if config.get(key) is not None]
            if len(present) != 2:
                raise InvalidInputError(f"node {node} of the {cell} cell must have two of the edges {keys[0]} ...")
            pairs += present
            edge += node
        cells.append(_cell(pairs, ops))
    return cells


def _cell(pairs: Sequence[Any], ops: Sequence[str]) -> Cell:
    if len(pairs) != 8:
        raise InvalidInputError(f"a cell has eight (operation, input) pairs, not {len(pairs)}")
    edges = [_edge(pair, ops) for pair in pairs]
    cell = []
    for node, two in zip((2, 3, 4, 5), zip(edges[::2], edges[1::2], strict=True), strict=True):
        (i, _), (j, _) = two
        if i == j or not (0 <= i < node and 0 <= j < node):
            raise InvalidInputError(f"node {node} must read two different earlier nodes, not {i} and {j}")
        cell.append(sorted(two))
    return cell


def _edge(pair: Any, ops: Sequence[str]) -> tuple[int, int]:
    """(input, operation) from DARTS's (name, input) or from NASLib's (input, code)."""
    first, second = pair
    if isinstance(first, str):
        if first not in ops:
            raise InvalidInputError(f"the operation {first!r} is none of {', '.join(ops)}")
        return int(second), ops.index(first)
    if not 0 <= int(second) < len(ops):
        raise InvalidInputError(f"the operation code must be from 0 to {len(ops) - 1}, not {second}")
    return int(first), int(second)


def genotype_text(cells: Sequence[Sequence[int]], ops: Sequence[str]) -> str:
    """The ``repr`` of the Genotype of two cells, each the operations on its 14 edges, counted from 1."""
    edges = [i for node in (2, 3, 4, 5) for i in range(node)]
    texts = [[(ops[op - 1], i) for i, op in zip(edges, cell, strict=True) if op] for cell in cells]
    fields = [f"{cell}={text}, {cell}_concat=range(2, 6)" for cell, text in zip(_CELLS, texts, strict=True)]
    return f"Genotype({', '.join(fields)})"
