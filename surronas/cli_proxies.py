"""``surronas proxies``: zero-cost proxies of a search space's networks."""

from __future__ import annotations

import argparse
import io
from collections import Counter
from collections.abc import Iterable, Iterator
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platformdirs import user_cache_dir
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from surronas.command import workers_arguments
from surronas.exceptions import InvalidInputError
from surronas.io import write_atomic

if TYPE_CHECKING:
    import pandas as pd

    from surronas.spaces import SearchSpace

__all__ = ["arguments_of", "describe", "run"]


def arguments_of(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(resumable=True)
    parser.add_argument("space", metavar="SPACE", help="a search space with networks (`surronas list` names them)")
    parser.add_argument("archs", metavar="ARCH", nargs="*", help="architectures; by default some are drawn")
    parser.add_argument("--file", type=Path, help="a text file of architectures, one a line")
    parser.add_argument("--n", type=int, default=100, help="how many to draw, no two of them isomorphic (%(default)s)")
    parser.add_argument("--proxies", default="cheap", metavar="A,B", help="cheap, all, or names (%(default)s)")
    parser.add_argument("--images", help="a set of images, by name or path; noise by default")
    parser.add_argument("--batch-size", type=int, default=64, help="(%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of all that is drawn (%(default)s)")
    workers_arguments(parser, "networks")
    parser.add_argument("--out", type=Path, metavar="FILE", help="a .csv or .parquet for the scores")
    cache = Path(user_cache_dir("surronas")) / "proxies"
    parser.add_argument("--cache", type=Path, default=cache, metavar="DIR", help="(%(default)s)")


def run(arguments: argparse.Namespace, console: Console) -> None:
    if arguments.out is not None and arguments.out.suffix not in (".csv", ".parquet"):
        raise InvalidInputError(f"The --out must be a .csv or a .parquet file. Got {arguments.out}.")
    from surronas.proxies import Scorer
    from surronas.spaces import get_space

    space = get_space(arguments.space)
    names = [name.strip() for name in arguments.proxies.split(",")]
    images = None
    if arguments.images is not None:
        from surronas.datasets.images import load_images

        images = load_images(arguments.images)
    scorer = Scorer(
        names[0] if len(names) == 1 else names,
        images,
        batch_size=arguments.batch_size,
        random_state=arguments.seed,
        n_jobs=arguments.jobs,
        cache=arguments.cache,
    )
    archs = _archs(arguments, space)
    frame = scorer.score(archs, space, progress=lambda networks, total: _bar(networks, total, console))
    _print(frame, console)
    if arguments.out is not None:
        _write(frame.set_axis(space.format(archs)).rename_axis("architecture"), arguments.out)
        console.print(f"Scores: {arguments.out}", soft_wrap=True, markup=False)


def describe(name: str) -> str:
    """What a proxy is, and which way it points."""
    from surronas.proxies import get_proxy

    proxy = get_proxy(name)
    return f"{proxy.description} {'More' if proxy.maximize else 'Less'} is better."


def _archs(arguments: argparse.Namespace, space: SearchSpace) -> Any:
    given = list(arguments.archs)
    if arguments.file is not None:
        try:
            given += [line.strip() for line in arguments.file.read_text(encoding="utf-8").splitlines() if line.strip()]
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInputError(f"The --file {arguments.file} cannot be read: {error}.") from error
    return space.parse(given) if given else space.sample(arguments.n, random_state=arguments.seed)


def _bar(networks: Iterable[Any], total: int, console: Console) -> Iterator[Any]:
    columns = BarColumn(), MofNCompleteColumn(), TextColumn("networks,"), TimeElapsedColumn()
    with Progress(*columns, TextColumn("so far, to go"), TimeRemainingColumn(), console=console) as bar:
        yield from bar.track(networks, total=total)


def _print(frame: pd.DataFrame, console: Console) -> None:
    """A row a proxy, the reasons of failures, what it was done on."""
    from surronas.proxies import get_proxy

    table = Table(box=None, padding=(0, 1, 0, 0))
    for name in ("proxy", "", "median", "least", "greatest", "failed", "seconds", "ranks like"):
        left = name in ("proxy", "ranks like")
        table.add_column(name, justify="left" if left else "right", no_wrap=True, max_width=16 if left else None)
    nearest = _nearest(frame)
    for column, scores in frame.items():
        proxy, cost = get_proxy(str(column)), frame.attrs["seconds_of"].get(column)
        table.add_row(
            proxy.name,
            "↑" if proxy.maximize else "↓",
            *("" if isnan(value) else f"{value:.3g}" for value in (scores.median(), scores.min(), scores.max())),
            str(int(scores.isna().sum()) or ""),
            "" if cost is None else f"{cost:.3f}",
            nearest[proxy.name],
        )
    console.print(table)
    failures = Counter(f"{failure['proxy']}: {failure['reason']}" for failure in frame.attrs["failures"])
    for reason, count in failures.most_common():
        console.print(f"{count} x {reason}", style="yellow", markup=False)
    info = frame.attrs["info"]
    shape = "x".join(map(str, info["batch"]["shape"]))
    console.print(
        f"{len(frame)} architectures, {frame.attrs['seconds']:.2f} s each. Batch of {shape}: "
        f"{info['batch']['source']}. Seed {info['random_state']}.",
        markup=False,
    )


def _nearest(frame: pd.DataFrame) -> dict[str, str]:
    """Of each proxy, the other one that ranks most alike or most contrarily, with Spearman's correlation."""
    between = frame.corr("spearman")
    texts = {}
    for name in frame.columns.astype(str):
        others = between[name].drop(name).dropna().to_dict()
        best = max(others, key=lambda other: abs(others[other]), default=None)
        texts[name] = "" if best is None else f"{others[best]:+.2f} {best}"
    return texts


def _write(frame: pd.DataFrame, path: Path) -> None:
    if path.suffix == ".csv":
        content = frame.to_csv().encode()
    else:
        buffer = io.BytesIO()
        frame.to_parquet(buffer)
        content = buffer.getvalue()
    write_atomic(path, content)
