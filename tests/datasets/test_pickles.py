"""The restricted readers: what they must read, and what they must refuse without running any of it."""

from __future__ import annotations

import builtins
import collections
import io
import os
import pickle
import pickletools
import zipfile

import numpy as np
import pytest
import torch

from surronas.datasets.pickles import Record, load_pickle, load_torch
from surronas.exceptions import InvalidFileError

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


class Foreign:
    def __init__(self, value):
        self.value = value


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "value",
    [
        {"a": [1, 2.5, None, True], (1, 2): {3, 4}, "b": b"\x00\xff", "c": frozenset("x"), "d": 10**30, "e": 1 + 2j},
        collections.OrderedDict(x=1, y=[2]),
        [[[]]],
    ],
)
def test_containers_and_numbers(value, protocol):
    assert load_pickle(pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.arange(6, dtype=">i2").reshape(2, 3)),
        np.array(["a", "ünï"]),
        np.array([b"x", b"yz"]),
        np.array([True, False]),
        np.zeros((0, 3), dtype=np.float32),
        np.array(3.5),
    ],
)
def test_numpy_arrays(array, protocol):
    read = load_pickle(pickle.dumps({"array": array}, protocol))["array"]
    expected = pickle.loads(pickle.dumps(array, protocol))  # numpy itself makes big-endian arrays native here
    assert read.dtype == expected.dtype
    assert read.shape == array.shape
    assert read.flags.f_contiguous == expected.flags.f_contiguous
    np.testing.assert_array_equal(read, array)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_numpy_scalars(protocol):
    values = [np.float64(1.5), np.int32(-7), np.bool_(True), np.float32(0.1), np.complex64(1j), np.str_("xy")]
    read = load_pickle(pickle.dumps(values, protocol))
    assert read == values
    assert [value.dtype for value in read] == [value.dtype for value in values]


def test_scalar_of_the_old_numpy_module_path():
    data = pickle.dumps(np.float64(1.5), 2).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    assert b"numpy.core.multiarray" in data
    assert load_pickle(data) == 1.5


def test_named_record_holds_its_state_and_nothing_else():
    data = pickle.dumps([Foreign(3), Foreign([Foreign(4)])], 4)
    name = f"{Foreign.__module__}.Foreign"
    first, second = load_pickle(data, records=[name])
    assert isinstance(first, Record)
    assert not isinstance(first, Foreign)
    assert first.state == {"value": 3}
    assert second.state["value"][0].state == {"value": 4}
    with pytest.raises(InvalidFileError, match="Foreign"):
        load_pickle(data)


class Call:
    """Pickles to the call of a function."""

    def __init__(self, function, *args):
        self.function, self.args = function, args

    def __reduce__(self):
        return self.function, self.args


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("function", "args", "named"),
    [
        (os.system, ("touch {}",), "system"),
        (builtins.eval, ("open({!r}, 'w')",), "eval"),
        (builtins.exec, ("open({!r}, 'w')",), "exec"),
        (builtins.getattr, (os, "system"), "getattr"),
        (builtins.open, ("{}", "w"), "open"),
        (builtins.bytearray, (10,), "bytearray"),
        (np.load, ("{}",), "load"),
        (np.fromfile, ("{}",), "fromfile"),
        (np.memmap, ("{}",), "memmap"),
    ],
)
def test_calls_are_refused_and_not_made(tmp_path, function, args, named, protocol):
    trace = tmp_path / "trace"
    args = tuple(arg.format(trace) if isinstance(arg, str) else "os" for arg in args)
    data = pickle.dumps({"harmless": 1, "hostile": Call(function, *args)}, protocol)
    with pytest.raises(InvalidFileError, match=named):
        load_pickle(data, records=["some.module.Class"])
    assert not trace.exists()


def test_the_hostile_pickle_would_really_run(tmp_path):
    """The refusals above mean something: the standard unpickler runs this one."""
    trace = tmp_path / "trace"
    data = pickle.dumps(Call(os.system, f"touch {trace}"))
    pickle.loads(data)
    assert trace.exists()


