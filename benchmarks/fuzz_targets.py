"""What the fuzzer feeds the library's parsers: each may return or raise a SurronasError, and nothing else.

A target is a function of a folder and of what hypothesis draws for it: good files with a few bytes damaged, or, since
checksums keep those from getting far, good containers whose descriptions have some nodes changed. A parser that is not
here is not fuzzed: add it. ``fuzz.py`` runs them with a budget of time, tests/test_fuzz.py a few examples of each.
"""

from __future__ import annotations

import bz2
import copy
import io
import json
import pickle
import shutil
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from hypothesis.strategies import SearchStrategy

from surronas.datasets import BenchmarkTable, TableInfo, Target, load_table
from surronas.datasets.formats import get_format
from surronas.datasets.images import load_images
from surronas.datasets.pickles import load_pickle, load_torch
from surronas.datasets.table_file import read_table, write_table
from surronas.exceptions import SurronasError
from surronas.io import read_archive, write_archive
from surronas.journal import Journal
from surronas.spaces import SearchSpace, get_space, list_spaces, space_from_spec
from surronas.testing import conditional_space

__all__ = ["TARGETS", "FuzzTarget", "check"]


@dataclass(frozen=True)
class FuzzTarget:
    draws: SearchStrategy[Any]
    run: Callable[[Path, Any], object]


TARGETS: dict[str, FuzzTarget] = {}


def target(name: str, draws: Callable[[], SearchStrategy[Any]]) -> Callable[[Any], Any]:
    """Register a target; its draws are made when they are asked for, for some need a model to be fitted."""

    def quietly() -> SearchStrategy[Any]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return draws()

    def register(run: Callable[[Path, Any], object]) -> Callable[[Path, Any], object]:
        TARGETS[name] = FuzzTarget(st.deferred(quietly), run)
        return run

    return register


def check(target: FuzzTarget, folder: Path, drawn: Any) -> None:
    """Anything but a SurronasError that says something comes out."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            target.run(folder, drawn)
        except SurronasError as error:
            if not str(error).strip():
                raise AssertionError("The error says nothing.") from error


# -- damage ------------------------------------------------------------------------------------

_BYTES = (b"\0", b"\xff" * 8, b"\n", b"{", b"]", b'"', b"PK\3\4", b"\x80\5", b"NaN", b"1e999", b"-1", "é".encode())
_VALUES = (-1, 2**31, 2**63, 10**400, 1e308, float("nan"), float("-inf"), "", "..", "../../x", "é\0", "os.system", {})
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(_VALUES)
JSON = st.recursive(
    LEAVES, lambda below: st.lists(below, max_size=4) | st.dictionaries(st.text(max_size=6), below, max_size=4)
)


@st.composite
def damaged(draw: Any, content: bytes) -> bytes:
    """Some stretches replaced, cut out or put in; perhaps torn off."""
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(content)))
        end = start + draw(st.integers(0, 16))
        content = content[:start] + draw(st.sampled_from(_BYTES) | st.binary(max_size=16)) + content[end:]
    return content[: draw(st.integers(0, len(content)))] if draw(st.integers(0, 7)) == 0 else content


@st.composite
def damaged_text(draw: Any, text: str) -> str:
    return draw(damaged(text.encode())).decode(errors="replace")


def _places(tree: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [here, *(place for key, below in items for place in _places(below, (*here, key)))]


@st.composite
def changed(draw: Any, tree: Any) -> Any:
    """A few of the nodes replaced, by anything or by another node, or taken out."""
    root = [copy.deepcopy(tree)]
    for _ in range(draw(st.integers(1, 3))):
        places = _places(root)[1:]
        if not places:
            break
        *path, key = places[draw(st.integers(0, len(places) - 1))]
        holder = root
        for step in path:
            holder = holder[step]
        how = draw(st.sampled_from(["replace", "remove", "copy"])) if path else "replace"
        if how == "remove":
            del holder[key]
        elif how == "replace":
            holder[key] = draw(JSON)
        else:
            other: Any = root
            for step in places[draw(st.integers(0, len(places) - 1))]:
                other = other[step]
            holder[key] = copy.deepcopy(other)
    return root[0] if root else None


def written(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def made(write: Callable[[Path], object]) -> bytes:
    """What a writer puts into a file."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        write(path)
        return path.read_bytes()


