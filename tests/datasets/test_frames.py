"""Every layout of a user's own file gives the same frame, and a wrong one says what is wrong."""

from __future__ import annotations

import gzip
import hashlib

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import pandas as frames

from surronas.datasets.frames import read_source
from surronas.exceptions import InvalidFileError, InvalidInputError, UnknownNameError

FRAME = pd.DataFrame(
    {
        "op": ["conv", "None", "NA", "a,b"],
        "depth": [1, 2, 3, 4],
        "width": [0.1, 0.30000000000000004, 1e-300, 2.5],
        "skip": [True, False, True, True],
        "acc": [np.nan, 70.25, 71.0, 72.0],
    }
)


def csv(folder, text, name="t.csv"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


WRITERS = {
    "t.csv": lambda frame, path: frame.to_csv(path, index=False),
    "t.csv.gz": lambda frame, path: frame.to_csv(path, index=False),
    "t.tsv": lambda frame, path: frame.to_csv(path, index=False, sep="\t"),
    "t.parquet": lambda frame, path: frame.to_parquet(path),
    "t.jsonl": lambda frame, path: frame.to_json(path, orient="records", lines=True, double_precision=15),
    "t.json": lambda frame, path: frame.to_json(path, orient="records", double_precision=15),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_kind_of_file_gives_the_same_values(name, tmp_path):
    path = tmp_path / name
    WRITERS[name](FRAME, path)
    read = read_source(path)
    assert read.frame["op"].tolist() == FRAME["op"].tolist()
    assert read.frame["depth"].tolist() == [1, 2, 3, 4]
    assert [str(value) for value in read.frame["skip"]] == ["True", "False", "True", "True"]
    np.testing.assert_array_equal(read.frame["acc"].to_numpy(dtype=float), FRAME["acc"])
    np.testing.assert_allclose(read.frame["width"], FRAME["width"], rtol=1e-12, atol=1e-12)
    assert (read.name, read.path) == ("t", str(path))
    assert read.checksum == f"{name} sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


@given(
    frames.data_frames(
        [
            frames.column("x", elements=st.floats(allow_nan=False, allow_infinity=False)),
            frames.column("n", elements=st.integers(-(2**53), 2**53)),
        ],
        index=frames.range_indexes(min_size=1),
    )
)
def test_numbers_are_read_exactly_as_they_were_written(tmp_path_factory, frame):
    path = tmp_path_factory.mktemp("numbers") / "t.csv"
    frame.to_csv(path, index=False)
    read = read_source(path).frame
    assert read["x"].tolist() == frame["x"].tolist()
    assert read["n"].tolist() == frame["n"].tolist()


def test_missing_numbers_and_blank_words(tmp_path):
    read = read_source(csv(tmp_path, "a,b,c\n1,x,1_0\nNaN,,2\n,None,3\n n/a ,NA,4\n")).frame
    np.testing.assert_array_equal(read["a"], [1, np.nan, np.nan, np.nan])
    assert read["b"].fillna("blank").tolist() == ["x", "blank", "None", "NA"]
    assert read["c"].tolist() == ["1_0", "2", "3", "4"]


def test_row_numbers_that_pandas_wrote_are_left_out(tmp_path):
    read = read_source(csv(tmp_path, FRAME.to_csv()))
    assert list(read.frame) == list(FRAME)
    assert read.notes == ("Left out the row numbers in the first column, 'Unnamed: 0'.",)
    assert list(read_source(csv(tmp_path, ",a\n5,1\n6,2\n")).frame) == ["Unnamed: 0", "a"]


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path):
    assert list(read_source(csv(tmp_path, "\ufeffa,b\n1,2\n")).frame) == ["a", "b"]


def test_a_frame_keeps_its_values_and_is_not_altered():
    frame = FRAME.set_index(pd.Index([9, 8, 7, 6]))
    frame.columns = [0, 1, 2, 3, 4]
    read = read_source(frame)
    assert list(read.frame) == list("01234")
    assert list(read.frame.index) == [0, 1, 2, 3]
    assert list(frame.columns) == [0, 1, 2, 3, 4]
    assert read.path == "a DataFrame"
    other = frame.copy()
    other.iloc[0, 1] = 99
    assert read_source(other).checksum != read.checksum == read_source(frame.copy()).checksum


# -- folders


@pytest.fixture
def folder(tmp_path):
    data = tmp_path / "nets" / "data"
    data.mkdir(parents=True)
    for i in range(3):
        FRAME.iloc[[i]].to_parquet(data / f"train-0000{i}-of-00003.parquet")
    FRAME.iloc[[3]].to_parquet(data / "test-00000-of-00001.parquet")
    return data.parent


def test_a_hugging_face_folder_is_read_in_the_order_of_its_shards(folder):
    train = read_source(folder, "train")
    pd.testing.assert_frame_equal(train.frame, FRAME[:3])
    assert train.name == "nets"
    assert train.checksum.count("sha256:") == 3
    both = read_source(folder / "data")
    assert both.frame["depth"].tolist() == [4, 1, 2, 3]
    assert both.notes == ("All splits together: test, train.",)


def test_a_missing_shard_is_an_error(folder):
    (folder / "data" / "train-00001-of-00003.parquet").unlink()
    with pytest.raises(InvalidFileError, match=r"must have 3 files train-\*\. Got 2\."):
        read_source(folder)
    assert len(read_source(folder, "test").frame) == 1


def test_shards_of_other_columns_are_an_error(folder):
    FRAME.iloc[[1]].drop(columns="skip").to_parquet(folder / "data" / "train-00001-of-00003.parquet")
    with pytest.raises(InvalidFileError, match=r"train-00001-of-00003\.parquet has the columns .*expected those of"):
        read_source(folder)


def test_an_unknown_split_offers_the_nearest(folder):
    with pytest.raises(UnknownNameError, match="Did you mean 'train'"):
        read_source(folder, "trian")


# -- what is refused


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("t.csv", b"a,b\n1,2\n1,2,3\n", "does not read as .csv"),
        ("t.csv", b"a,b\n1,2,3\n1,2,3\n", "does not read as .csv"),
        ("t.csv", b"\xff\xfe\x00a", "does not read as .csv"),
        ("t.csv", b"", "does not read as .csv"),
        ("t.csv", b"a;b\n1;2\n", "separated by ';', not ','"),
        ("t.tsv", b"a,b\n1,2\n", "separated by ',', not '\\t'"),
        ("t.csv.gz", b"a,b\n1,2\n", "does not read as .csv"),
        ("t.parquet", b"PAR1 and no more", "does not read as .parquet"),
        ("t.json", b'[{"a": 1}', "does not read as .json"),
        ("t.json", b'{"a": 1}', "must hold a list of records. Got a dict."),
        ("zc_nasbench201.json", b'{"cifar10": {}}', "It looks like suite_zero: pass format='suite_zero'."),
        ("t.json", b'[{"a": 1}, 7]', "Got 7 in row 1"),
        ("t.jsonl", b'{"a": 1}\n\n{"a" 2}\n', "no JSON in line 3"),
        ("t.json", b"[" * 100_000, "does not read"),
        ("t.csv.xz", b"\xfd7zXZ\0" + b"x" * 50, "does not read"),
    ],
)
def test_what_does_not_read_is_an_invalid_file(name, content, text, tmp_path):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InvalidFileError) as caught:
        read_source(path)
    assert text in str(caught.value)
    assert name in str(caught.value)


