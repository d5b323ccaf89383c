"""Kills, bad files and malformed inputs over all of the command line: nothing lost, nothing executed, no traceback.

Each case is one command, drawn by the seed:

- killed: SIGKILL for the command and its workers at up to three random moments, then the same command once more. What
  was written meanwhile is whole or absent, and what comes out in the end is what comes out in peace.
- bad file: one of the files that it reads, or goes on with, is cut, garbled, exchanged for a pickle that would run
  code, for a folder, for deep JSON, ... The command ends with 0, or with 1 or 2 and a message. Whole lines of a journal
  are still there.
- malformed: some of its arguments are left out, exchanged for nonsense, or put in from its other options. One that
  takes this for sense and goes on for long is interrupted, and must end with 130.

In none of them is there a traceback or a file that the pickle makes. Cases that are done are in the journal of --out;
the same command goes on behind them. The exit code is 1 where a case failed; its folder and log stay.

    python benchmarks/chaos.py                          200 cases
    python benchmarks/chaos.py --only bench --n 20
    python benchmarks/chaos.py --n 200 --case 17        one of them again
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from chaos_jobs import JOBS, Job, make_inputs, start
from rich.console import Console
from rich.table import Table

from surronas.cli import COMMANDS
from surronas.journal import Journal

KINDS = ("killed", "bad file", "malformed")
PATIENCE = 45  # seconds, after which a command is interrupted that should have refused
NONSENSE = (
    *(
        "",
        " ",
        "-1",
        "0",
        "1e999",
        "nan",
        "99999999999999999999",
        "1.5",
        "../..",
        "/dev/null",
        "/proc/self/mem",
        "/proc",
    ),
    *("nowhere/at/all", "a\nb", "é💥", "x" * 5000, "[[[", "{}", "%s", "'; touch SENTINEL; '", "$(touch SENTINEL)"),
    *("__import__('os').system('touch SENTINEL')", "-", "--", ",", ",,", "\udcff", "None", "auto", "all"),
)


class Touch:
    """Pickled, it makes a file when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> Any:
        return open, (self.path, "w")


class Failure(Exception):
    """What a case shows to be wrong."""