# -- architectures and spaces ------------------------------------------------------------------

_SPACES = {"conditional": conditional_space(), **{name: get_space(name) for name in list_spaces()}}
_OTHER_FORMS: dict[str, list[Any]] = {
    "nasbench101": [
        {"matrix": [[0, 1, 1], [0, 0, 1], [0, 0, 0]], "ops": ["input", "conv3x3-bottleneck", "output"]},
        [0, 1, 0, 0, 0, 1],
    ],
    "nasbench201": ["(0, 1, 2, 3, 4, 0)"],
    "nasbench_mr": [{"input_channel": [16, 64], "inverted_residual_setting": [[1, [2], [16]]], "last_channel": 112}],
    "ofa_mbv3": [{"ks": [3] * 20, "e": [4] * 20, "d": [2] * 5, "r": 224, "w": 1.0}, "1" * 23, [0] * 46, [0] * 22],
    "darts": [{"normal": [["sep_conv_3x3", 0], ["skip_connect", 1]] * 4, "reduce": [["none", 0]] * 8}],
    "transnasbench101_macro": [[1, 2, 3, 4, 0, 0]],
}


@cache
def _forms(name: str) -> list[Any]:
    """Architectures in all notations that there are for the space, as JSON could hold them."""
    space = _SPACES[name]
    X = space.sample(4, random_state=0)
    dicts = [
        {gene.name: gene.choices[code] for gene, code in zip(space.genes, row, strict=True)} for row in X[:1].tolist()
    ]
    return [*space.format(X), *X[:1].tolist(), *dicts, *_OTHER_FORMS.get(name, [])]


@st.composite
def architectures(draw: Any) -> tuple[str, list[Any]]:
    name = draw(st.sampled_from(list(_SPACES)))
    form = draw(st.sampled_from(_forms(name)))
    arch = damaged_text(form) if isinstance(form, str) else changed(form) | changed(form).map(repr)
    return name, draw(st.lists(arch | JSON, min_size=1, max_size=2))


@target("architectures", architectures)
def _architectures(folder: Path, drawn: tuple[str, list[Any]]) -> None:
    space = _SPACES[drawn[0]]
    X = space.parse(drawn[1])
    assert X.shape == (len(drawn[1]), space.n_genes)
    assert (space.parse(space.format(space.canonical(X))) == space.canonical(X)).all()
    space.key(X)


_ARRAYS = hnp.arrays(hnp.scalar_dtypes(), hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=6))


@target("arrays of architectures", lambda: _ARRAYS)
def _arrays(folder: Path, drawn: Any) -> None:
    space = SearchSpace.from_array(drawn)
    space.canonical(space.parse(drawn))


@target("frames of architectures", lambda: st.tuples(st.sampled_from(list(_SPACES)), JSON, _ARRAYS))
def _frames(folder: Path, drawn: tuple[str, Any, Any]) -> None:
    space = _SPACES[drawn[0]]
    frame = pd.DataFrame([dict(zip(space.gene_names, _forms(drawn[0])[4], strict=True))] * 2).astype(object)
    frame.iloc[0, 0] = drawn[1] if not isinstance(drawn[1], (list, dict)) else str(drawn[1])
    for archs in (frame, drawn[1], drawn[2]):
        try:
            space.parse(archs)
        except SurronasError:
            continue


@target("descriptions of spaces", lambda: st.sampled_from([s.to_spec() for s in _SPACES.values()]).flatmap(changed))
def _specs(folder: Path, drawn: Any) -> None:
    space = space_from_spec(drawn)
    space.format(space.sample(2, random_state=0, unique=False))


