"""Pages of the API, written from what packages call public and what the registries know: nothing is listed by hand.

Each object has one page, under the first of the modules in ``api.md`` that has it in ``__all__``.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from sphinx.application import Sphinx

from surronas.datasets import _benchmarks
from surronas.encoders import _encoders
from surronas.predictors import _predictors
from surronas.proxies import get_proxy, list_proxies
from surronas.spaces import _spaces

MODULES = re.findall(r"^api/(surronas[\w.]*)$", (Path(__file__).parents[1] / "api.md").read_text(), re.MULTILINE)
CLASSES = {"search-spaces": _spaces, "encoders": _encoders, "predictors": _predictors}


def write_pages(app: Sphinx) -> None:
    """Write ``api/`` where it differs, so that an unchanged page is not built again."""
    pages: dict[str, str] = {}
    seen: set[int] = set()
    for name in MODULES:
        module = import_module(name)
        parts = {f"{name}.{part}": getattr(module, part) for part in module.__all__}
        new = {path: part for path, part in parts.items() if id(part) not in seen and not isinstance(part, ModuleType)}
        seen |= set(map(id, new.values()))
        pages |= {path: _page(path, part) for path, part in new.items()}
        pages[name] = _title(name) + _about(module) + _summary(new)
    for kind, registry in CLASSES.items():
        named = {name: registry.get(name) for name in registry.names()}
        paths = {name: f"{part.__module__}.{part.__qualname__}" for name, part in named.items()}
        pages |= {paths[name]: _page(paths[name], part) for name, part in named.items()}
        rows = [(f"``{name}``", f":class:`~{paths[name]}`", _about(part)) for name, part in named.items()]
        pages[kind] = _title(kind.replace("-", " ").capitalize()) + _table("name", "class", "what it is", rows=rows)
        pages[kind] += _hidden(paths.values())
    proxies = {name: get_proxy(name) for name in list_proxies()}
    rows = [(f"``{name}``", "more" if p.maximize else "less", p.description) for name, p in proxies.items()]
    pages["zero-cost-proxies"] = _title("Zero-cost proxies") + _table("name", "better is", "what it is", rows=rows)
    rows = [(f"``{name}``", _about(_benchmarks.get(name))) for name in _benchmarks.names()]
    pages["benchmark-tables"] = _title("Benchmark tables") + _table("name", "what it is", rows=rows)

    folder = Path(app.srcdir) / "api"
    folder.mkdir(exist_ok=True)
    for path in folder.glob("*.rst"):
        if path.stem not in pages:
            path.unlink()
    for name, text in pages.items():
        path = folder / f"{name}.rst"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def skip_foreign(app: Sphinx, what: str, name: str, obj: Any, skip: bool, options: Any) -> bool | None:
    """Leave out what classes inherit from other libraries."""
    function = obj.fget if isinstance(obj, property) else getattr(obj, "func", obj)
    home = getattr(function, "__module__", None)
    return True if home is not None and not str(home).startswith("surronas") else None


def _page(path: str, part: Any) -> str:
    module, _, name = path.rpartition(".")
    kind = "autofunction" if inspect.isroutine(part) else "autodata"
    options = ""
    if inspect.isclass(part):
        kind = "autoexception" if issubclass(part, BaseException) else "autoclass"
        options = "   :members:\n   :inherited-members: BaseException\n"
    return f"{_title(name)}.. currentmodule:: {module}\n\n.. {kind}:: {name}\n{options}"


def _title(text: str) -> str:
    return f"{text}\n{'=' * len(text)}\n\n"


def _about(part: Any) -> str:
    """The first paragraph of its docstring."""
    return " ".join((inspect.getdoc(part) or "").split("\n\n")[0].split(">>>")[0].split())


def _summary(paths: Iterable[str]) -> str:
    lines = "".join(f"   ~{path}\n" for path in paths)
    return f"\n\n.. autosummary::\n   :nosignatures:\n\n{lines}{_hidden(paths)}"


def _hidden(pages: Iterable[str]) -> str:
    return "\n.. toctree::\n   :hidden:\n\n" + "".join(f"   {page}\n" for page in pages)


def _table(*head: str, rows: Iterable[Sequence[str]]) -> str:
    cells = ["   * - " + "\n     - ".join(row) + "\n" for row in (head, *rows)]
    return ".. list-table::\n   :header-rows: 1\n\n" + "".join(cells)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("builder-inited", write_pages, priority=100)  # before autosummary looks for its tables
    app.connect("autodoc-skip-member", skip_foreign)
    return {"parallel_read_safe": True}