def test_a_truncated_gzip_is_an_invalid_file(tmp_path):
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 1000)[:-9])
    with pytest.raises(InvalidFileError, match="does not read"):
        read_source(path)
    packed = bytearray(gzip.compress(b"a,b\n" + b"1,2\n" * 1000))
    packed[10] = 0xFF  # a type of block that there is not: zlib's own error
    path.write_bytes(packed)
    with pytest.raises(InvalidFileError, match="does not read"):
        read_source(path)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("nb201_cifar10_full_training.pickle", "It looks like naslib: pass format='naslib'"),
        ("HW-NAS-Bench-v1_0.pickle", "It looks like hw_nas_bench: pass format='hw_nas_bench'"),
        ("000011.pickle.pbz2", "It looks like nats_bench: pass format='nats_bench'"),
        ("seg.pkl", "Other layouts need 'format', one of hw_nas_bench, naslib, nats_bench, suite_zero."),
        ("nets.xlsx", "must be one of .csv, .tsv, .parquet, .jsonl, .ndjson, .json or a folder of parquet files"),
    ],
)
def test_other_files_are_refused_and_a_known_format_is_named(name, text, tmp_path):
    (tmp_path / name).touch()
    with pytest.raises(InvalidInputError) as caught:
        read_source(tmp_path / name)
    assert text in str(caught.value)


def test_a_folder_of_a_known_format_is_named(tmp_path):
    (tmp_path / "NATS-tss-v1_0-3ffb9-simple").mkdir()
    for path in (tmp_path, tmp_path / "NATS-tss-v1_0-3ffb9-simple"):
        with pytest.raises(InvalidInputError, match="pass format='nats_bench'"):
            read_source(path)


def test_bad_sources(tmp_path):
    with pytest.raises(InvalidInputError, match="There is no .*nothing.csv"):
        read_source(tmp_path / "nothing.csv")
    with pytest.raises(InvalidInputError, match="must be a path or a DataFrame. Got a int"):
        read_source(7)
    with pytest.raises(InvalidInputError, match="Got 'a' more than once"):
        read_source(pd.DataFrame([[1, 2]], columns=["a", "a"]))
    with pytest.raises(InvalidInputError, match=r"Got a table of shape \(0, 1\)"):
        read_source(csv(tmp_path, "a\n"))
    with pytest.raises(InvalidInputError, match="names a split of a folder"):
        read_source(csv(tmp_path, "a\n1\n"), "train")