# -- tables ------------------------------------------------------------------------------------


@cache
def _table() -> BenchmarkTable:
    space = get_space("nasbench201")
    X = space.sample(24, random_state=0)
    values = pd.DataFrame({"val_accuracy": 60.0 + X.sum(axis=1), "latency_ms": 1.5 + X[:, 0]})
    described = [
        Target("val_accuracy", "%", True, "accuracy"),
        Target("latency_ms", "ms", False, "latency"),
    ]
    return BenchmarkTable("made", space, X, values, described, TableInfo("made", "none", "", ""))


@cache
def _frame() -> pd.DataFrame:
    table = _table()
    return pd.DataFrame({"arch": table.space.format(table.archs), "depth": [2, 3, 4] * 8, **table.targets})


def _load(path: Path) -> None:
    for space in (None, "nasbench201"):
        try:
            repr(load_table(path, space=space))
        except SurronasError:
            continue


def _texts() -> dict[str, bytes]:
    frame = _frame()
    records = frame.to_json(orient="records")
    return {
        "t.csv": frame.drop(columns="arch").to_csv(index=False).encode(),
        "t.tsv": frame.to_csv(index=False, sep="\t").encode(),
        "t.json": records.encode(),
        "t.jsonl": frame.to_json(orient="records", lines=True).encode(),
        "t.parquet": frame.to_parquet(),
        "t.csv.gz": frame.to_csv(index=False).encode(),
    }


@target(
    "own tables",
    lambda: st.sampled_from(sorted(_texts().items())).flatmap(lambda f: st.tuples(st.just(f[0]), damaged(f[1]))),
)
def _own_tables(folder: Path, drawn: tuple[str, bytes]) -> None:
    _load(written(folder, *drawn))


@target("own records", lambda: changed(json.loads(_frame().to_json(orient="records"))))
def _own_records(folder: Path, drawn: Any) -> None:
    _load(written(folder, "t.json", json.dumps(drawn).encode()))


_COLUMN = st.lists(LEAVES, min_size=1, max_size=6)


@target("own columns", lambda: st.dictionaries(st.sampled_from(["arch", "val_acc", "depth", "lat[ms]"]), _COLUMN))
def _own_columns(folder: Path, drawn: dict[str, list[Any]]) -> None:
    frame = pd.DataFrame({name: pd.Series(column, dtype=object) for name, column in drawn.items()})
    repr(load_table(frame))


@target("table files", lambda: damaged(made(lambda path: write_table(_table(), path))))
def _table_files(folder: Path, drawn: bytes) -> None:
    read_table(written(folder, "t.parquet", drawn))


def _parquet_head(content: bytes, key: bytes) -> Any:
    from pyarrow import parquet

    return json.loads(parquet.read_schema(io.BytesIO(content)).metadata[key])


def _with_parquet_head(content: bytes, key: bytes, head: Any) -> bytes:
    from pyarrow import parquet

    table = parquet.read_table(io.BytesIO(content)).replace_schema_metadata({key: json.dumps(head)})
    buffer = io.BytesIO()
    parquet.write_table(table, buffer)
    return buffer.getvalue()


@cache
def _table_file() -> bytes:
    return made(lambda path: write_table(_table(), path))


@target("descriptions of table files", lambda: changed(_parquet_head(_table_file(), b"surronas")))
def _table_heads(folder: Path, drawn: Any) -> None:
    repr(read_table(written(folder, "t.parquet", _with_parquet_head(_table_file(), b"surronas", drawn))))


# -- benchmarks' own files ---------------------------------------------------------------------


