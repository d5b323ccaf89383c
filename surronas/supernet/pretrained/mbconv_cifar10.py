"""The supernet that ``benchmarks/supernet_release.py`` wrote beside this file, with its model card."""

from __future__ import annotations

from pathlib import Path

from surronas.supernet.pretrained import register_pretrained


@register_pretrained("mbconv-cifar10")
def mbconv_cifar10() -> Path:
    """The space mbconv trained on CIFAR-10: its model card, mbconv-cifar10.md, has recipe and figures."""
    return Path(__file__).with_name("mbconv-cifar10.safetensors")
