"""KPIs of a simulated shop whose truth is known: judged, found in modules, and refused one by one."""

import time
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import numpy as np
import pandas as pd
import pytest

import nbprod
from nbprod.domain.check import CheckOutcome
from nbprod.domain.monitor import Window
from nbprod.errors import SettingsError
from nbprod.monitors.kpis import (
    catalogue_size,
    click_through,
    completed_share,
    cost_of_errors,
    find_kpis,
    revenue_per_prediction,
)
from nbprod.monitors.kpis.evaluating import KpiError, Tables, kpi_values, time_limit
from nbprod.monitors.kpis.judging import judge_rows

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
HISTORY, ROWS = 28, 120  # days before, rows a day


def shop(days, *, seed=0, clicks=0.3, app_clicks=None, items=8):
    """Recommendations of some days, the last ones of a window; in the app others may click."""
    rng = np.random.default_rng(seed)
    rows = days * ROWS
    channel = rng.choice(["web", "app"], rows)
    chance = np.where(channel == "app", (clicks or 0) if app_clicks is None else app_clicks, clicks or 0)
    clicked = np.where(rng.random(rows) < chance, "1", "0")  # as they are kept beside predictions that are texts
    return pd.DataFrame(
        {
            "prediction_id": [f"p{seed}-{n}" for n in range(rows)],
            "channel": channel,
            "price": rng.choice([5.0, 10.0, 20.0], rows),
            "prediction": [f"item-{n}" for n in rng.integers(0, items, rows)],
            "outcome": clicked if clicks is not None else None,
            "unit": [f"u{n // 3}" for n in range(rows)],
            "at": pd.date_range(BEGIN, periods=rows, freq=timedelta(days=1) / ROWS),
        }
    )


@pytest.fixture(scope="module")
def before():
    """Four weeks of the shop."""
    return shop(HISTORY)


def judged(before, *kpis, days=1, tables=None, level=0.05, **world):
    now = shop(days, seed=5, **world)
    start = BEGIN + timedelta(days=HISTORY)
    when = Window(start=start, end=start + timedelta(days=days))
    now = now.assign(at=now["at"] + pd.Timedelta(HISTORY, "D"))
    return judge_rows(now, before, kpis, when=when, level=level, tables=tables)


def outcomes(found):
    return {check.subject: check.outcome for check in found.checks}


@pytest.mark.parametrize("days", [1, 14])
def test_nothing_changed_and_a_fall_by_half_is_found(before, days):
    """A day is held against days, a fortnight by its own days; both know what clicks usually are."""
    usual = judged(before, click_through(max_drop=0.2), days=days)
    fallen = judged(before, click_through(max_drop=0.2), days=days, clicks=0.12)

    assert outcomes(usual) == {"click_through": CheckOutcome.PASSED}
    assert usual.metrics["reference_click_through"] == pytest.approx(0.3, abs=0.02)
    assert outcomes(fallen) == {"click_through": CheckOutcome.FAILED}
    assert fallen.metrics["click_through"] == pytest.approx(0.12, abs=0.07)
    assert "click_through" in fallen.pictures[0][0]
    assert fallen._repr_html_().index("failed") < fallen._repr_html_().index("<svg")


def test_better_never_alarms_and_lower_is_better_of_costs(before):
    costs = {("item-1", 0): 10.0}

    assert outcomes(judged(before, click_through(), days=14, clicks=0.6)) == {"click_through": CheckOutcome.PASSED}
    dearer = judged(before, cost_of_errors(costs), days=14, items=3)
    assert outcomes(dearer) == {"cost_of_errors": CheckOutcome.FAILED}


def test_a_material_fall_is_told_where_it_is(before):
    """Only in the app nobody clicks: the whole passes by a lenient line, and the segment alarms."""
    found = judged(before, click_through(max_drop=0.6, segments=("channel",)), days=14, app_clicks=0.02)
    both = judged(before, click_through(max_drop=0.2, segments=("channel",)), days=14, app_clicks=0.02)

    assert outcomes(found) == {
        "click_through": CheckOutcome.PASSED,
        "click_through where channel = app": CheckOutcome.FAILED,
        "click_through where channel = web": CheckOutcome.PASSED,
    }
    assert outcomes(both) == {"click_through": CheckOutcome.FAILED}
    assert "most where channel = app" in both.checks[0].sentence


