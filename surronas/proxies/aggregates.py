"""Scores of networks among others, by the ranks that several proxies give them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from surronas.proxies.registry import register_aggregate

__all__: list[str] = []


@register_aggregate("te_nas", ("te_ntk", "te_regions"))
def te_nas(ranks: pd.DataFrame) -> pd.Series:
    """Sum of two ranks (Chen et al., 2021, TE-NAS, arXiv:2102.11535)."""
    return ranks.sum(axis=1)


@register_aggregate("az_nas", ("az_expressivity", "az_progressivity", "az_trainability", "madds"))
def az_nas(ranks: pd.DataFrame) -> pd.Series:
    """Sum of the logarithms of four ranks, so that none may be bad (Lee and Ham, 2024, AZ-NAS, arXiv:2403.19232)."""
    return ranks.apply(np.log).sum(axis=1)


@register_aggregate("vkdnw_agg", ("vkdnw", "jacov", "az_expressivity", "az_trainability", "madds"))
def vkdnw_agg(ranks: pd.DataFrame) -> pd.Series:
    """Sum of the logarithms of five ranks (Tybl and Neumann, 2025, VKDNW, arXiv:2502.04975)."""
    return ranks.apply(np.log).sum(axis=1)