def test_dotted_names_do_not_reach_attributes():
    data = b"\x80\x04\x8c\x08builtins\x8c\x0cset.__init__\x93."
    with pytest.raises(InvalidFileError, match=r"builtins\.set\.__init__"):
        load_pickle(data)


@pytest.mark.parametrize("opcode", [b"cos\nsystem\n.", b"(S'echo'\nios\nsystem\n.", b"(cos\nsystem\nS'echo'\no."])
def test_every_opcode_that_names_a_global_is_refused(opcode):
    with pytest.raises(InvalidFileError, match=r"os\.system"):
        load_pickle(opcode)


def test_object_arrays_are_refused():
    array = np.array([Foreign(1), None], dtype=object)
    with pytest.raises(InvalidFileError, match=r"O8"):
        load_pickle(pickle.dumps(array), records=[f"{Foreign.__module__}.Foreign"])


@pytest.mark.parametrize("dtype", [[("a", "O")], [("a", "f8"), ("b", "i4")], "V8", "M8[s]", "m8[s]"])
def test_structured_and_raw_dtypes_are_refused(dtype):
    with pytest.raises(InvalidFileError, match="no number or string"):
        load_pickle(pickle.dumps(np.zeros(2, dtype=dtype), 4))


DTYPE = b"cnumpy\ndtype\n(Vf8\nI00\nI01\ntR(I3\nV<\nNNNI-1\nI-1\nI0\ntb"
ARRAY = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
BUFFER = b"cnumpy.core.numeric\n_frombuffer\n(C\x08\x00\x00\x00\x00\x00\x00\xf8\x3f" + DTYPE + b"(I1\ntVC\ntR"


@pytest.mark.parametrize(
    "data",
    [
        # _reconstruct of something that is no array, or of a shape that would be left uninitialised
        b"cnumpy.core.multiarray\n_reconstruct\n(cbuiltins\nset\n(I0\ntS'b'\ntR.",
        b"cnumpy\nndarray\n(I1000\ntR.",
        b"cnumpy\nndarray\n)\x81.",
        # state of another length than the shape says, a negative size, raw bytes as objects
        ARRAY + b"(I1\n(I9\nt" + DTYPE + b"I00\nVxxxxxxxx\ntb.",
        ARRAY + b"(I1\n(I-1\nt" + DTYPE + b"I00\nC\x00tb.",
        ARRAY + b"(I1\n(I1\ntVO8\nI00\nC\x08xxxxxxxxtb.",
        # numpy's own arrays given a new state
        BUFFER + b"(I1\n(I1\nt" + DTYPE + b"I00\nC\x08xxxxxxxxtb.",
        BUFFER + b"(I1\n(I1\ntVO8\nI00\nC\x08xxxxxxxxtb.",
        # a scalar read from too few bytes, or from a dtype with fields
        b"cnumpy.core.multiarray\nscalar\n(" + DTYPE + b"C\x04xxxxtR.",
        b"cnumpy\ndtype\n(VO8\nI00\nI01\ntR.",
        b"cnumpy\ndtype\n(Vf8\nI00\nI01\ntR(I3\nV|\nN(Va\nt}NI-1\nI-1\nI63\ntb.",
        # attributes assigned to the makers themselves
        b"cnumpy.core.multiarray\nscalar\n}Vx\nI1\nsb.",
        b"cnumpy.core.multiarray\n_reconstruct\n(N}V__new__\nI1\nstb.",
        b"cnumpy\ndtype\n(N}Vmake\ncbuiltins\nset\nstb.",
        b"ccollections\nOrderedDict\n(N}Vget\nI1\nstb.",
        b"csome.module\nClass\n(N}V__setstate__\ncbuiltins\nset\nstb.",
        # text encoded otherwise than numpy does, references to something outside
        b"c_codecs\nencode\n(Vab\nVzip\ntR.",
        b"Poutside\n.",
    ],
)
def test_hand_made_tricks_are_refused(data):
    from surronas.datasets import pickles

    before = {key: dict(vars(maker)) for key, maker in pickles._MAKERS.items()}
    with pytest.raises(InvalidFileError):
        load_pickle(data, records=["some.module.Class"])
    assert {key: dict(vars(maker)) for key, maker in pickles._MAKERS.items()} == before


