from __future__ import annotations

import re
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from surronas.benchmark.charts import NARROW, WIDE, curves, rank_chart, scatter
from surronas.benchmark.page import Section, show
from surronas.benchmark.scores import SCORES
from surronas.benchmark.svg import spread, ticks

VOID = {"meta", "wbr", "link", "br", "hr", "img", "input"}
TAUS = 0.7 + 0.02 * np.random.default_rng(0).normal(size=(2, 5))


class Structure(HTMLParser):
    """Sees that tags nest, and collects what the page would fetch."""

    def __init__(self):
        super().__init__()
        self.open, self.fetched, self.text = [], [], []

    def handle_starttag(self, tag, attributes):
        if tag not in VOID:
            self.open.append(tag)
        self.fetched += [v for k, v in attributes if k in {"src", "href", "srcset", "action", "data"} and v]

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def read(page):
    structure = Structure()
    structure.feed(page)
    assert structure.open == []
    return structure


@pytest.fixture
def report(make_report):
    report = make_report({"auto": TAUS, "gp": TAUS - 0.01, "failing": TAUS * np.nan}, fit_seconds=1.5, rmse=2.0)
    report.frame.loc[report.frame["predictor"] == "failing", "error"] = "ValueError: <script>alert('x')</script> & co"
    report.frame.loc[report.frame["predictor"] == "auto", "chosen"] = "one_hot:gp"
    return report


def test_the_page_is_whole_small_and_fetches_nothing(report, tmp_path):
    page = report.to_html(tmp_path / "deep" / "report.html").read_text(encoding="utf-8")
    structure = read(page)
    assert all(address.startswith(("data:", "#")) for address in structure.fetched)
    assert "default-src 'none'" in page
    assert not re.search(r"@import|url\(", page)
    assert len(page) < 1_000_000


@pytest.mark.needs_browser
def test_the_page_in_a_browser(report, tmp_path, check_page):
    check_page(report.to_html(tmp_path / "report.html"), n_sortable=2)


def test_the_page_says_what_matters(report, tmp_path):
    text = " ".join("".join(read(report.to_html(tmp_path / "r.html").read_text()).text).split())
    for wanted in (
        report.headline(),
        "SNB005 error",
        "Nobody (2024)",
        "A protocol.",
        "one_hot:gp",
        "Kendall τ",
        report.provenance["measurement"]["content"],
        report.provenance["run"]["command"],
    ):
        assert " ".join(wanted.split()) in text


def test_foreign_text_is_escaped(report, tmp_path):
    page = report.to_html(tmp_path / "r.html", [Section("a <b> title", Markup("<p id='mine'>body</p>"))]).read_text()
    assert "<script>alert" not in page
    assert "a &lt;b&gt; title" in page
    assert "<p id='mine'>body</p>" in page


def test_a_report_of_one_predictor_one_size_and_one_repeat(make_report, tmp_path):
    report = make_report({"a": [[0.5]]}, n_train=(16,))
    assert "a has a mean" in report.to_html(tmp_path / "r.html").read_text()


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_charts_are_well_formed_and_inside_their_frame(report, width):
    colours = {name: i for i, name in enumerate(report.predictors)}
    rng = np.random.default_rng(0)
    y = rng.normal(size=30)
    pictures = [
        curves(report.summary(), "a & b", width),
        curves(report.summary("spearman"), "nothing known", width),
        curves(report.summary("coverage_90"), "coverage", width, 0.9),
        rank_chart(report.ranking()["mean_rank"], 0.8, colours, width),
        scatter(y, y, y - 1, y + 1, "accuracy <%>", width),
    ]
    for picture in pictures:
        root = ET.fromstring(picture)
        w, h = (float(v) for v in root.attrib["viewBox"].split()[2:])
        for circle in root.iter("circle"):
            assert 0 <= float(circle.attrib["cx"]) <= w
            assert 0 <= float(circle.attrib["cy"]) <= h
            assert "nan" not in circle.attrib["cx"] + circle.attrib["cy"]
    assert "no value in any cell" in pictures[1]


def test_a_curve_passes_through_its_means():
    summary = pd.DataFrame({"predictor": "a", "n_train": [10, 100, 1000], "n": 3, "mean": [0.0, 0.5, 1.0], "sem": 0.0})
    dots = list(ET.fromstring(curves(summary, "τ")).iter("circle"))
    x, y = (np.array([float(dot.attrib[k]) for dot in dots]) for k in ("cx", "cy"))
    assert np.diff(x)[0] == pytest.approx(np.diff(x)[1], abs=0.2), "logarithmic"
    assert np.diff(y)[0] == pytest.approx(np.diff(y)[1], abs=0.2)
    assert (np.diff(y) < 0).all(), "up is more"


def test_an_interval_that_misses_is_marked():
    y = np.array([1.0, 2.0])
    dots = list(ET.fromstring(scatter(y, y, y - [0.5, -0.1], y + 0.5, "y")).iter("circle"))
    assert [dot.attrib["class"] for dot in dots] == ["dot c0", "dot c1"]


@given(st.floats(-1e5, 1e5), st.floats(1e-3, 1e5))
def test_ticks_are_even_round_and_enclose(low, length):
    values = ticks(low, low + length)
    steps = np.diff(values)
    assert values[0] <= low + 1e-6 * steps[0]
    assert values[-1] >= low + length - 1e-6 * steps[0]
    assert steps == pytest.approx(steps[0])
    assert 2 <= len(values) <= 9


def test_ticks_of_a_single_value_are_around_it():
    assert ticks(0.9, 0.9)[0] < 0.9 < ticks(0.9, 0.9)[-1]


@given(st.lists(st.floats(0, 300), min_size=1, max_size=8))
def test_labels_keep_apart_and_in_order(places):
    moved = np.array(spread(places, 16.0))
    order = np.argsort(places, kind="stable")
    assert (np.diff(moved[order]) >= 16 - 1e-6).all()
    if (np.diff(np.sort(places)) >= 16).all():
        assert moved == pytest.approx(places)


@pytest.mark.parametrize(
    ("value", "metric", "options", "text"),
    [
        (0.12345, "kendall_tau", {}, "0.123"),
        (-0.01, "kendall_tau", {"signed": True}, "\N{MINUS SIGN}0.010"),
        (0.01, "kendall_tau", {"signed": True}, "+0.010"),
        (float("nan"), "rmse", {}, "–"),
        (17.46, "rmse", {}, "17.5"),
        (0.00029, "rmse", {"like": 1.32}, "0.00"),
        (123456.7, "rmse", {}, "123,457"),
    ],
)
def test_numbers_as_the_page_shows_them(value, metric, options, text):
    assert show(value, SCORES[metric], **options) == text
