"""What pages lead to: links out of ``docs/``, pages that no table of contents names, nothing from elsewhere.

Benchmarks write pages into ``docs/``; whichever no other page lists are listed by ``results.md`` in place of its mark.
"""

from __future__ import annotations

import re
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

INCLUDED = {
    "benchmarks/README": "benchmarks",
    "docs/search": "searching",  # Sphinx has a page of that name
    "surronas/supernet/pretrained/mbconv-cifar10": "model-card",
    "surronas/meta/pretrained/mbconv": "meta-card",
}
MARK = "<!-- pages that are listed nowhere else -->"
FOREIGN = re.compile(r"""<(?:script|link|img)\b[^>]*?\b(?:src|href)=["']?(?:https?:)?//|@import url\(["']?http""")
TOCTREE = re.compile(r"^```\{toctree\}\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def point_inside(app: Sphinx, doctree: nodes.document) -> None:
    """Let links to Markdown files that are no pages themselves lead to the pages that include them."""
    root = Path(app.srcdir).parent
    pages = {name: page for path, page in INCLUDED.items() for name in (path, str(root / path), Path(path).name)}
    for link in doctree.findall(addnodes.pending_xref):
        page = pages.get(link["reftarget"].removesuffix(".md"))
        if link["reftype"] == "myst" and page is not None:
            link["refdomain"], link["reftarget"], link["reftargetid"] = "doc", page, link.get("reftargetid")


def list_the_rest(app: Sphinx, docname: str, source: list[str]) -> None:
    """Put a table of contents in place of the mark."""
    if MARK in source[0]:
        texts = {path.stem: path.read_text(encoding="utf-8") for path in Path(app.srcdir).glob("*.md")}
        listed = set(re.findall(r"[\w-]+", "".join(part for text in texts.values() for part in TOCTREE.findall(text))))
        rest = sorted(texts.keys() - listed - {"index", "search"})
        source[0] = source[0].replace(MARK, "\n".join(["```{toctree}", ":maxdepth: 1", "", *rest, "```"]))


def refuse_foreign(app: Sphinx, failed: Exception | None) -> None:
    """Pages must open offline: no script, style, font or picture of another site."""
    built = Path(app.outdir)
    found = [path for path in built.rglob("*.html") if FOREIGN.search(path.read_text(encoding="utf-8"))]
    if found and failed is None:
        raise ExtensionError(f"Fetched from elsewhere by {', '.join(str(path.relative_to(built)) for path in found)}.")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("doctree-read", point_inside)
    app.connect("source-read", list_the_rest)
    app.connect("build-finished", refuse_foreign)
    return {"parallel_read_safe": True}
