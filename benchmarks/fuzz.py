"""Fuzzing of everything that the library parses: a parser may return or raise a SurronasError, and nothing else.

Hypothesis draws inputs for the targets of fuzz_targets.py, target by target and round by round, until the time is
over. What fails is shown with the smallest input found, and its target is left out from then on. Whatever an input
does to start a process, to connect or to write outside its folder is a failure too. With --atheris (pip install
atheris, Linux) the same targets are driven by coverage instead, each in a process of its own. The exit code is 1
where anything failed.

    python benchmarks/fuzz.py --seconds 600
    python benchmarks/fuzz.py journals images --seconds 60 --seed 7
    python benchmarks/fuzz.py --atheris --seconds 600
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
import traceback
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any

import hypothesis
from fuzz_targets import TARGETS, check
from hypothesis import HealthCheck, Phase, given, settings
from rich.console import Console
from rich.table import Table

EXAMPLES = 50  # of a target in a round
MEMORY = 12 * 2**30  # of addresses: what asks for more is a failure, and not the end of the machine
FORBIDDEN = ("os.system", "os.exec", "os.fork", "os.posix_spawn", "subprocess.Popen", "socket.connect", "pty.spawn")

armed = False


def trip(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook for what no parser has to do."""
    if not armed:
        return
    if event in FORBIDDEN:
        raise PermissionError(f"FORBIDDEN: {event} {arguments!r:.200}")
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        path = os.path.realpath(os.fsdecode(arguments[0])) if isinstance(arguments[0], (str, bytes)) else ""
        if path and not path.startswith((os.path.realpath(gettempdir()), "/dev/null")):
            raise PermissionError(f"FORBIDDEN: writing {path}")


def run(name: str, n: int, seed: int, done: Counter[str]) -> str | None:
    """Examples of one target; what is wrong, if anything."""
    options = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck), "print_blob": False}
    phases = (Phase.generate, Phase.shrink)

    with TemporaryDirectory() as folder:

        @hypothesis.seed(seed)
        @settings(max_examples=n, phases=phases, **options)
        @given(drawn=TARGETS[name].draws)
        def example(drawn: Any) -> None:
            global armed
            done[name] += 1
            armed = True
            try:
                check(TARGETS[name], Path(folder), drawn)
            finally:
                armed = False

        try:
            example()
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            return "".join(traceback.format_exception(error))
    return None


def fuzz(names: list[str], seconds: float, seed: int, console: Console) -> bool:
    """Round after round; whether nothing failed."""
    ends, done, spent = time.monotonic() + seconds, Counter[str](), Counter[str]()
    failed: dict[str, str] = {}
    number = 0
    while time.monotonic() < ends and len(failed) < len(names):
        for name in names:
            if name in failed or time.monotonic() >= ends:
                continue
            began = time.monotonic()
            text = run(name, EXAMPLES if number else 5, 1000 * seed + number, done)
            spent[name] += time.monotonic() - began
            if text is not None:
                failed[name] = text
                console.print(f"\n{name}:\n{text}", markup=False, soft_wrap=True)
        number += 1
    table = Table("target", "examples", "seconds", "", title=f"{number} rounds, seed {seed}")
    for name in names:
        outcome = "[red]failed[/red]" if name in failed else "ok" if done[name] else "not reached"
        table.add_row(name, str(done[name]), f"{spent[name]:.0f}", outcome)
    console.print(table)
    return not failed


def by_coverage(names: list[str], seconds: float, seed: int, console: Console) -> bool:
    """Each target in a process of its own, for atheris never returns."""
    good = True
    for name in names:
        command = [sys.executable, __file__, name, "--one", "--seconds", str(seconds / len(names)), "--seed", str(seed)]
        code = subprocess.run(command, check=False).returncode
        console.print(f"{name}: {'ok' if code == 0 else f'FAILED ({code})'}", markup=False)
        good &= code == 0
    return good


def by_coverage_of_one(name: str, seconds: float, seed: int) -> None:
    import atheris

    with atheris.instrument_imports(include=["surronas"]):
        for module in [name for name in sys.modules if name.partition(".")[0] in ("surronas", "fuzz_targets")]:
            del sys.modules[module]
        import fuzz_targets
    with TemporaryDirectory() as folder:

        @settings(database=None, deadline=None, suppress_health_check=list(HealthCheck))
        @given(drawn=fuzz_targets.TARGETS[name].draws)
        def example(drawn: Any) -> None:
            fuzz_targets.check(fuzz_targets.TARGETS[name], Path(folder), drawn)

        atheris.Setup(
            [
                sys.argv[0],
                f"-max_total_time={max(1, int(seconds))}",
                f"-seed={seed + 1}",
                f"-artifact_prefix={folder}/",
                "-rss_limit_mb=8192",
            ],
            example.hypothesis.fuzz_one_input,
        )
        atheris.Fuzz()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="target", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--atheris", action="store_true", help="driven by coverage")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    unknown = [name for name in args.targets if name not in TARGETS]
    if unknown:
        parser.error(f"There is no target {unknown[0]!r}; known are {', '.join(TARGETS)}.")
    chosen = args.targets or list(TARGETS)
    sys.dont_write_bytecode = True
    if args.one:
        by_coverage_of_one(chosen[0], args.seconds, args.seed)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    console = Console(highlight=False)
    if args.atheris:
        sys.exit(0 if by_coverage(chosen, args.seconds, args.seed, console) else 1)
    sys.addaudithook(trip)
    sys.exit(0 if fuzz(chosen, args.seconds, args.seed, console) else 1)
