"""A table written and read back, and files that are none."""

from __future__ import annotations

import hashlib
from dataclasses import asdict

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from surronas.datasets import BenchmarkTable, Runs, TableInfo, Target
from surronas.datasets.table_file import read_table, write_table
from surronas.exceptions import InvalidFileError, InvalidInputError
from surronas.spaces import Gene, SearchSpace
from surronas.spaces.mbconv import MBConv, Stage

SPACE = MBConv(stages=[Stage(fused=False, channels=16, stride=2)], resolutions=(8, 16), widths=(0.5, 1.0), stem=8)
DESCRIBED = (
    Target("val_accuracy", "%", True, "accuracy", "Top-1 on 300 validation images"),
    Target("madds", "", False, "compute", "Multiply-adds"),
    Target("latency_ms", "ms", False, "latency", "A batch of 1, median"),
    Target("latency_spread_ms", "ms", False, "spread", "Between the quartiles"),
)
INFO = TableInfo("this test", "Apache-2.0", "Nobody (2026)", "", "Drawn, not measured.\nTwo lines.")


def make_table(n=200, **more):
    rng = np.random.default_rng(0)
    archs = SPACE.sample(n, random_state=0)
    targets = pd.DataFrame(
        {
            "val_accuracy": rng.integers(20, 300, n) / 3,
            "madds": SPACE.cost(archs)["madds"],
            "latency_ms": rng.lognormal(size=n),
            "latency_spread_ms": rng.lognormal(size=n),
        }
    )
    targets.loc[3, "latency_ms"] = np.nan
    context = pd.DataFrame({"origin": ["smallest"] + ["random"] * (n - 1)})
    return BenchmarkTable("made_up", SPACE, archs, targets, DESCRIBED, INFO, "digits", **{"context": context} | more)


@pytest.fixture
def path(tmp_path):
    write_table(make_table(), tmp_path / "table.parquet")
    return tmp_path / "table.parquet"


def test_what_is_written_is_read(path):
    table, again = make_table(), read_table(path)
    assert (again.name, again.dataset, again.space) == ("made_up", "digits", SPACE)
    np.testing.assert_array_equal(again.archs, table.archs)
    pd.testing.assert_frame_equal(again.targets, table.targets, check_exact=True)
    pd.testing.assert_frame_equal(again.context, table.context, check_dtype=False)
    assert [again.target(name) for name in again.targets] == list(DESCRIBED)
    checksum = f"table.parquet sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    assert asdict(again.info) == asdict(INFO) | {"checksum": checksum}


def test_a_read_table_is_written_to_the_same_bytes(path, tmp_path):
    write_table(read_table(path), tmp_path / "again.parquet")
    assert (tmp_path / "again.parquet").read_bytes() == path.read_bytes()


def test_other_readers_find_the_columns(path):
    frame = pd.read_parquet(path)
    assert list(frame) == [*SPACE.gene_names, *(target.name for target in DESCRIBED), "origin"]
    assert {str(dtype) for dtype in frame[SPACE.gene_names].dtypes} == {"uint8"}
    assert SPACE.parse(frame[SPACE.gene_names].to_numpy()).tolist() == make_table().archs.tolist()


def test_a_table_without_context_and_a_plain_space_with_many_choices(tmp_path):
    space = SearchSpace([Gene("a", tuple(range(1000))), Gene("b", (False, True))])
    targets = pd.DataFrame({"x": [1.0, 2.0]})
    table = BenchmarkTable("t", space, [[999, 1], [3, 0]], targets, [Target("x", "", True, "proxy")], INFO)
    write_table(table, tmp_path / "t.parquet")
    again = read_table(tmp_path / "t.parquet")
    assert again.archs.tolist() == [[999, 1], [3, 0]]
    assert again.space == space
    assert (again.context, again.dataset) == (None, None)


def test_no_byte_of_the_values_can_change_unnoticed(path):
    """Each byte of the pages in turn; the first four and the end, the footer, are the format's own."""
    content, table = path.read_bytes(), make_table()
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    silent = 0
    for place in range(4, footer, 37):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :])
        try:
            again = read_table(path)
        except InvalidFileError:
            continue
        silent += 1
        np.testing.assert_array_equal(again.archs, table.archs)
        pd.testing.assert_frame_equal(again.targets, table.targets, check_exact=True)
        assert again.context["origin"].tolist() == table.context["origin"].tolist()
    assert silent < 0.2 * footer / 37  # in a page's header, statistics that nobody reads


@pytest.mark.parametrize("keep", [0, 4, 1000, -1, -9])
def test_a_cut_file_is_refused(path, keep):
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InvalidFileError, match=r"table\.parquet does not read as a benchmark table"):
        read_table(path)


def test_other_files_are_refused(path, tmp_path):
    with pytest.raises(InvalidFileError, match="does not read"):
        read_table(tmp_path / "nothing.parquet")
    plain = tmp_path / "plain.parquet"
    pd.DataFrame({"a": [1]}).to_parquet(plain)
    with pytest.raises(InvalidFileError, match=r"plain\.parquet is not a benchmark table"):
        read_table(plain)


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        (b'"version": 1', b'"version": 9', "format version 9"),
        (b'"version": 1', b'"version": "1"', "format version '1'"),
        (b'"name": "mbconv"', b'"name": "mbcanv"', "Did you mean 'mbconv'"),
        (b'"name": "madds"', b'"name": "sddam"', "not laid out.*sddam"),
        (b'"kind": "accuracy"', b'"kind": "accurate"', "not laid out.*Unknown kind of target"),
        (b'"licence"', b'"license"', "not laid out"),
        (b'"licence": "', b'"licence": 7, "source": "', "not laid out"),
    ],
)
def test_a_head_that_does_not_fit_is_refused(path, old, new, text):
    arrow = pq.read_table(path)
    head = arrow.schema.metadata[b"surronas"]
    assert head.count(old) == 1
    pq.write_table(arrow.replace_schema_metadata({b"surronas": head.replace(old, new)}), path)
    with pytest.raises(InvalidFileError, match=text):
        read_table(path)


def test_codes_outside_the_space_are_refused(path):
    arrow = pq.read_table(path)
    column = arrow.column_names.index("width")
    wrong = arrow.set_column(column, "width", [[9] * len(arrow)])
    pq.write_table(wrong.replace_schema_metadata(arrow.schema.metadata), path)
    with pytest.raises(InvalidFileError, match="not laid out.*gene 'width'"):
        read_table(path)


def test_what_has_no_place_in_a_file_is_refused(tmp_path):
    runs = {"madds": Runs(np.zeros((200, 1)), {"seed": (0,)})}
    with pytest.raises(InvalidInputError, match="Got runs of madds"):
        write_table(make_table(runs=runs), tmp_path / "t.parquet")
    context = pd.DataFrame({"width": range(200)})
    with pytest.raises(InvalidInputError, match="distinct names. Got 'width' twice"):
        write_table(make_table(context=context), tmp_path / "t.parquet")
    assert not list(tmp_path.iterdir())
