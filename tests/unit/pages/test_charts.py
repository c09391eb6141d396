import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbprod.domain.check import CheckOutcome
from nbprod.domain.run import CellResult, CellStatus, EndCause
from nbprod.pages.charts import (
    IntervalRow,
    Lane,
    Limit,
    Mark,
    Series,
    Span,
    bars,
    cell_timeline,
    histogram_pair,
    intervals,
    lanes,
    sparkline,
    trend,
)
from nbprod.pages.svg import fit, nice_ticks, short, time_ticks

SVG = "{http://www.w3.org/2000/svg}"
MONTHS = [datetime(1997, month, 1, tzinfo=UTC) for month in range(1, 7)]
START = datetime(2026, 1, 1, tzinfo=UTC)

numbers = st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True), st.integers(-(10**18), 10**18))
words = st.text(max_size=40).map(lambda text: text.replace("\ud800", ""))


def texts(svg):
    nodes = ET.fromstring(svg).iter(f"{SVG}text")
    return [(node.text or "") + "".join(child.tail or "" for child in node) for node in nodes]


def test_a_trend_says_in_words_what_it_shows():
    svg = trend(
        "Accuracy",
        [Series(name="accuracy", x=MONTHS, y=[0.83, 0.84, None, 0.75, 0.82, 0.62])],
        marks=[Mark(x=datetime(1997, 4, 1, tzinfo=UTC), label="electricity/2")],
        limits=[Limit(y=0.78, label="alarm below 0.78")],
    )
    label = ET.fromstring(svg).get("aria-label")
    assert label.startswith("Accuracy. accuracy: 5 points, 0.83 at 1 Jan 1997, 0.62 at 1 Jun 1997")
    assert "limit alarm below 0.78 at 0.78" in label
    assert "electricity/2 at 1 Apr 1997" in label
    assert {"electricity/2", "alarm below 0.78", "0.62"} <= set(texts(svg))


def test_a_missing_value_is_a_gap_and_not_a_zero():
    svg = trend("t", [Series(name="a", x=[0.0, 1.0, 2.0, 3.0, 4.0], y=[1, 2, float("nan"), 3, 4])])
    assert svg.count("<polyline") == 2


def test_values_are_drawn_in_order_of_time():
    ordered = trend("t", [Series(name="a", x=[0.0, 1.0, 2.0], y=[1, 2, 3])])
    assert trend("t", [Series(name="a", x=[2.0, 0.0, 1.0], y=[3, 1, 2])]) == ordered


def test_end_labels_of_close_lines_do_not_cover_each_other():
    svg = trend("t", [Series(name=name, x=[0.0, 1.0], y=[1, y]) for name, y in (("a", 2.0), ("b", 2.001))])
    tops = [
        float(node.get("y")) for node in ET.fromstring(svg).iter(f"{SVG}text") if node.get("font-weight") == "600"
    ]
    assert abs(tops[0] - tops[1]) >= 12


@pytest.mark.parametrize(
    "svg",
    [
        trend("t", []),
        trend("t", [Series(name="a", x=MONTHS, y=[None] * 6)]),
        sparkline("t", []),
        bars("t", {}),
        histogram_pair("t", [], []),
        histogram_pair("t", [0, 0], [0, None]),
        intervals("t", []),
        lanes("t", [], until=START),
    ],
)
def test_no_values_make_a_picture_that_says_so(svg):
    assert ET.fromstring(svg).find(f"{SVG}desc").text in {"no data yet", "—"}


def test_no_cells_make_a_timeline_that_says_so():
    assert texts(cell_timeline("t", [])) == ["no cell was executed"]


@given(values=st.lists(numbers, max_size=30), name=words)
def test_every_picture_of_any_numbers_is_well_formed_and_the_same_again(values, name):
    x = [float(n) for n in range(len(values))]
    drawings = [
        lambda: trend(
            name, [Series(name=name, x=x, y=values, low=values, high=values)], limits=[Limit(y=1, label=name)]
        ),
        lambda: sparkline(name, values),
        lambda: bars(name, {f"{name}{n}": value for n, value in enumerate(values)}),
        lambda: histogram_pair(name, values, values[::-1], labels=[name] * len(values)),
        lambda: intervals(name, [IntervalRow(label=name, value=v, low=v, high=v) for v in values], rule=0.5),
    ]
    for draw in drawings:
        svg = draw()
        assert svg == draw()
        assert "nan" not in svg.replace(name, "").lower()
        if name.isprintable():
            ET.fromstring(svg)


