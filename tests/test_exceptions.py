"""One hierarchy: everything is a SurronasError and also the built-in error that a caller would expect."""

from __future__ import annotations

import pickle

import pytest

from surronas import exceptions
from surronas.exceptions import SurronasError, SurronasWarning, UnknownNameError

ERRORS = [getattr(exceptions, name) for name in exceptions.__all__ if name.endswith("Error")]

EXPECTED = {
    "DataNotFoundError": FileNotFoundError,
    "FitError": RuntimeError,
    "InvalidFileError": ValueError,
    "InvalidInputError": ValueError,
    "SurronasError": Exception,
    "UnknownNameError": LookupError,
}


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_is_a_surronas_error_and_a_built_in_one(error):
    assert issubclass(error, SurronasError)
    assert issubclass(error, EXPECTED[error.__name__])


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_text_survives_a_worker_process(error):
    copy = pickle.loads(pickle.dumps(error("row 3 is wrong")))
    assert type(copy) is error
    assert str(copy) == "row 3 is wrong"


def test_a_warning_is_no_error():
    assert issubclass(SurronasWarning, UserWarning)
    assert not issubclass(SurronasWarning, SurronasError)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("one-hot", "Unknown encoder 'one-hot'. Did you mean 'one_hot'? Known: graph, one_hot."),
        ("zzz", "Unknown encoder 'zzz'. Known: graph, one_hot."),
        (None, "Unknown encoder None. Known: graph, one_hot."),
    ],
)
def test_unknown_name(name, text):
    assert str(UnknownNameError.of("encoder", name, ["one_hot", "graph"])) == text
