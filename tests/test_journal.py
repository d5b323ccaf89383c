from __future__ import annotations

import errno
import subprocess
import sys
from io import FileIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surronas.exceptions import InvalidFileError, InvalidInputError
from surronas.journal import Journal

HEADER = {"table": "toy", "seed": 0}
CELLS = [{"i": i, "tau": i / 3} for i in range(4)]


def filled(path):
    journal = Journal(path, HEADER)
    for cell in CELLS:
        journal.append(cell)
    return path


def test_reopening_gives_the_cells_back(tmp_path):
    path = filled(tmp_path / "deep" / "journal.jsonl")
    assert Journal(path, HEADER).cells == CELLS


@given(cut=st.integers(0, 200))
def test_any_torn_tail_loses_only_what_it_tore(tmp_path_factory, cut):
    path = filled(tmp_path_factory.mktemp("journal") / "j.jsonl")
    whole = path.read_bytes()
    path.write_bytes(whole[: min(cut, len(whole))])
    n_lines = path.read_bytes().count(b"\n")
    journal = Journal(path, HEADER)
    assert journal.cells == CELLS[: max(0, n_lines - 1)]
    for cell in CELLS[len(journal.cells) :]:
        journal.append(cell)
    assert path.read_bytes() == whole


def test_a_damaged_middle_is_an_error(tmp_path):
    path = filled(tmp_path / "j.jsonl")
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([*lines[:2], b"{torn", *lines[3:]]))
    with pytest.raises(InvalidFileError, match="damaged in line 3"):
        Journal(path, HEADER)
    path.write_bytes(b"\n".join([*lines[:2], b"[1]", *lines[3:]]))
    with pytest.raises(InvalidFileError, match="damaged in line 3"):
        Journal(path, HEADER)


def test_another_measurement_is_refused_by_what_differs(tmp_path):
    path = filled(tmp_path / "j.jsonl")
    before = path.read_bytes()
    with pytest.raises(
        InvalidInputError, match=r"belongs to another measurement, with seed = 0\. This one has seed = 1"
    ):
        Journal(path, {**HEADER, "seed": 1})
    assert path.read_bytes() == before


WRITER = """
import sys
from surronas.journal import Journal

journal = Journal(sys.argv[1], {"table": "toy", "seed": 0})
for i in range(100):
    journal.append({"writer": int(sys.argv[2]), "i": i, "text": "x" * 5000})
"""


def test_two_processes_append_whole_lines_to_one_journal(tmp_path):
    path = tmp_path / "j.jsonl"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, path, str(number)]) for number in range(2)]
    assert [writer.wait() for writer in writers] == [0, 0]
    cells = Journal(path, HEADER).cells
    assert sorted((cell["writer"], cell["i"]) for cell in cells) == [(w, i) for w in range(2) for i in range(100)]
    assert {cell["text"] for cell in cells} == {"x" * 5000}


def test_what_another_process_left_torn_is_cut_off_before_the_next_line(tmp_path):
    path = tmp_path / "j.jsonl"
    journal = Journal(path, HEADER)
    journal.append(CELLS[0])
    with open(path, "ab") as other:
        other.write(b'{"i": 9, "ta')
    journal.append(CELLS[1])
    assert Journal(path, HEADER).cells == CELLS[:2]


def test_deep_json_is_a_damaged_line(tmp_path):
    path = filled(tmp_path / "j.jsonl")
    path.write_bytes(path.read_bytes() + b"[" * 200_000 + b"\n")
    with pytest.raises(InvalidFileError, match="damaged in line 6"):
        Journal(path, HEADER)


@pytest.mark.parametrize("step", ["write", "fsync"])
def test_a_full_disk_leaves_no_part_of_a_line_and_names_the_journal(tmp_path, monkeypatch, step):
    path = filled(tmp_path / "j.jsonl")
    journal, before = Journal(path, HEADER), path.read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    class Full(FileIO):
        def write(self, content):
            return super().write(content[:10]) if len(content) > 20 else full()

    with monkeypatch.context() as patch:
        if step == "fsync":
            patch.setattr("os.fsync", full)
        else:
            patch.setattr("builtins.open", lambda path, mode, buffering: Full(path, mode.replace("b", "")))
        with pytest.raises(OSError, match=r"No space left on device: .*j\.jsonl"):
            journal.append({"i": 9, "text": "x" * 11})
    assert path.read_bytes() == before
    assert journal.cells == CELLS
    journal.append(CELLS[0])
    assert Journal(path, HEADER).cells == [*CELLS, CELLS[0]]