def test_shares_are_compared_and_not_counts():
    svg = histogram_pair("t", [10, 10], [1000, 1000], edges=[0, 1, 2])
    assert "0% of the distribution lies in other bins" in svg


def test_the_share_that_moved_is_said():
    assert "100% of the distribution lies in other categories" in histogram_pair(
        "t", [5, 0], [0, 9], labels=["a", "b"]
    )


def test_an_outcome_is_a_sign_and_a_word():
    svg = intervals(
        "t", [IntervalRow(label="gain", value=0.2, low=0.1, high=0.3, outcome=CheckOutcome.INCONCLUSIVE)], rule=0.01
    )
    assert "0.2 (0.1 to 0.3)  ? inconclusive" in texts(svg)


def test_a_timeline_names_the_cell_that_failed_and_why():
    cells = [
        CellResult(
            id="load",
            index=0,
            status=CellStatus.COMPLETED,
            started_at=START,
            ended_at=START + timedelta(seconds=2),
            cpu_s=1.0,
            peak_memory_mb=212.4,
        ),
        CellResult(
            id="train",
            index=1,
            status=CellStatus.FAILED,
            cause=EndCause.OUT_OF_MEMORY,
            started_at=START + timedelta(seconds=2),
            ended_at=START + timedelta(seconds=9),
        ),
        CellResult(id="test", index=2, status=CellStatus.SKIPPED),
    ]
    svg = cell_timeline("Cells", cells, titles={"load": "Load the data"})
    assert {"✓", "✕", "Load the data", "2.0 s · 212 MB", "7.0 s · out-of-memory", "not run"} <= set(texts(svg))
    label = ET.fromstring(svg).get("aria-label")
    assert "1 completed, 1 failed, 1 skipped; longest train with 7.0 s; train failed (out-of-memory)" in label


def test_more_cells_than_fit_are_counted():
    cells = [CellResult(id=f"c{n}", index=n, status=CellStatus.PENDING) for n in range(70)]
    assert "and 10 more cells, in the notebook" in texts(cell_timeline("t", cells))


def test_an_open_span_reaches_to_now():
    spans = [Span(start=MONTHS[0], end=MONTHS[2], label="1"), Span(start=MONTHS[2], end=None, label="2")]
    svg = lanes("t", [Lane(label="m@champion", spans=spans)], until=MONTHS[5])
    assert "m@champion 2 from 1997-03-01 to now" in ET.fromstring(svg).get("aria-label")


@given(st.floats(-1e12, 1e12), st.floats(-1e12, 1e12))
def test_ticks_cover_the_values(a, b):
    low, high = min(a, b), max(a, b)
    ticks = nice_ticks(low, high)
    assert 2 <= len(ticks) <= 12
    slack = 1e-6 * max(abs(low), abs(high), ticks[1] - ticks[0])
    assert ticks[0] <= low + slack
    assert ticks[-1] >= high - slack


@given(st.datetimes(datetime(1980, 1, 1), datetime(2080, 1, 1)), st.floats(60, 40 * 366 * 86400))  # noqa: DTZ001
def test_ticks_of_time_lie_inside_and_are_few(start, span):
    low = start.replace(tzinfo=UTC).timestamp()
    ticks = time_ticks(low, low + span, 4)
    assert len(ticks) <= 7
    assert all(low <= at <= low + span for at, _ in ticks)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (600.5, "600"),
        (0.8421, "0.842"),
        (0.80, "0.8"),
        (17664, "17,664"),
        (1_500_000, "1.5 M"),
        (-0.00001, "-1.0e-05"),
        (0, "0"),
        (None, "—"),
        (float("inf"), "—"),
        (100.0, "100"),
    ],
)
def test_numbers_are_short(value, said):
    assert short(value) == said


def test_a_long_label_is_cut_with_a_mark():
    assert fit("a" * 100, 60).endswith("…")