@cache
def _foreign() -> dict[str, Any]:
    archs = get_space("nasbench201").format(_table().archs)
    costs = {"params": 1.5, "flops": 2.5, "latency": 0.1, "train_time": 3.0}
    curves = {"eval_acc1es": [10.0, 20.0], "train_losses": [2.0, 1.0], "cost_info": costs}
    names = ("edgegpu", "raspi4", "edgetpu", "pixel3", "eyeriss", "fpga")
    columns = [f"{name}_latency" for name in names] + [f"{n}_energy" for n in ("edgegpu", "eyeriss", "fpga")]
    devices = {name: [1.5] * len(archs) for name in [*columns, "eyeriss_arithmetic_intensity"]}
    return {
        "naslib": {arch: {"cifar10-valid": curves} for arch in archs[:3]},
        "hw_nas_bench": {"nasbench201": {"cifar10": {"config": [{"arch_str": arch} for arch in archs], **devices}}},
        "suite_zero": {
            "cifar10": {
                "(0, 1, 2, 3, 4, 0)": {"nwot": {"score": 1.0, "time": 2.0}, "params": 1.0, "val_accuracy": 60.0},
                "(4, 3, 2, 1, 0, 0)": {"nwot": {"score": 2.0, "time": 2.0}, "params": 2.0, "val_accuracy": 70.0},
            }
        },
    }


@target(
    "formats of benchmarks",
    lambda: st.sampled_from(sorted(_foreign().items())).flatmap(lambda f: st.tuples(st.just(f[0]), changed(f[1]))),
)
def _formats(folder: Path, drawn: tuple[str, Any]) -> None:
    name, content = drawn
    plain = name == "suite_zero"
    path = written(folder, "zc_nasbench201.json", json.dumps(content).encode() if plain else pickle.dumps(content))
    repr(get_format(name)(path, None))


_PICKLED = {"a": np.arange(4.0), "b": [1, 2.5, "x", None, {3}, (4,)], "c": np.float32(2), "d": np.array(["x", "yz"])}


@target(
    "pickles", lambda: st.sampled_from(range(6)).flatmap(lambda protocol: damaged(pickle.dumps(_PICKLED, protocol)))
)
def _pickles(folder: Path, drawn: bytes) -> None:
    load_pickle(drawn)


@cache
def _torch_file() -> bytes:
    import torch

    return made(lambda path: torch.save({"a": [1, 2.5], "b": {"c": "x"}}, path))


@target("torch files", lambda: damaged(_torch_file()))
def _torch_files(folder: Path, drawn: bytes) -> None:
    load_torch(written(folder, "t.pth", drawn))


@target("NATS-Bench folders", lambda: damaged(pickle.dumps({"meta_archs": ["x"]})).map(bz2.compress) | st.binary())
def _nats(folder: Path, drawn: bytes) -> None:
    written(folder, "meta.pickle.pbz2", drawn)
    written(folder, "000000.pickle.pbz2", drawn)
    get_format("nats_bench")(folder, None)


# -- what the library writes -------------------------------------------------------------------

_KIND, _VERSION = "surronas surrogate", 1


@cache
def _surrogate() -> tuple[dict[str, Any], dict[str, bytes]]:
    import surronas as sn

    table = _table()
    with warnings.catch_warnings(), TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")
        y = table.targets["val_accuracy"].to_numpy()
        model = sn.fit_predictor(
            table.archs, y, space=table.space, predictor="linear", encoder="one_hot", random_state=0
        )
        model.save(Path(folder) / "s")
        head, parts = read_archive(Path(folder) / "s", _KIND, _VERSION)
    return {key: value for key, value in head.items() if key not in ("kind", "version", "parts")}, parts


def _read_surrogate(folder: Path, head: Any, parts: dict[str, bytes]) -> None:
    from surronas.surrogate import load_predictor

    path = folder / "s"
    write_archive(path, _KIND, _VERSION, head, parts)
    load_predictor(path).predict(_table().archs)


def _jsonable(head: Any) -> bool:
    try:
        json.dumps(head, allow_nan=False)
    except ValueError:
        return False
    return isinstance(head, dict)