class Case:
    """One case: its own folder, its own random numbers."""

    def __init__(self, number: int, kind: str, name: str, args: argparse.Namespace) -> None:
        self.number, self.kind, self.name, self.job = number, kind, name, JOBS[name]
        self.rng = np.random.default_rng((args.seed, number))
        self.folder, self.inputs = args.out / f"case{number:03}", args.out / "inputs"
        self.peace = args.out / "peace" / name.replace(" ", "_")
        self.out, self.log, self.sentinel = self.folder / "out", self.folder / "log", self.folder / "SENTINEL"
        self.said = ""

    def run(self) -> str:
        """What was done; raises a Failure."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        {"killed": self._kill, "bad file": self._damage, "malformed": self._malform}[self.kind]()
        if self.sentinel.exists() or any(self.folder.rglob("SENTINEL")):
            raise Failure("something was executed")
        shutil.rmtree(self.folder)
        return self.said

    def argv(self, inputs: Path | None = None) -> list[str]:
        places = {"IN": str(inputs or self.inputs), "OUT": str(self.out)}
        return [_placed(part, places) for part in self.job.argv]

    def finish(self, argv: list[str], codes: tuple[int, ...], seconds: float = 900.0) -> int:
        """The exit code, which must be one of these, and nothing said that should not be."""
        with _started(argv, self.log, self.folder) as process:
            try:
                code = process.wait(timeout=seconds)
            except subprocess.TimeoutExpired:
                self.said += f"; interrupted after {seconds:.0f} s"
                os.killpg(process.pid, signal.SIGINT)
                try:
                    code, codes = process.wait(timeout=120), (0, 1, 2, 130)
                except subprocess.TimeoutExpired:
                    raise Failure("it goes on, interrupted") from None
        text = self.log.read_text(errors="replace")
        if "Traceback (most recent call last)" in text:
            raise Failure(f"a traceback; it ends: {text.strip().splitlines()[-1]:.300}")
        if code not in codes:
            raise Failure(f"exit code {code}, not one of {codes}: {text[-300:]!r}")
        if code and not text.strip():
            raise Failure(f"exit code {code} without a word")
        return code

    # -- the three kinds -----------------------------------------------------------------------

    def _kill(self) -> None:
        expected, seconds = self._in_peace()
        for life in self.rng.uniform(0.1 * seconds, 1.1 * seconds, self.rng.integers(1, 4)):
            with _started(self.argv(), self.log, self.folder) as process:
                try:
                    process.wait(timeout=life)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
            self.said += f"killed after {life:.1f} s; "
            for path in self.out.rglob("*"):
                _check_whole(path)
        self.finish(self.argv(), (0,))
        assert self.job.outcome is not None
        if self.job.outcome(self.out) != expected:
            raise Failure("another outcome than in peace")

    def _damage(self) -> None:
        if self.job.state and (not self.job.inputs or self.rng.random() < 0.5):
            self._in_peace()
            shutil.copytree(self.peace, self.out)
            inputs = self.inputs  # a run is of its inputs, by their paths
            victims = [path for pattern in self.job.state for path in sorted(self.out.glob(pattern))]
        else:
            inputs = self.folder / "inputs"
            shutil.copytree(self.inputs, inputs)
            victims = [inputs / name for name in self.job.inputs]
        victim = victims[self.rng.integers(len(victims))]
        self.said = f"{victim.name}: {self._break(victim)}"
        before = victim.read_bytes() if victim.is_file() else None
        code = self.finish(self.argv(inputs), (0, 1, 2))
        self.said += f"; exit code {code}"
        after = victim.read_bytes() if victim.is_file() else None
        if before is not None and victim.suffix == ".jsonl" and self.out in victim.parents:
            if after is None or not after.startswith(before[: before.rfind(b"\n") + 1]):
                raise Failure("whole lines of the journal are gone")
        elif code and before != after:
            raise Failure("the file was refused, and changed")

    def _break(self, path: Path) -> str:
        content, rng = path.read_bytes(), self.rng
        place = int(rng.integers(len(content))) if content else 0
        flipped = bytearray(content)
        for at in rng.integers(len(content), size=rng.integers(1, 9)):
            flipped[at] ^= 1 << int(rng.integers(8))
        ways = {
            "cut": content[:place],
            "empty": b"",
            "bits flipped": bytes(flipped),
            "random bytes": rng.bytes(4096),
            "random bytes put in": content[:place] + rng.bytes(40) + content[place:],
            "a pickle": pickle.dumps(Touch(self.sentinel)),
            "deep JSON": b"[" * 200_000,
            "a line of no JSON": content[:place]
            + b'\n{"a": __import__("os").system("touch SENTINEL")}\n'
            + content[place:],
            "doubled": content + content,
            "no UTF-8": b"\xff\xfe" + content,
            "lines exchanged": b"\n".join(np.array(content.split(b"\n"), dtype=object)[::-1].tolist()),
        }
        how = [*ways, "a folder", "a link to itself"][rng.integers(len(ways) + 2)]
        path.unlink()
        if how == "a folder":
            path.mkdir()
        elif how == "a link to itself":
            path.symlink_to(path)
        else:
            path.write_bytes(ways[how])
        return how

    def _malform(self) -> None:
        argv, options = self.argv(), _options(self.job)
        for _ in range(self.rng.integers(1, 4)):
            nonsense = NONSENSE[self.rng.integers(len(NONSENSE))]
            place = int(self.rng.integers(1, len(argv))) if len(argv) > 1 else 0
            how = self.rng.integers(4)
            if how == 0 and len(argv) > 1:
                del argv[place]
            elif how == 1 and len(argv) > 1:
                argv[place] = nonsense
            elif how == 2 and options:
                argv += [options[self.rng.integers(len(options))], nonsense]
            else:
                argv.insert(place + 1, nonsense)
        argv = [part for part in argv if "\0" not in part]
        self.said = repr(argv)
        self.finish(argv, (0, 1, 2), PATIENCE)

    def _in_peace(self) -> tuple[Any, float]:
        """What comes out of an undisturbed run, and what it takes; run once for all cases."""
        clock = self.peace.with_suffix(".seconds")
        assert self.job.outcome is not None
        if not clock.exists():
            shutil.rmtree(self.peace, ignore_errors=True)
            self.peace.parent.mkdir(parents=True, exist_ok=True)
            argv = [_placed(part, {"IN": str(self.inputs), "OUT": str(self.peace)}) for part in self.job.argv]
            began = time.monotonic()
            self.finish(argv, (0,))
            clock.write_text(str(time.monotonic() - began))
        return self.job.outcome(self.peace), float(clock.read_text())


@contextmanager
def _started(argv: list[str], log: Path, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Nothing of it is left afterwards."""
    process = start(argv, log, folder)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _placed(part: str, places: dict[str, str]) -> str:
    head, slash, rest = part.partition("/")
    return places.get(head, head) + slash + rest