def test_a_catalogue_that_shrinks_is_found_against_windows_of_its_size(before):
    """A day shows fewer items than a month does, and that is no change."""
    usual = judged(before, catalogue_size(max_drop=0.2))
    narrow = judged(before, catalogue_size(max_drop=0.2), items=4)

    assert outcomes(usual) == {"catalogue_size": CheckOutcome.PASSED}
    assert usual.metrics["reference_catalogue_size"] == pytest.approx(7.7, abs=0.3)
    assert outcomes(narrow) == {"catalogue_size": CheckOutcome.FAILED}
    assert outcomes(judged(before, catalogue_size(max_drop=0.2), days=14)) == {"catalogue_size": CheckOutcome.PASSED}


def test_a_table_of_the_workspace_is_given_by_its_name(before, tmp_path):
    @nbprod.kpi(unit="EUR", per="day")
    def margin(predictions, margins):
        return predictions["channel"].map(margins.set_index("channel")["margin"])

    path = tmp_path / "margins.parquet"
    pd.DataFrame({"channel": ["web", "app"], "margin": [1.0, 1.0]}).to_parquet(path)

    assert judged(before, margin, tables={"margins": str(path)}).metrics["margin"] == 1.0
    missing = judged(before, margin)
    assert outcomes(missing) == {"margin": CheckOutcome.FAILED}
    assert "asks for margins" in missing.checks[0].sentence


def is_before(predictions):
    return predictions["at"].iloc[0] < BEGIN + timedelta(days=HISTORY)


