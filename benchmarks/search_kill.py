"""SIGKILL at random moments of a search, resumed each time: does it end as one that nobody killed?

Each case is `surronas search`, once in peace, and once killed, with its workers, at ten moments drawn over the time
that this took, and resumed by `--resume`. Compared are the journals (every decision, evaluation and version of the
weights; not the seconds), the front, and the networks that were saved. The exit code is 1 where anything differs.

    python benchmarks/search_kill.py                                   a table, then the shipped supernet
    python benchmarks/search_kill.py table --kills 3 --evaluations 60  smaller
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from rich import print as show

CASES = {
    "table": ["--evaluator", "nasbench201", "--dataset", "cifar10", "--objectives", "error", "latency_gold_6226_ms"],
    "supernet": ["--evaluator", "mbconv-cifar10", "--images", "digits", "--epochs", "4"],
}
EVALUATIONS = {"table": 120, "supernet": 60}


def start(folder: Path, options: list[str]) -> subprocess.Popen[bytes]:
    """The search in a process group of its own: begun, or resumed where it can be."""
    where = ["--resume", str(folder)] if (folder / "command.json").exists() else [*options, "--out", str(folder)]
    log = open(folder.with_suffix(".log"), "ab")  # noqa: SIM115  the process's
    command = [sys.executable, "-m", "surronas.cli", "search", *where]
    return subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)


def finish(folder: Path, options: list[str]) -> None:
    code = start(folder, options).wait()
    if code:
        raise SystemExit(f"The search in {folder} ended with {code}: see {folder.with_suffix('.log')}.")


def journal(folder: Path) -> list[dict[str, Any]]:
    """Whole lines, without times."""
    path = folder / "journal.jsonl"
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return [{key: value for key, value in json.loads(line).items() if key != "seconds"} for line in lines]


def state(folder: Path) -> str:
    """What there was when it was killed."""
    events = [record.get("event", "begun") for record in journal(folder)]
    counts = ", ".join(f"{n} {event}" for event, n in Counter(events).items())
    torn = "; writing " + ", ".join(p.name for p in folder.rglob(".*.*")) if any(folder.rglob(".*.*")) else ""
    return f"after {events[-1]!r} ({counts}){torn}" if events else "before the journal was begun"


def outcome(folder: Path) -> dict[str, Any]:
    """All that must be the same."""
    result = folder / "result"
    files = sorted([*result.glob("*.csv"), *result.glob("subnets/*")])
    return {"journal": journal(folder)} | {str(path.relative_to(result)): path.read_bytes() for path in files}


def run(name: str, args: argparse.Namespace) -> bool:
    """Whether both end the same."""
    folders = [args.out / name / which for which in ("whole", "killed")]
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.with_suffix(".log").unlink(missing_ok=True)
    n = args.evaluations or EVALUATIONS[name]
    options = [*CASES[name], "--evaluations", str(n), "--jobs", str(args.jobs), *args.options]
    began = time.monotonic()
    process, ready = start(folders[0], options), 0.0
    while process.poll() is None:
        ready = ready or (time.monotonic() - began if (folders[0] / "journal.jsonl").exists() else 0.0)
        time.sleep(0.05)
    finish(folders[0], options)  # says so where it failed; else it is there already
    seconds = time.monotonic() - began
    show(f"\n[bold]{name}[/bold]: {n} evaluations, {seconds:.0f} s, of which {ready:.0f} s before the search begins")

    rng = np.random.default_rng(args.seed)
    moments = np.sort(rng.uniform(0, seconds - ready, args.kills))
    for number, life in enumerate(np.diff(moments, prepend=0.0), start=1):
        process = start(folders[1], options)
        try:
            process.wait(timeout=ready + life)
            show(f"{number}: ended by itself")
            break
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        show(f"{number}: killed {ready + life:.1f} s after it was started, {state(folders[1])}")
    finish(folders[1], options)
    whole, killed = map(outcome, folders)
    differing = [part for part in {**whole, **killed} if whole.get(part) != killed.get(part)]
    show(
        f"{name}: {len(whole['journal'])} records, {len(whole) - 1} files: "
        + (f"DIFFERENT: {differing}" if differing else "the same")
    )
    return not differing


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", default=list(CASES), metavar="case", help=", ".join(CASES))
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--evaluations", type=int, help=str(EVALUATIONS))
    parser.add_argument("--options", nargs=argparse.REMAINDER, default=[], help="last: more for `surronas search`")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("runs/search_kill"), help="emptied first")
    args = parser.parse_args()
    same = [run(name, args) for name in args.cases]
    sys.exit(0 if all(same) else 1)