def _options(job: Job) -> list[str]:
    """All options of the job's command, from its parser."""
    command = next(command for command in COMMANDS if command.name == job.argv[0])
    parser = argparse.ArgumentParser()
    command.arguments(parser)
    for part in job.argv[1:2]:
        below = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
        parser = below[0].choices[part] if below else parser
    return [option for action in parser._actions for option in action.option_strings if option != "--help"]


def _check_whole(path: Path) -> None:
    """Files are whole or absent, whenever the writer was killed; journals may be torn, unfinished files are hidden."""
    if not path.is_file() or path.name.startswith(".") or path.suffix in (".jsonl", ""):
        return
    content = path.read_bytes()
    ends = {".html": b"</html>", ".json": b"}", ".parquet": b"PAR1"}
    good = content.rstrip().endswith(ends[path.suffix]) if path.suffix in ends else len(content) > 0
    if path.suffix == ".safetensors":
        from safetensors import safe_open

        with safe_open(path, framework="np") as file:
            good = bool(file.keys())
    if not good:
        raise Failure(f"{path.name} is not whole, {len(content)} bytes")


def cases(args: argparse.Namespace) -> Iterator[Case]:
    """Those of this seed, in order: kinds in turn, commands at random."""
    for number in range(args.n):
        rng = np.random.default_rng((args.seed, number, 0))
        kind = KINDS[number % len(KINDS)]
        fit = {
            "killed": [name for name, job in JOBS.items() if job.outcome is not None],
            "bad file": [name for name, job in JOBS.items() if job.inputs or job.state],
            "malformed": list(JOBS),
        }[kind]
        fit = [name for name in fit if args.only is None or name.split()[0] == args.only or name == args.only] or fit
        weights = np.array([4.0 if JOBS[name].often else 1.0 for name in fit])
        yield Case(number, kind, fit[rng.choice(len(fit), p=weights / weights.sum())], args)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=200, help="cases")
    parser.add_argument("--only", metavar="COMMAND", help=", ".join(JOBS))
    parser.add_argument("--case", type=int, help="this one alone, again")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/chaos"))
    args = parser.parse_args()
    args.out = args.out.resolve()
    console = Console(highlight=False)
    make_inputs(args.out / "inputs")
    journal = Journal(args.out / "chaos.jsonl", {"seed": args.seed, "only": args.only})
    done = {cell["case"] for cell in journal.cells if cell["verdict"] == "ok"}
    counts: Counter[tuple[str, str]] = Counter()
    results: dict[int, dict[str, Any]] = {cell["case"]: cell for cell in journal.cells}
    for case in cases(args):
        if (case.number in done and args.case is None) or args.case not in (None, case.number):
            continue
        began = time.monotonic()
        try:
            case.run()
            verdict = "ok"
        except Failure as failure:
            verdict = str(failure)
        seconds = round(time.monotonic() - began, 1)
        cell = {"case": case.number, "kind": case.kind, "command": case.name, "what": case.said}
        results[case.number] = {**cell, "verdict": verdict, "seconds": seconds}
        journal.append(results[case.number])
        style = "red" if verdict != "ok" else None
        line = f"{case.number:3} {case.name}, {case.kind} ({seconds:.0f} s): {case.said:.160}: {verdict}"
        console.print(line, markup=False, style=style, soft_wrap=True)
    table = Table("command", *KINDS, "failed", title=f"{len(results)} cases, seed {args.seed}")
    for name in JOBS:
        of = [cell for cell in results.values() if cell["command"] == name]
        numbers = [str(sum(cell["kind"] == kind for cell in of) or "") for kind in KINDS]
        table.add_row(name, *numbers, str(sum(cell["verdict"] != "ok" for cell in of) or ""))
    console.print(table)
    failed = [cell for cell in results.values() if cell["verdict"] != "ok"]
    for cell in failed:
        console.print(json.dumps(cell), markup=False, soft_wrap=True, style="red")
    sys.exit(1 if failed else 0)
