from __future__ import annotations

import numpy as np
import pytest

from surronas.benchmark.checks import CHECKS

GOOD = 0.8 + 0.01 * np.arange(8)
FAR_BELOW = GOOD - 0.3


def found(report, code):
    return [finding.detail for finding in report.checks() if finding.code == code]


def test_a_sound_comparison_raises_nothing(make_report):
    assert make_report({"a": [GOOD] * 2, "b": [FAR_BELOW] * 2}, size_tau=0.3).checks() == []


def test_codes_are_unique_and_every_finding_carries_advice(make_report):
    report = make_report({"a": [GOOD] * 2, "b": [-GOOD] * 2}, protocol="all", size_tau=0.9)
    findings = report.checks()
    assert all(finding.advice and finding.title and finding.code in CHECKS for finding in findings)
    severities = [["error", "warning", "info"].index(finding.severity) for finding in findings]
    assert severities == sorted(severities)
    assert str(findings[0]).startswith("SNB006 error: Negative correlation.")


def test_no_better_than_the_parameter_count(make_report):
    report = make_report({"a": [FAR_BELOW, GOOD], "b": [GOOD, GOOD]}, size_tau=0.6)
    assert found(report, "SNB001") == ["a at n = 16 (τ 0.535 against 0.600)."]
    assert not found(make_report({"a": [GOOD, GOOD]}, size_tau=None), "SNB001"), "no sizes are known"
    assert not found(make_report({"a": [GOOD, GOOD]}, size_tau=-0.9), "SNB001"), "signed, not absolute"


def test_duplicates_on_both_sides(make_report):
    report = make_report({"a": [GOOD, GOOD]}, n_duplicates=25.0)
    assert found(report, "SNB002") == ["On average 25 of 200 (12.5 %) at n = 16, 25 of 200 (12.5 %) at n = 64."]
    assert not found(make_report({"a": [GOOD, GOOD]}, protocol="all", n_duplicates=25.0), "SNB002")


@pytest.mark.parametrize(
    ("coverages", "off"),
    [
        (0.80 + 0.002 * np.arange(8), True),
        (0.97 + 0.002 * np.arange(8), True),
        (0.88 + 0.002 * np.arange(8), False),
        (0.85 + 0.05 * (-1.0) ** np.arange(8), False),  # 0.85 on average, but within its spread of 0.87
    ],
)
def test_coverage_off_beyond_sampling_error(make_report, coverages, off):
    report = make_report({"a": [GOOD, GOOD]}, coverage_90=np.tile(coverages, 2))
    assert bool(found(report, "SNB003")) == off


def test_coverage_of_a_single_repeat_allows_for_calibration_by_chance(make_report):
    report = make_report({"a": [GOOD[:1], GOOD[:1]]}, coverage_90=0.78)
    assert found(report, "SNB003") == ["a: 78.0 % at n = 64."], "2 * sqrt(.09 / 16) = .15 excuses it at n = 16"


def test_coverage_of_nothing_but_failures_is_not_off(make_report):
    assert found(make_report({"a": [GOOD, GOOD]}, coverage_90=np.nan), "SNB003") == []


def test_leaders_that_cannot_be_told_apart(make_report):
    noise = 0.05 * np.random.default_rng(0).normal(size=(2, 8))
    (detail,) = found(make_report({"a": [GOOD] * 2, "b": GOOD - 0.01 + noise}), "SNB004")
    assert "over 16 cells" in detail
    assert not found(make_report({"a": [GOOD] * 2, "b": [GOOD - 0.01] * 2}), "SNB004"), "always ahead by the same"
    assert not found(make_report({"a": [GOOD] * 2}), "SNB004"), "nothing to tell apart"


def test_the_number_of_cells_that_would_tell(make_report):
    difference = np.array([[0.06, -0.04, 0.03, -0.02, 0.05, -0.03, 0.01, 0.02]] * 2)
    (detail,) = found(make_report({"a": GOOD + difference, "b": [GOOD] * 2}), "SNB004")
    needed = ((1.96 + 0.84) * difference.ravel().std(ddof=1) / difference.mean()) ** 2 / 0.955
    assert f"About {np.ceil(needed):,.0f} cells" in detail
    hardly = difference - difference.mean() + 1e-5
    (detail,) = found(make_report({"a": GOOD + hardly, "b": [GOOD] * 2}), "SNB004")
    assert detail.endswith("Not even 10,000 cells would tell a difference of that size.")


def test_failures_constants_and_signs(make_report):
    taus = np.array([GOOD, GOOD])
    taus[0, :3] = np.nan
    report = make_report({"a": taus, "b": [GOOD] * 2, "c": [-GOOD] * 2})
    assert found(report, "SNB007") == ["a, 3 of 16 cells."]
    assert found(report, "SNB006") == ["c: τ -0.835 at n = 16, τ -0.835 at n = 64."]
    report.frame.loc[:1, "error"] = "ValueError: no"
    assert found(report, "SNB005") == ["a, 2 of 16 cells: ValueError: no"]
    assert found(report, "SNB007") == ["a, 1 of 16 cells."]


def test_a_protocol_with_training_rows_is_named(make_report):
    assert found(make_report({"a": [GOOD] * 2}, protocol="all"), "SNB008")
    assert not found(make_report({"a": [GOOD] * 2}), "SNB008")


def test_warnings_are_counted(make_report):
    report = make_report({"a": [GOOD] * 2})
    report.frame.loc[:2, "warnings"] = "UserWarning: x"
    report.frame.loc[2, "warnings"] = "UserWarning: x\nUserWarning: y"
    assert found(report, "SNB009") == ["In 3 of all 16 cells, most often: UserWarning: x (1 other texts)"]
