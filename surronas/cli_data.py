"""``surronas data``: what data files there are, where they are, and how to get them."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import pooch
from platformdirs import user_cache_dir
from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table
from rich.text import Text

from surronas.datasets.download import part_of
from surronas.datasets.files import DATA_DIR, DataFile, Place, data_file, find_file, is_whole, list_files, places
from surronas.exceptions import DataNotFoundError, InvalidFileError, SurronasError, UnknownNameError

__all__ = ["ACTIONS", "files_of"]


def files_of(name: str) -> list[str]:
    """The data files that a name means: a file, a folder, or all of a benchmark.

    A benchmark's files are in the folder whose name its own begins with, underscores aside.

    Raises
    ------
    UnknownNameError
        Offering the nearest known name.

    Examples
    --------
    >>> files_of("nats_bench/NATS-tss-v1_0-3ffb9-simple")[-1]
    'nats_bench/NATS-tss-v1_0-3ffb9-simple/meta.pickle.pbz2'
    >>> files_of("nasbench_graph") == files_of("nas_bench_graph")
    True
    """
    name = name.rstrip("/")
    found = [file for file in list_files() if file == name or file.startswith(f"{name}/")]
    if not found and "/" not in name:
        plain = name.replace("_", "")
        found = [file for file in list_files() if plain.startswith(_folder(file).replace("_", ""))]
    if not found:
        known = list_files() if "/" in name else {_folder(file) for file in list_files()}
        raise UnknownNameError.of("data file, folder or benchmark", name, known)
    return found


def _folder(file: str) -> str:
    return file.partition("/")[0]


def _here(name: str) -> Place | None:
    """The first place that has a file of the right size; nothing is hashed."""
    file = data_file(name)
    for place in places(name):
        if place.path is not None and place.path.is_file() and place.path.stat().st_size == file.bytes:
            return place
    return None


def _where(name: str) -> Text:
    place = _here(name)
    if place is not None:
        return Text(place.kind, style="green")
    file, cached = data_file(name), places(name)[-1].path
    assert cached is not None
    if part_of(cached).is_file():
        return Text(f"{part_of(cached).stat().st_size / file.bytes:.0%} of it", style="yellow")
    return Text("not here" if file.url else "not here, on PyPI" if file.package else "not here, no address")


# -- actions -----------------------------------------------------------------------------------


def _list(arguments: argparse.Namespace, console: Console) -> None:
    table = Table("file", box=None, padding=(0, 2, 0, 0))
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("licence", no_wrap=True, overflow="ellipsis", max_width=22)
    table.add_column("where", no_wrap=True)
    folder = None
    for parent, short, name in sorted((*name.rpartition("/")[::2], name) for name in list_files()):
        file = data_file(name)
        if parent != folder:
            folder = parent
            table.add_row(Text(f"{folder}/", style="bold"))
        table.add_row(Text(f"  {short}", overflow="fold"), decimal(file.bytes), file.licence, _where(name))
    console.print(table)
    sizes = {name: data_file(name).bytes for name in list_files()}
    here = [name for name in sizes if _here(name)]
    console.print(
        f"\n{len(here)} of {len(sizes)} files are here, {decimal(sum(sizes[name] for name in here))} of "
        f"{decimal(sum(sizes.values()))}.\n${DATA_DIR}: {os.environ.get(DATA_DIR) or 'not set'}\n"
        f"Cache: {user_cache_dir('surronas')}",
        markup=False,
        soft_wrap=True,
    )


def _info(arguments: argparse.Namespace, console: Console) -> None:
    groups: dict[tuple[str, str, str], list[DataFile]] = {}
    for file in map(data_file, _all(arguments.names)):
        groups.setdefault((file.source, file.licence, file.citation), []).append(file)
    for (source, licence, citation), files in groups.items():
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="bold")
        grid.add_column(overflow="fold")
        grid.add_row("source", Text(source))
        grid.add_row("licence", Text(licence))
        grid.add_row("cite", Text(citation))
        for file in files:
            grid.add_row("file", Text(f"{file.name}, {file.bytes:,} bytes, ").append_text(_where(file.name)))
            origin = file.url or (f"pip install {file.package}" if file.package else f"converted from {file.path}")
            grid.add_row("", Text(f"sha256 {file.sha256}\n{origin}", style="dim"))
        console.print(grid)
        console.print()


def _fetch(arguments: argparse.Namespace, console: Console) -> None:
    """Everything that can be fetched is, before the rest is an error."""
    names, failures = _all(arguments.names), []
    for name in names:
        try:
            with _progress(name, console) as progress:
                path = find_file(name, progress=progress)
        except (DataNotFoundError, InvalidFileError) as error:
            failures.append(str(error))
        else:
            console.print(f"{name}: {path}", markup=False, soft_wrap=True)
    if failures:
        failures.append(f"{len(failures)} of {len(names)} files could not be fetched.")
        raise DataNotFoundError("\n\n".join(failures))


@contextmanager
def _progress(name: str, console: Console) -> Iterator[Callable[[int], None]]:
    """A bar that appears with the first byte, on a terminal; pooch's own messages would tear it."""
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel("WARNING")
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    bar = Progress(*columns, TimeRemainingColumn(), console=console, transient=True)

    task = bar.add_task(name, total=data_file(name).bytes)

    def show(done: int) -> None:
        bar.update(task, completed=done)
        if console.is_terminal:
            bar.start()  # no more than once

    try:
        yield show
    finally:
        if bar.live.is_started:
            bar.stop()
        logger.setLevel(level)


def _verify(arguments: argparse.Namespace, console: Console) -> None:
    """A file of the wrong size counts as found: that is what damage looks like."""
    counts = {"whole": 0, "damaged": 0, "absent": 0}
    for name in list_files():
        there = [place for place in places(name) if place.path is not None and place.path.is_file()]
        counts["absent"] += not there
        for place in there:
            assert place.path is not None
            if is_whole(name, place.path):
                counts["whole"] += 1
            elif place.kind == "package" and _other_version(data_file(name)):
                console.print(f"{name}: of another version in {place.label}, passed over", markup=False, soft_wrap=True)
            else:
                counts["damaged"] += 1
                console.print(Text(f"{name}: damaged in {place.label}, {place.path}", style="red"), soft_wrap=True)
    console.print(f"{counts['whole']} whole, {counts['damaged']} damaged; {counts['absent']} files are not here.")
    if counts["damaged"]:
        raise InvalidFileError("Replace or remove the damaged files; `surronas data fetch` brings what has an address.")


def _other_version(file: DataFile) -> bool:
    package, _, registered = str(file.package).partition("==")
    return version(package) != registered


def _path(arguments: argparse.Namespace, console: Console) -> None:
    names = files_of(*arguments.names)
    found = [find_file(name, fetch=False) for name in names]
    roots = {path.parts[: -len(Path(name).parts)] for path, name in zip(found, names, strict=True)}
    if len(roots) > 1:
        raise SurronasError(f"The files of {arguments.names[0]!r} are in several places. Name one: {', '.join(names)}.")
    path = found[0] if len(found) == 1 else Path(os.path.commonpath(found))
    console.print(str(path), markup=False, soft_wrap=True)


def _all(names: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(file for name in names for file in files_of(name)))


ACTIONS: dict[str, Callable[[argparse.Namespace, Console], None]] = {
    "list": _list,
    "info": _info,
    "fetch": _fetch,
    "verify": _verify,
    "path": _path,
}