@target("manifests of surrogates", lambda: changed(_surrogate()[0]).filter(_jsonable))
def _manifests(folder: Path, drawn: Any) -> None:
    _read_surrogate(folder, drawn, _surrogate()[1])


@target(
    "parts of surrogates",
    lambda: st.sampled_from(sorted(_surrogate()[1].items())).flatmap(lambda p: st.tuples(st.just(p[0]), damaged(p[1]))),
)
def _parts(folder: Path, drawn: tuple[str, bytes]) -> None:
    _read_surrogate(folder, _surrogate()[0], {**_surrogate()[1], drawn[0]: drawn[1]})


def _schema() -> Any:
    with zipfile.ZipFile(io.BytesIO(_surrogate()[1]["member0.skops"])) as archive:
        return json.loads(archive.read("schema.json"))


@target("schemas of models", lambda: changed(_schema()))
def _schemas(folder: Path, drawn: Any) -> None:
    parts, buffer = _surrogate()[1], io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(parts["member0.skops"])) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():
            new.writestr(name, json.dumps(drawn) if name == "schema.json" else old.read(name))
    _read_surrogate(folder, _surrogate()[0], {**parts, "member0.skops": buffer.getvalue()})


@target("archives", lambda: damaged(made(lambda path: write_archive(path, "k", 1, {"a": [1]}, {"b.bin": b"xyz" * 9}))))
def _archives(folder: Path, drawn: bytes) -> None:
    read_archive(written(folder, "a", drawn), "k", 1)


_HEADER, _CELLS = {"seed": 0, "space": "s"}, [{"i": i, "tau": i / 3, "text": "é"} for i in range(3)]
_JOURNAL = b"".join(json.dumps(line).encode() + b"\n" for line in [_HEADER, *_CELLS])


@target("journals", lambda: damaged(_JOURNAL))
def _journals(folder: Path, drawn: bytes) -> None:
    """What can be read can be gone on with, and reads the same afterwards."""
    path = written(folder, "j.jsonl", drawn)
    journal = Journal(path, _HEADER)
    journal.append(_CELLS[0])
    assert repr(Journal(path, _HEADER).cells) == repr(journal.cells)