BAD = {
    "raises": (lambda predictions: 1 / 0, "ZeroDivisionError: division by zero"),
    "nan": (lambda predictions: float("nan"), "it is nan"),
    "all nan": (lambda predictions: predictions["price"] * np.nan, "every one of its values is NaN"),
    "infinite": (lambda predictions: predictions["price"] / 0, "infinite"),
    "text": (lambda predictions: "0.5", "it returned str"),
    "texts": (lambda predictions: predictions["channel"], "must return numbers"),
    "a frame": (lambda predictions: predictions, "it returned DataFrame"),
    "nothing": (lambda predictions: None, "it returned NoneType"),
    "too short": (lambda predictions: predictions["price"].head(3), "3 values for 120 predictions"),
    "no column": (lambda predictions: predictions["prize"], "KeyError: 'prize'"),
    "unknown table": (lambda orders: 1.0, "asks for orders"),
    "two kinds": (lambda predictions: predictions["price"] if is_before(predictions) else 1.0, "a number for some"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_kpi_is_a_failed_check_with_the_reason_and_the_rest_goes_on(before, name):
    function, reason = BAD[name]
    found = judged(before, nbprod.kpi(name="bad")(function), click_through())

    assert outcomes(found)["bad"] is CheckOutcome.FAILED
    assert reason in next(check.sentence for check in found.checks if check.subject == "bad")
    assert outcomes(found)["click_through"] in {CheckOutcome.PASSED, CheckOutcome.INCONCLUSIVE}
    assert "click_through" in found.metrics


@pytest.mark.parametrize("way", ["sleeps", "spins", "tries again"])
def test_a_slow_kpi_is_ended_where_it_is(before, way):
    """Also one that catches every exception and goes on."""

    @nbprod.kpi(limit_s=0.05)
    def slow(predictions):
        while True:
            try:
                time.sleep(5) if way == "sleeps" else None
            except Exception:
                if way == "tries again":
                    continue
                raise

    began = time.monotonic()
    found = judged(before, slow, click_through(max_drop=0.9))

    assert time.monotonic() - began < 2
    assert "longer than 0.05 s" in found.checks[0].sentence
    assert found.checks[0].outcome is CheckOutcome.FAILED
    assert outcomes(found)["click_through"] is CheckOutcome.PASSED


def test_a_time_limit_leaves_what_is_quick_alone_and_the_alarm_unset():
    with time_limit(5):
        pass
    with pytest.raises(KpiError), time_limit(0.01):
        time.sleep(1)
    time.sleep(0.03)


def test_nothing_before_and_no_outcome_yet_are_no_alarm(before):
    first = judged(before.iloc[:0], click_through())
    later = judged(before, click_through(), clicks=None)

    assert outcomes(first) == outcomes(later) == {"click_through": CheckOutcome.INCONCLUSIVE}
    assert "nothing before" in first.checks[0].sentence
    assert "no outcome" in later.checks[0].sentence
    assert first.checks[0].value is later.checks[0].value is None


def values(kpi, rows):
    return kpi_values(kpi, rows, Tables({}))


def test_the_shipped_kpis_say_what_a_count_by_hand_says():
    rows = pd.DataFrame(
        {
            "unit": ["a", "a", "b", None, "c"],
            "outcome": [0.0, 1.0, 0.0, 1.0, None],
            "price": [5.0, 10.0, 20.0, 8.0, 9.0],
            "prediction": ["x", "y", "x", "y", "x"],
        }
    )

    assert values(completed_share(), rows).tolist()[:1] + values(completed_share(), rows)[2:4].tolist() == [1, 0, 1]
    assert np.isnan(values(completed_share(), rows)[[1, 4]]).all()
    assert np.nanmean(values(click_through(), rows)) == 0.5
    assert np.nanmean(values(revenue_per_prediction(value="price"), rows)) == 18 / 4
    assert values(catalogue_size(order=2), rows) == pytest.approx(1 / (0.6**2 + 0.4**2))
    costs = cost_of_errors({("x", 0.0): 7.0, ("y", 0.0): 2.0})
    assert np.nansum(values(costs, rows)) == 14.0


def test_a_series_in_another_order_belongs_to_its_rows():
    @nbprod.kpi()
    def dearest_first(predictions):
        return predictions.sort_values("price", ascending=False)["price"]

    assert values(dearest_first, pd.DataFrame({"price": [1.0, 3.0, 2.0], "outcome": 0.0})).tolist() == [1.0, 3.0, 2.0]


def test_kpis_are_found_in_a_module_of_a_known_digest_and_in_the_notebook(tmp_path):
    path = tmp_path / "kpis.py"
    path.write_text(
        "import nbprod\nfrom nbprod.monitors.kpis import click_through\n\nclicks = click_through()\n\n"
        "@nbprod.kpi(better='lower')\ndef returns(predictions):\n    return 0.0\n"
    )
    digest = sha256(path.read_bytes()).hexdigest()
    own = catalogue_size()

    assert [kpi.name for kpi in find_kpis(path, digest=digest, here={"own": own, "x": 1})] == [
        "catalogue_size",
        "click_through",
        "returns",
    ]
    path.write_text(path.read_text() + "\n")
    with pytest.raises(SettingsError, match="not what it was"):
        find_kpis(path, digest=digest)
    with pytest.raises(SettingsError, match="two KPIs are called"):
        find_kpis(here={"a": catalogue_size(), "b": catalogue_size()})
    path.write_text("raise RuntimeError('no')")
    with pytest.raises(SettingsError, match="RuntimeError: no"):
        find_kpis(path)


@pytest.mark.parametrize(
    "how",
    [
        {"better": "more"},
        {"per": "month"},
        {"max_drop": 0.0},
        {"limit_s": 0.0},
        {"segments": "place"},
        {"name": "A B"},
    ],
)
def test_what_cannot_be_judged_is_refused_where_it_is_written(how):
    with pytest.raises(SettingsError):
        nbprod.kpi(**how)(lambda predictions: 0.0)


def test_a_name_of_nbprods_own_metrics_is_refused():
    with pytest.raises(SettingsError, match="own metrics"):
        find_kpis(here={"a": click_through(name="accuracy")})
    with pytest.raises(SettingsError):
        cost_of_errors({})
