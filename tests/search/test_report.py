"""The files that a search leaves."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pytest
import torch

from surronas.exceptions import InvalidInputError
from surronas.search import NAT, FunctionEvaluator, RandomSearch, SupernetAdaptation
from surronas.search.charts import axis_of, parallel
from surronas.search.leanings import leanings
from surronas.spaces import Gene, SearchSpace
from surronas.supernet import load_supernet, read_card

QUICK = {"n_initial": 8, "batch_size": 4, "predictor": ["linear", "rbf"], "encoder": "one_hot"}
VOID = {"meta", "wbr", "link", "br", "hr", "img", "input"}


class Structure(HTMLParser):
    """Sees that tags nest, and collects text and what the page would fetch."""

    def __init__(self):
        super().__init__()
        self.open, self.fetched, self.text = [], [], []

    def handle_starttag(self, tag, attributes):
        if tag not in VOID:
            self.open.append(tag)
        self.fetched += [v for k, v in attributes if k in ("src", "href", "srcset", "action") and v != "data:,"]

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("script", "style"):
            self.text.append(data)


def read(page):
    structure = Structure()
    structure.feed(page)
    assert structure.open == []
    assert structure.fetched == []
    assert not re.search(r"\bnan\b|NaN|None</|https?:", re.sub(r"<script>.*</script>", "", page, flags=re.DOTALL))
    for svg in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        ET.fromstring(svg)
    return " ".join(" ".join(structure.text).split())


@pytest.fixture
def result(table, tmp_path):
    return NAT(table, ["error", "madds", "latency_ms"], **QUICK).run(tmp_path / "run", n_evaluations=32)


def test_the_page_nests_fetches_nothing_and_says_what_was_found(result, tmp_path):
    text = read(result.to_html(tmp_path / "report.html").read_text())
    front = result.front
    assert f"{len(front)} Pareto-optimal of 32 evaluated architectures: error" in text
    for part in ("The front over the search", "All objectives", "Which predictor led", "one_hot:", "Where time went"):
        assert part in text
    assert "fitting surrogates, choosing" in text
    for arch in front.space.format(front.archs)[:5]:
        assert arch in text


@pytest.mark.needs_browser
def test_the_page_in_a_browser(result, tmp_path, check_page):
    check_page(result.to_html(tmp_path / "report.html"), n_sortable=2)


def test_a_search_without_surrogates_has_a_page_too(table, tmp_path):
    result = RandomSearch(table, n_initial=4).run(n_evaluations=9)
    text = read(result.to_html(tmp_path / "report.html").read_text())
    assert "9 evaluated architectures" in text
    assert "Which predictor led" not in text
    assert "All objectives" not in text
    nothing = RandomSearch(table, constraints={"val_accuracy": (101, None)}, n_initial=4).run(n_evaluations=4)
    assert "No feasible one of 4 evaluated" in read(nothing.to_html(tmp_path / "none.html").read_text())


def test_names_and_reasons_cannot_smuggle_markup(tmp_path):
    def evaluate(X):
        if X[0, 0] == 2:
            raise OSError("<script>alert(1)</script>")
        return {"<b>a": X.sum(axis=1), "b": -X[:, 0]}

    space = SearchSpace([Gene(f"<i>g{i}", (0, 1, 2), ordered=True) for i in range(4)])
    search = RandomSearch(FunctionEvaluator(evaluate, space, {"<b>a": False, "b": False}), ["<b>a", "b"])
    page = search.run(n_evaluations=20).to_html(tmp_path / "report.html").read_text()
    assert "<script>alert" not in page
    assert "<b>" not in page
    assert "<i>" not in page
    assert "OSError: <script>alert(1)</script>" in read(page)


def test_the_table_is_the_front(result, tmp_path):
    frame = pd.read_csv(result.to_csv(tmp_path / "front.csv"))
    front = result.front
    assert list(frame) == ["arch", "error", "madds", "latency_ms", "evaluation", "version"]
    assert frame["arch"].astype(str).tolist() == front.space.format(front.archs)
    np.testing.assert_allclose(frame["error"], 100 - front.values["val_accuracy"])
    np.testing.assert_allclose(frame["madds"], front.values["madds"])
    np.testing.assert_array_equal(result.archive.archs[frame["evaluation"] - 1], front.archs)
    assert frame["error"].is_monotonic_increasing


def test_what_a_constraint_speaks_of_is_in_the_table(table):
    result = RandomSearch(table, ["error"], {"latency_ms": 5.0}).run(n_evaluations=20)
    assert list(result.to_frame()) == ["arch", "error", "latency_ms", "evaluation", "version"]


def test_the_archive_of_an_earlier_step(result):
    early = result.archive.as_of(2)
    assert len(early) == 16
    assert (early.archs == result.archive.archs[:16]).all()


def test_saved_subnets_have_the_accuracy_they_were_found_with(subnets, digits, tmp_path):
    search = NAT(
        subnets, adapt=SupernetAdaptation(digits, steps=2), **QUICK | {"candidates": "nsga2", "generations": 2}
    )
    result = search.run(n_evaluations=12)
    assert result.save(tmp_path) == tmp_path / "report.html"
    files = sorted((tmp_path / "subnets").glob("*.safetensors"))
    front = result.front
    assert len(files) == len(front)
    pixels, labels = digits.resize(16).to_rgb().split("validation")
    for file, x, accuracy in zip(files, front.archs, front.values["val_accuracy"], strict=True):
        saved = load_supernet(file)
        assert (front.space.canonical([saved.largest])[0] == x).all()
        assert read_card(file)["error"] == pytest.approx(100 - accuracy)
        network = saved.extract(saved.largest)
        with torch.no_grad():
            logits = network(saved.inputs(torch.from_numpy(pixels).permute(0, 3, 1, 2), saved.largest))
        found = 100 * float((logits.argmax(1) == torch.from_numpy(labels)).double().mean())
        assert found == pytest.approx(accuracy, abs=1.01)  # two of 200 images, as bfloat16 may have it
    text = read((tmp_path / "report.html").read_text())
    assert "Measured again" in text
    assert "training the supernet" in text
    found = result.cascades
    written = pd.read_csv(tmp_path / "cascades.csv", dtype={"members": str})
    assert [tuple(int(n) - 1 for n in its.split(", ")) for its in written["members"]] == found["members"].tolist()
    np.testing.assert_array_equal(written["error"], found["error"])
    assert "Cascades A cascade asks networks of the front" in text
    (tmp_path / "subnets/.front-01.safetensors.x1y2").touch()  # of a killed one
    result.save(tmp_path)
    assert sorted((tmp_path / "subnets").iterdir()) == files


def test_only_a_supernet_has_networks_to_save(result, tmp_path):
    with pytest.raises(InvalidInputError, match="Only a search of a supernet"):
        result.save_subnets(tmp_path)
    result.save(tmp_path)
    assert result.cascades is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["front.csv", "report.html", "run"]


def front_of(archs):
    """An archive of these, all of them on its front."""
    space = SearchSpace(
        [Gene("width", (16, 32, 48, 64), ordered=True), *(Gene(f"g{i}", tuple(range(9))) for i in range(3))]
    )
    evaluator = FunctionEvaluator(lambda X: {"a": X[:, 1] * 81 + X[:, 2] * 9 + X[:, 3]}, space, {"a": False})
    search = RandomSearch(evaluator, ["a"])
    search.tell(archs, evaluator.evaluate(np.asarray(archs)))
    return search.archive_


def test_a_front_at_the_space_s_edge_is_said():
    rest = np.random.default_rng(0).integers(0, 9, (12, 3))
    found = leanings(front_of(np.column_stack([[3] * 11 + [1], rest])))
    assert [(f.code, f.detail) for f in found] == [
        ("SNS001", "width: 11 of 12 have 64, its last choice (by chance 24%).")
    ]
    found = leanings(front_of(np.column_stack([[0] * 8 + [1, 2, 3, 2], rest])))
    assert [(f.code, f.detail.split(",")[0]) for f in found] == [("SNS002", "width: 8 of 12 have 16")]
    assert leanings(front_of(np.column_stack([[0, 1, 2, 3] * 3, rest]))) == []
    assert leanings(front_of(np.column_stack([[3, 3, 3], rest[:3]]))) == []


def test_millions_are_said():
    label, values = axis_of("madds", pd.Series([1e6, 5e7]))
    assert (label, values.tolist()) == ("madds (millions)", [1.0, 50.0])
    assert axis_of("error", pd.Series([3.0]))[0] == "error"


def test_parallel_coordinates_have_better_at_the_top():
    svg = ET.fromstring(parallel(pd.DataFrame({"error": [1.0, 9.0], "robust": [1.0, 9.0]}), [False, True]))
    first, second = (
        [tuple(map(float, p.split(","))) for p in line.get("points").split()] for line in svg.iter("polyline")
    )
    assert first[0][1] < second[0][1]
    assert first[1][1] > second[1][1]
