"""Whether what a search found leans to one end of its space."""

from __future__ import annotations

from scipy.stats import binom

from surronas.benchmark.checks import Finding
from surronas.search.archive import Archive

__all__ = ["leanings"]

_DRAWS = 2000
_LEVEL = 0.01
_EDGE = 0.9


def leanings(front: Archive) -> list[Finding]:
    """Genes of which the front takes one end far more often than chance does.

    A search space's edge is where better architectures may lie outside of it; a lean to width or to depth may be the
    evaluator's doing (Shu et al., 2020, arXiv:1909.09569).

    Parameters
    ----------
    front : Archive
        Of one row an architecture found.

    Returns
    -------
    list of Finding
        For each ordered gene whose first or last choice the front takes more often than random architectures do, at the
        1 % level, corrected for the number of ends: at the edge, where nine of ten do, a lean, where most do.
    """
    space = front.space
    random = space.canonical(space.sample(_DRAWS, random_state=0, unique=False))
    ends = [
        (gene, end)
        for gene, g in enumerate(space.genes)
        if g.ordered and len(g.choices) > 1
        for end in (0, len(g.choices) - 1)
    ]
    active, usual = space.active(front.archs), space.active(random)
    findings = []
    for gene, end in ends:
        there, n = int((front.archs[active[:, gene], gene] == end).sum()), int(active[:, gene].sum())
        expected = float((random[usual[:, gene], gene] == end).mean()) if usual[:, gene].any() else 1.0
        if n < 4 or there / n <= 0.5 or binom.sf(there - 1, n, expected) > _LEVEL / len(ends):
            continue
        name, choice = space.genes[gene].name, space.genes[gene].choices[end]
        detail = (
            f"{name}: {there} of {n} have {choice}, its {'last' if end else 'first'} choice (by chance {expected:.0%})."
        )
        if there >= _EDGE * n:
            title, advice = (
                "At the edge of the space",
                "Better ones may lie beyond it: consider a space with more choices there.",
            )
            findings.append(Finding("SNS001", "warning", title, detail, advice))
        else:
            title, advice = "A lean to one end", "See whether the evaluator favours it, or the space is lopsided."
            findings.append(Finding("SNS002", "info", title, detail, advice))
    return sorted(findings, key=lambda finding: finding.code)