@cache
def _runs() -> dict[str, list[Any]]:
    """The lines of journals: of a comparison, of a search, of a cache of scores."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        _compare(folder)
        _search(folder / "search")
        _cache(folder)
        paths = {"compare": folder, "search": folder / "search", "cache": folder}
        files = {kind: next(path.glob("made-*" if kind == "cache" else "*.jsonl")) for kind, path in paths.items()}
        return {kind: [json.loads(line) for line in path.read_bytes().splitlines()] for kind, path in files.items()}


def _compare(folder: Path) -> None:
    from surronas.benchmark import evaluate

    evaluate(["one_hot:mean"], _table(), n_train=[8], n_repeats=2, out=folder).summary()


def _search(folder: Path) -> None:
    from surronas.search import RandomSearch

    RandomSearch(_table(), ["error", "latency_ms"], n_initial=3, batch_size=2).run(folder, 6).to_frame()


def _cache(folder: Path) -> None:
    from surronas.proxies.cache import ScoreCache
    from surronas.proxies.measure import Measured

    cache = ScoreCache({"space": {"name": "made"}, "seed": 0}, folder)
    cache.add((0, 1), Measured({"nwot": 1.5}, {"snip": "no weights"}, {"build": 0.1}))
    cache.mean_seconds()
    cache.missing((0, 1), ["nwot", "snip", "zen"])


@target(
    "records of runs",
    lambda: st.sampled_from(sorted(_runs().items())).flatmap(lambda r: st.tuples(st.just(r[0]), changed(r[1]))),
)
def _records(folder: Path, drawn: tuple[str, Any]) -> None:
    kind, lines = drawn
    read = {"compare": _compare, "search": _search, "cache": _cache}[kind]
    out = folder / kind
    shutil.rmtree(out, ignore_errors=True)
    read(out)
    path = next(out.glob("*.jsonl"))
    lines = lines if isinstance(lines, list) else [lines]
    path.write_bytes(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
    read(out)


@cache
def _supernet() -> bytes:
    from surronas.spaces.mbconv import MBConv, Stage
    from surronas.supernet.network import SuperNet
    from surronas.supernet.weights import save_supernet

    stage = Stage(False, 16, 2, (1, 2), (3, 5), (1, 2))
    space = MBConv([stage], resolutions=(8, 16), widths=(0.5, 1.0), stem=8, features=16)
    return made(lambda path: save_supernet(path, SuperNet(space, 2), {"class_names": ["a", "b"]}))


@cache
def _metad2a() -> bytes:
    import torch

    from surronas.meta.generator import GraphGenerator
    from surronas.meta.graphs import graph_code
    from surronas.meta.predictor import MetaPredictor
    from surronas.meta.weights import save_networks

    space = get_space("nasbench201")
    code = graph_code(space)
    predictor = MetaPredictor(code.n_types, code.n_vertices, 8, 4)
    generator = GraphGenerator(code.n_types, code.n_vertices, 4, 4)
    return made(lambda path: save_networks(path, space, predictor, generator, torch.zeros(2, 4), {}))


def _tensors_head(content: bytes) -> Any:
    """The head that safetensors itself reads, with ours within it parsed."""
    head = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return {**head, "__metadata__": {key: json.loads(text) for key, text in head["__metadata__"].items()}}


def _with_tensors_head(content: bytes, head: Any) -> bytes:
    if isinstance(head, dict) and isinstance(head.get("__metadata__"), dict):
        head = {**head, "__metadata__": {key: json.dumps(value) for key, value in head["__metadata__"].items()}}
    text = json.dumps(head).encode()
    return len(text).to_bytes(8, "little") + text + content[8 + int.from_bytes(content[:8], "little") :]


def _tensor_files() -> SearchStrategy[tuple[str, bytes]]:
    def of(kind: str, content: bytes) -> SearchStrategy[tuple[str, bytes]]:
        heads = changed(_tensors_head(content)).map(lambda head: _with_tensors_head(content, head))
        own = changed(_tensors_head(content)["__metadata__"]).map(
            lambda own: _with_tensors_head(content, {**_tensors_head(content), "__metadata__": own})
        )
        return st.tuples(st.just(kind), own | heads | damaged(content))

    return of("supernet", _supernet()) | of("meta", _metad2a())


@target("safetensors", _tensor_files)
def _safetensors(folder: Path, drawn: tuple[str, bytes]) -> None:
    from surronas.meta.weights import load_networks
    from surronas.supernet.weights import load_supernet, read_card

    path = written(folder, "w.safetensors", drawn[1])
    if drawn[0] == "meta":
        load_networks(path)
        return
    for read in (read_card, load_supernet):
        try:
            read(path)
        except SurronasError:
            continue


@cache
def _database() -> bytes:
    from surronas.meta.database import Episode, MetaDatabase
    from surronas.meta.tasks import Task
    from surronas.meta.variation import Variation

    table = _table()
    numbers = {"task": [0, 1] * 12, "val_accuracy": 60.0, "half_difference": 1.0, "params": 5, "madds": 7}
    views = [Task({"digits": ("0", "1", "2")}, Variation(), 8, 8, 0, 0)]
    tasks = [Episode(0, (0, 1)), Episode(0, (1, 2))]
    database = MetaDatabase(table.space, views, tasks, table.archs, pd.DataFrame(numbers, index=range(24)), {"a": 1})
    return made(database.save)


@target("meta-databases", lambda: changed(_parquet_head(_database(), b"surronas")))
def _databases(folder: Path, drawn: Any) -> None:
    from surronas.meta.database import MetaDatabase

    path = written(folder, "d.parquet", _with_parquet_head(_database(), b"surronas", drawn))
    repr(MetaDatabase.load(path))


@cache
def _commands() -> dict[str, Any]:
    import argparse

    from surronas import cli_search

    parser = argparse.ArgumentParser()
    cli_search.arguments_of(parser)
    arguments = parser.parse_args(["--out", "x", "--evaluator", "nasbench201", "--objectives", "error", "params"])
    return cli_search._settings(arguments)[0]


@target("commands of searches", lambda: changed(_commands()))
def _resumed(folder: Path, drawn: Any) -> None:
    """What ``surronas search --resume`` makes of its folder, up to the first evaluation."""
    import argparse

    from surronas import cli_search

    table = written(folder, "t.parquet", _table_file())
    if isinstance(drawn, dict) and drawn.get("evaluator") == "nasbench201":
        drawn = {**drawn, "evaluator": str(table), "objectives": ["error", "latency_ms"]}
    if isinstance(drawn, dict) and drawn.get("images") is not None:
        drawn["images"] = str(folder)  # none is there: those of the library would take seconds
    written(folder, "command.json", json.dumps(drawn).encode())
    parser = argparse.ArgumentParser()
    cli_search.arguments_of(parser)
    settings, _ = cli_search._settings(parser.parse_args(["--resume", str(folder)]))
    cli_search._search(settings).result()


# -- images ------------------------------------------------------------------------------------


@cache
def _images() -> dict[str, bytes]:
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3), dtype=np.uint8)
    labels = np.arange(12) % 2
    arrays = io.BytesIO()
    np.savez_compressed(arrays, x_train=pixels, y_train=labels, class_names=np.array(["a", "b"]))
    encoded = {}
    for kind in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"):
        buffer = io.BytesIO()
        Image.fromarray(pixels[0]).save(buffer, kind)
        encoded[f"i.{kind.lower()}"] = buffer.getvalue()
    rows = [{"image": {"bytes": encoded["i.png"], "path": "x"}, "label": int(label)} for label in labels]
    idx = b"\0\0\x08\3" + b"".join(n.to_bytes(4, "big") for n in (12, 8, 8)) + pixels[..., 0].tobytes()
    return {"i.npz": arrays.getvalue(), "i.parquet": pd.DataFrame(rows).to_parquet(), "idx": idx, **encoded}


@target(
    "images",
    lambda: st.sampled_from(sorted(_images().items())).flatmap(lambda f: st.tuples(st.just(f[0]), damaged(f[1]))),
)
def _image_files(folder: Path, drawn: tuple[str, bytes]) -> None:
    name, content = drawn
    root = folder / "images"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    path = root
    if name in ("i.npz", "i.parquet"):
        path = written(root, name, content)
    elif name == "idx":
        labels = b"\0\0\x08\1" + (12).to_bytes(4, "big") + bytes([0, 1] * 6)
        for part in ("train", "t10k"):
            written(root, f"{part}-images-idx3-ubyte", content)
            written(root, f"{part}-labels-idx1-ubyte", labels)
    else:
        for number in range(8):
            (root / "ab"[number % 2]).mkdir(exist_ok=True)
            written(
                root / "ab"[number % 2], f"{number}{Path(name).suffix}", content if number == 0 else _images()[name]
            )
    repr(load_images(path, size=8))


_NUMBERS = hnp.arrays(
    st.sampled_from([np.uint8, np.int64, np.float32, np.bool_, "U2", "S2", "c8", "M8[s]"]),
    hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=4),
)


@target(
    "arrays of images",
    lambda: st.dictionaries(
        st.sampled_from(["x", "y", "x_train", "y_train", "images", "labels", "x_test", "y_test", "class_names"]),
        _NUMBERS,
        max_size=5,
    ),
)
def _image_arrays(folder: Path, drawn: dict[str, Any]) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, **drawn)
    repr(load_images(written(folder, "i.npz", buffer.getvalue())))
