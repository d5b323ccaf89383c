"""Every registered proxy keeps the contract of its kit."""

from __future__ import annotations

import pytest

from surronas.proxies import list_proxies
from surronas.testing import check_proxy


@pytest.mark.parametrize("name", list_proxies())
def test_contract(name):
    check_proxy(name)