def test_the_hand_made_parts_are_valid_where_they_are_harmless():
    """So the tricks above are refused for their content and not for a typing error."""
    assert load_pickle(BUFFER + b".").tolist() == [1.5]
    read = load_pickle(ARRAY + b"(I1\n(I1\nt" + DTYPE + b"I00\nC\x08\x00\x00\x00\x00\x00\x00\xf8\x3ftb.")
    assert read.tolist() == [1.5]
    assert (
        load_pickle(b"cnumpy.core.multiarray\nscalar\n(" + DTYPE + b"C\x08\x00\x00\x00\x00\x00\x00\xf8\x3ftR.") == 1.5
    )


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"\x80\x09.", pickle.dumps([1, 2, 3])[:-3], b"\x80\x04\x95" + b"\xff" * 8]
)
def test_damaged_pickles(data):
    with pytest.raises(InvalidFileError):
        load_pickle(data)


def test_every_cut_of_a_good_pickle_is_an_error_of_ours():
    data = pickle.dumps({"a": np.arange(3.0), "b": [np.float64(1)] * 2}, 2)
    assert pickletools.dis(data, io.StringIO()) is None
    for end in range(len(data)):
        with pytest.raises(InvalidFileError):
            load_pickle(data[:end])


def test_error_names_the_file(tmp_path):
    path = tmp_path / "bad.pkl"
    path.write_bytes(pickle.dumps(Call(os.getcwd)))
    with pytest.raises(InvalidFileError, match=r"bad\.pkl.*getcwd"):
        load_pickle(path)


def test_torch_file_of_plain_values(tmp_path):
    value = [1.5, {"a": [1, 2]}, "x"]
    torch.save(value, tmp_path / "plain.pt")
    assert load_torch(tmp_path / "plain.pt") == value


def test_torch_file_with_tensors_or_code_is_refused(tmp_path):
    torch.save([torch.zeros(2)], tmp_path / "tensor.pt")
    with pytest.raises(InvalidFileError, match=r"tensor\.pt"):
        load_torch(tmp_path / "tensor.pt")
    torch.save(Call(os.system, f"touch {tmp_path / 'trace'}"), tmp_path / "code.pt")
    with pytest.raises(InvalidFileError, match="system"):
        load_torch(tmp_path / "code.pt")
    assert not (tmp_path / "trace").exists()


def test_what_is_no_torch_zip_is_refused(tmp_path):
    for name, content in {"none.pt": b"no zip", "old.pt": pickle.dumps([1])}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InvalidFileError, match=name):
            load_torch(tmp_path / name)
    with zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", pickle.dumps([0] * 10**6))
    with pytest.raises(InvalidFileError, match="compressed"):
        load_torch(tmp_path / "bomb.pt")
    with zipfile.ZipFile(tmp_path / "empty.pt", "w") as archive:
        archive.writestr("other", b"")
    with pytest.raises(InvalidFileError, match=r"empty\.pt"):
        load_torch(tmp_path / "empty.pt")


def test_a_torch_file_cut_at_its_beginning_is_refused(tmp_path):
    torch.save({"a": 1}, tmp_path / "a.pt")
    path = tmp_path / "cut.pt"
    path.write_bytes((tmp_path / "a.pt").read_bytes()[1:])  # its entries would begin before the file does
    with pytest.raises(InvalidFileError, match=r"cut\.pt"):
        load_torch(path)


@pytest.mark.needs_data("nasbench201/latency_help/pixel3.pt")
@pytest.mark.parametrize("name", ["pixel3", "samsung_s7", "1080ti_32"])
def test_latency_file_reads_as_torch_reads_it(name, shared_data):
    path = shared_data / "nasbench201" / "latency_help" / f"{name}.pt"
    read = load_torch(path)
    assert len(read) == 15625
    assert read == torch.load(path, weights_only=True)
