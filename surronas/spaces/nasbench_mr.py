"""NAS-Bench-MR: networks of one to four parallel branches, each of half the resolution of the one before."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from surronas.exceptions import InvalidInputError
from surronas.spaces import register_space
from surronas.spaces.base import Gene, IntArray, SearchSpace, as_integers
from surronas.spaces.graph import ArchGraph

COUNTS, CHANNELS = (1, 2, 3, 4), tuple(range(8, 129, 8))
STAGES = (1, 2, 3, 4)

# Where a genotype has a stage of as many branches: its number of modules, its blocks and channels branch by branch.
MODULES = {1: 2, 2: 5, 3: 10, 4: 17}
BLOCKS = {stage: slice(MODULES[stage] + 1, MODULES[stage] + 1 + stage) for stage in STAGES}
WIDTHS = {stage: slice(BLOCKS[stage].stop, BLOCKS[stage].stop + stage) for stage in STAGES}

_NODES = [(stage, branch) for stage in STAGES for branch in range(stage)]


def _genes() -> tuple[Gene, ...]:
    names = ["stem1_channels", "stem2_channels"]
    for stage in STAGES:
        branches = range(1, stage + 1)
        names.append(f"stage{stage}_modules")
        names += [f"stage{stage}_branch{branch}_{what}" for what in ("blocks", "channels") for branch in branches]
    names.append("head_channels")
    return tuple(Gene(name, CHANNELS if name.endswith("channels") else COUNTS, ordered=True) for name in names)


# Of each gene, the first choice, of which the others are multiples.
_UNITS = np.array([gene.choices[0] for gene in _genes()])


@register_space("nasbench_mr")
class NASBenchMR(SearchSpace):
    """About 10^24 multi-resolution networks, 27 integers each (Ding et al., 2022, arXiv:2103.13253).

    Two convolutions quarter the resolution. Stage s has s branches, branch b of 1/2^(b+1) the images' side, and
    one to four modules. A module first fuses: each branch sums convolutions of itself and its neighbours in the
    module before; a stage's new branch is a strided convolution of the one above it. Then come one to four
    residual blocks on each branch. The head joins the branches of stage 4. No gene is ever without influence.

    ``parse`` reads the benchmark's strings ``16_64-1_1_3_128-3_2_...-112`` (as ``format`` writes them), its dicts
    of ``input_channel``, ``inverted_residual_setting`` (or ``network_setting``) and ``last_channel``, and its 27
    integers as text; arrays of those, which a genotype's integers could be taken for, come by ``from_embedding``.

    Examples
    --------
    >>> space = NASBenchMR()
    >>> X = space.parse(["96_128-1_1_1_48-1_2_1_1_128_8-1_3_1_1_1_128_128_120-4_4_4_4_4_4_128_128_128_128-64"])
    >>> space.to_embedding(X)[0, :10]
    array([ 96, 128,   1,   1,  48,   1,   1,   1, 128,   8])
    >>> space.cost(X)["params"].item()
    24971570
    """

    name = "nasbench_mr"
    genes = _genes()

    def parse_one(self, arch: Any) -> Sequence[int]:
        if not isinstance(arch, str):
            raise InvalidInputError(f"a string or a dict was expected, not a {type(arch).__name__}")
        if arch.lstrip().startswith("["):
            return self._from_values(ast.literal_eval(arch.strip()))
        groups = [[int(value) for value in group.split("_")] for group in arch.strip().split("-")]
        if [len(group) for group in groups] != [2, *(2 + 2 * stage for stage in STAGES), 1]:
            raise InvalidInputError("it is not of the form 16_64-1_1_3_128-3_2_...-112")
        stem, *stages, head = groups
        return self._from_values([*stem, *self._of_stages([(group[0], group[1:]) for group in stages]), *head])

    def _parse_dict(self, arch: Mapping[Any, Any]) -> Sequence[int]:
        setting = arch.get("inverted_residual_setting", arch.get("network_setting"))
        if setting is None:
            return super()._parse_dict(arch)
        modules: list[tuple[int, list[int]]] = []
        for branches, blocks, channels in setting:
            stage = [branches, *blocks, *channels]
            if modules and modules[-1][1] == stage:
                modules[-1] = modules[-1][0] + 1, stage
            else:
                modules.append((1, stage))
        return self._from_values([*arch["input_channel"], *self._of_stages(modules), arch["last_channel"]])

    def _of_stages(self, stages: list[tuple[int, list[int]]]) -> list[int]:
        branches = tuple(stage[0] for _, stage in stages)
        if branches != STAGES or any(len(stage) != 1 + 2 * stage[0] for _, stage in stages):
            raise InvalidInputError("there must be stages of 1, 2, 3 and 4 branches, each of equal modules")
        return [value for modules, stage in stages for value in (modules, *stage[1:])]

    def _from_values(self, values: Sequence[int]) -> Sequence[int]:
        if len(values) != self.n_genes:
            raise InvalidInputError(f"{self.n_genes} integers were expected, {len(values)} came")
        return super()._parse_dict(dict(zip(self.gene_names, values, strict=True)))

    def from_embedding(self, embedding: Any) -> IntArray:
        """The benchmark's integers, (n, 27) counts and channels -> genotypes."""
        embedding = as_integers(embedding)
        if embedding.ndim != 2 or embedding.shape[1] != self.n_genes:
            raise InvalidInputError(f"The 'embedding' must have shape (n, {self.n_genes}). Got {embedding.shape}.")
        X, rest = np.divmod(embedding, _UNITS)
        bad = np.argwhere((rest != 0) | (X < 1) | (X > self.n_choices))
        if len(bad):
            row, gene = bad[0]
            raise InvalidInputError(
                f"The 'embedding' must hold one of {self.genes[gene].choices} for gene {self.gene_names[gene]!r} "
                f"(gene {gene}). Got {embedding[row, gene]} in row {row}."
            )
        return np.asarray(X - 1)

    def to_embedding(self, X: Any) -> IntArray:
        """Genotypes -> the benchmark's integers, (n, 27) counts and channels."""
        return np.asarray((self.parse(X) + 1) * _UNITS)

    def format(self, X: Any) -> list[str]:
        texts = []
        for row in self.to_embedding(X).tolist():
            stages = [[row[MODULES[s]], s, *row[BLOCKS[s]], *row[WIDTHS[s]]] for s in STAGES]
            texts.append("-".join("_".join(map(str, group)) for group in (row[:2], *stages, row[-1:])))
        return texts

    def graph_of(self, C: IntArray) -> ArchGraph:
        """A node a branch of a stage, labelled with its channels; edges are the fusions between stages.

        A node a module would draw the fusions within stages too, and tens of thousands of paths.
        """
        labels = np.hstack([C[:, WIDTHS[stage]] for stage in STAGES])
        adjacency = np.zeros((len(_NODES) + 2, len(_NODES) + 2), dtype=bool)
        adjacency[0, 1] = True
        for i, (stage, branch) in enumerate(_NODES, start=1):
            for j, (other, its_branch) in enumerate(_NODES, start=1):
                # a new branch is made of the fusion of the one above it
                adjacency[i, j] = other == stage + 1 and abs(min(its_branch, stage - 1) - branch) <= 1
            adjacency[i, -1] = stage == STAGES[-1]
        op_names = tuple(f"{width}_channels" for width in CHANNELS)
        ops = np.pad(labels, ((0, 0), (1, 1)), constant_values=-1)
        return ArchGraph(np.tile(adjacency, (len(C), 1, 1)), ops, op_names)

    def cost(self, X: Any, num_classes: int = 50, resolution: int = 128) -> pd.DataFrame:  # type: ignore[override]
        """Parameters, multiply-adds and published FLOPs of the classification network.

        Its head joins the branches at the lowest resolution by a 1x1 convolution, pools and classifies. The
        benchmark states the cost of 50 classes and images of 128 x 128 for all its settings.

        Returns
        -------
        DataFrame of int64
            ``params``; ``madds``, those of convolutions and classifier; ``flops``, the benchmark's: ``madds``, 2
            an element of a batch normalisation, 1 for each of the classifier's biases.
        """
        V = self.to_embedding(self.canonical(X))
        sides = [resolution]
        for _ in range(len(STAGES) + 1):
            sides.append(-(-sides[-1] // 2))
        params, madds, norms = np.zeros((3, len(V)), dtype=np.int64)
        for times, weights, channels, halvings in _convolutions(V):
            area = sides[halvings] ** 2
            params += times * (weights + 2 * channels)
            madds += times * weights * area
            norms += times * 2 * channels * area
        madds += V[:, -1] * num_classes
        params += (V[:, -1] + 1) * num_classes
        return pd.DataFrame({"params": params, "madds": madds, "flops": madds + norms + num_classes})


def _convolutions(V: IntArray) -> Iterator[tuple[Any, IntArray, IntArray, int]]:
    """How often each convolution with batch norm is there, its weights and channels, the halvings at its output."""
    yield 1, 27 * V[:, 0], V[:, 0], 1
    yield 1, 9 * V[:, 0] * V[:, 1], V[:, 1], 2
    before = [V[:, 1]]
    for stage in STAGES:
        modules, widths = V[:, MODULES[stage]], list(V[:, WIDTHS[stage]].T)
        for times, inputs in ((1, before), (modules - 1, widths)):
            for weights, channels, branch in _fusion(inputs, widths):
                yield times, weights, channels, branch + 2
        for branch, (blocks, width) in enumerate(zip(V[:, BLOCKS[stage]].T, widths, strict=True)):
            yield 2 * modules * blocks, 9 * width**2, width, branch + 2
        before = widths
    yield 1, np.sum(before, axis=0) * V[:, -1], V[:, -1], len(STAGES) + 1


def _fusion(inputs: list[IntArray], outputs: list[IntArray]) -> Iterator[tuple[IntArray, IntArray, int]]:
    """Weights, channels and branch of resolution of each convolution between two modules."""
    for i, width in enumerate(outputs[: len(inputs)]):
        for j, before in enumerate(inputs):
            if abs(i - j) <= 1:  # from a lower resolution a 1x1 convolution, then enlarged
                yield (1 if j > i else 9) * before * width, width, max(i, j)
    if len(outputs) > len(inputs):
        yield 9 * outputs[-2] * outputs[-1], outputs[-1], len(inputs)
