"""Verdicts: changed only if significant and material; everything that can happen to a column has an answer."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import special

from nbprod.errors import DataError, SettingsError
from nbprod.statistics import Profile, compare
from nbprod.statistics.scores import METHODS

RANDOM = np.random.default_rng(0)
ROWS = 4000


def frame(**columns):
    return pd.DataFrame(columns)


def normal(mean=0.0, std=1.0, n=ROWS):
    return RANDOM.normal(mean, std, n)


def cauchy(n=ROWS):
    return RANDOM.standard_cauchy(n)


def one(reference, current, **options):
    return compare(frame(x=reference), frame(x=current), **options).columns["x"]


def test_same_data_is_the_same():
    values = normal()
    found = one(values, values)
    assert (found.verdict, found.p_value, found.score, found.effect) == ("same", 1.0, 0.0, 0.0)


def test_large_shift_is_changed_with_effect_and_interval_in_standard_deviations():
    found = one(normal(), normal(0.5))
    assert (found.verdict, found.method) == ("changed", "wasserstein")
    assert 0.4 < found.low < found.effect < found.high < 0.6
    assert found.effect_unit == "robust standard deviations of the reference"
    assert found.p_value < 1e-10


def test_distance_is_in_the_unit_of_the_feature():
    found = one(normal(0, 20), normal(10, 20))
    assert found.distance == pytest.approx(10, abs=2)
    assert found.score == pytest.approx(found.distance / 20, rel=0.05)


def test_small_but_certain_shift_is_watched():
    found = one(normal(n=40_000), normal(0.05, n=40_000))
    assert (found.verdict, found.significant) == ("watch", True)
    assert found.effect < 0.1


def test_window_too_small_for_a_large_change_is_inconclusive_with_the_rows_needed():
    typical = special.ndtri((np.arange(15) + 0.5) / 15) + 0.3
    found = one(normal(), typical)
    assert found.verdict == "inconclusive"
    assert found.detectable > 0.5
    assert 500 < found.rows_needed < 3000
    assert one(normal(), normal(0.3, n=found.rows_needed)).verdict == "changed"


def test_quiet_window_is_the_same_and_says_what_it_could_not_have_seen():
    """480 rows a month in which nothing happens."""
    reference = frame(x=normal(), y=RANDOM.lognormal(size=ROWS), k=RANDOM.choice(list("abcd"), ROWS))
    verdicts, last = [], None
    for _ in range(5):
        month = frame(x=normal(n=480), y=RANDOM.lognormal(size=480), k=RANDOM.choice(list("abcd"), 480))
        last = compare(reference, month)
        verdicts += [column.verdict for column in last.columns.values()]
    assert verdicts.count("inconclusive") <= 1
    assert verdicts.count("same") >= 13
    seen = last.columns["x"]
    assert 0.12 < seen.detectable < 0.25
    assert 900 < seen.rows_needed < 3000
    assert "would not have been seen" in seen.detectable_sentence
    assert "would not have been seen" in last.sentence


def test_change_that_may_or_may_not_matter_is_inconclusive_and_more_rows_tell():
    """A shift of 0.13 standard deviations: certain with 2,000 rows, material for certain with 40,000."""
    some = one(normal(n=40_000), normal(0.13, n=2000))
    many = one(normal(n=40_000), normal(0.13, n=40_000))
    assert (some.verdict, some.significant) == ("inconclusive", True)
    assert some.low < some.threshold < some.high
    assert many.verdict == "changed"
    assert many.low > many.threshold


def test_feature_of_tiny_scale_is_judged_by_its_own_scale():
    """Evidently divides by at least 0.001 and sees nothing."""
    found = one(normal(0, 1e-5), normal(5e-5, 1e-5))
    assert found.verdict == "changed"
    assert found.effect == pytest.approx(5, abs=0.2)


def test_constant_that_comes_alive_is_changed():
    found = compare(frame(x=np.full(ROWS, 0.42)), frame(x=normal(0.42, 0.1)))
    assert found.changed == ("x",)
    assert "was constant (0.42) in training; now varies, mean" in found.sentence
    assert one(np.full(ROWS, 0.42), np.full(ROWS, 0.42)).verdict == "same"
    assert one(np.full(ROWS, 0.42), np.full(ROWS, 0.43)).verdict == "changed"


def test_missing_values_are_part_of_the_verdict():
    values = normal()
    gone = np.where(np.arange(ROWS) % 10 < 9, np.nan, values)
    found = one(values, gone)
    assert found.verdict == "changed"
    assert (found.reference_missing, found.current_missing) == (0, 0.9)
    assert found.missing_p_value < 1e-100
    assert "missing in 90.0% of rows, before in 0.0%" in found.sentence


def test_infinite_values_are_a_fault_of_their_own():
    values = normal()
    found = one(values, np.where(np.arange(ROWS) % 50 == 0, np.inf, values))
    assert (found.verdict, found.current_missing, found.current_infinite) == ("changed", 0, 0.02)
    assert np.isnan(found.missing_p_value)
    assert "infinite in 2.0% of rows, before in none" in found.sentence
    assert "missing" not in found.sentence


# what happened -> the effect that must say so; 10,000 rows against 10,000
CHANGES = {
    "a tenth became zero": (normal, lambda x: np.where(RANDOM.uniform(size=len(x)) < 0.1, 0, x), "repeated"),
    "a sensor stuck in a twentieth": (
        normal,
        lambda x: np.where(RANDOM.uniform(size=len(x)) < 0.05, 0.7, x),
        "repeated",
    ),
    "the sign was lost": (cauchy, np.abs, "shift"),
    "a Cauchy moved by one": (cauchy, lambda x: x + 1, "shift"),
    "a fifth of a deviation, three rows far out": (normal, lambda x: np.r_[x[3:] + 0.2, [1e6] * 3], "shift"),
    "a hundredth times a thousand": (
        normal,
        lambda x: np.where(RANDOM.uniform(size=len(x)) < 0.01, 1000 * x, x),
        "outside",
    ),
    "a tenth is missing": (normal, lambda x: np.where(RANDOM.uniform(size=len(x)) < 0.1, np.nan, x), "missing"),
    "log-normal amounts half as large again": (lambda n: RANDOM.lognormal(0, 2, n), lambda x: 1.5 * x, "shift"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_material_change_is_changed_and_the_interval_of_its_effect_is_beyond_the_line(what):
    make, alter, effect = CHANGES[what]
    for _ in range(2):
        found = one(make(n=10_000), alter(make(n=10_000)))
        said = {each.name: each for each in found.effects}
        assert found.verdict == "changed"
        assert said[effect].low >= said[effect].line
        assert said[effect].low <= said[effect].value <= said[effect].high


# small changes that means and spreads of heavy tails hide; each is certain to a test by ranks
HIDDEN = {
    "Cauchy moved by a tenth": (cauchy, lambda x: x + 0.1),
    "Pareto times 1.05": (lambda n: RANDOM.pareto(1.2, n) + 1, lambda x: x * 1.05),
    "log-normal times 1.15": (lambda n: RANDOM.lognormal(0, 2, n), lambda x: x * 1.15),
}


@pytest.mark.parametrize("what", HIDDEN)
def test_heavy_tails_hide_no_change_from_ranks(what):
    make, alter = HIDDEN[what]
    assert sum(one(make(n=10_000), alter(make(n=10_000))).p_value < 0.05 for _ in range(5)) >= 4


def test_a_few_rows_far_out_are_seen_by_the_range():
    """1,000 rows, of which ten are a thousand times as large: chance in one of a thousand."""
    far = normal(n=1000)
    far[:12] = 1000 * np.sign(far[:12])
    assert one(normal(n=1000), far).p_value < 0.02


def test_more_rows_never_hide_a_change():
    """The interval closes in on the change from both sides: nothing, perhaps, certainly."""
    order = {"same": 0, "inconclusive": 1, "changed": 2}
    seen = [
        order[one(normal(n=n), np.where(RANDOM.uniform(size=n) < 0.05, 0.3, normal(n=n))).verdict]
        for n in (200, 2000, 20_000, 60_000)
    ]
    assert seen == sorted(seen)
    assert seen[-1] == 2


def test_series_in_the_order_of_rows_is_noticed_and_said():
    """Autocorrelation 0.9: by rows alone, four of five comparisons without a change are significant."""
    found = []
    for _ in range(8):
        noise = RANDOM.normal(size=(2, 1000))
        series = np.empty_like(noise)
        level = noise[:, 0] / np.sqrt(1 - 0.81)
        for at in range(1000):
            level = 0.9 * level + noise[:, at]
            series[:, at] = level
        found.append(compare(frame(x=series[0]), frame(x=series[1])))
    assert sum(bool(each.significant) for each in found) <= 2
    assert all("Neighbouring rows depend on each other" in each.caution for each in found)
    assert all(each.columns["x"].design > 5 for each in found)
    assert all(each.caution in each.sentence for each in found)


def test_repeated_rows_are_noticed_and_count_once():
    reference = frame(x=normal(n=2000), y=normal(n=2000))
    found = [
        compare(reference, pd.concat([frame(x=normal(n=200), y=normal(n=200))] * 5, ignore_index=True))
        for _ in range(6)
    ]
    assert all("80% of the rows repeat others" in each.caution for each in found)
    assert sum(bool(each.significant) for each in found) <= 2


def test_rows_in_any_order_are_left_alone():
    tables = {
        "drawn": frame(x=normal(), k=RANDOM.integers(0, 5, ROWS)),
        "sorted": frame(x=np.sort(normal())),
        "prices": frame(x=RANDOM.choice([1.99, 2.49, 9.95], ROWS), y=RANDOM.poisson(3, ROWS)),
        "half zeros": frame(x=np.where(RANDOM.uniform(size=ROWS) < 0.5, 0, normal())),
    }
    for name, table in tables.items():
        assert compare(table, table).caution == "", name


def test_categories_that_a_sample_misses_are_no_news():
    """Of 500 categories, 1,000 rows miss one in seven, whatever happens."""
    verdicts = []
    for _ in range(3):
        found = one(*(RANDOM.integers(0, 500, 1000).astype(str) for _ in range(2)))
        verdicts.append(found.verdict)
        assert found.unseen == ()
        assert 0.08 < found.unseen_share < 0.2
        assert found.unseen_expected == pytest.approx(found.unseen_share, abs=0.06)
    assert verdicts.count("same") >= 2
    new = np.where(RANDOM.uniform(size=1000) < 0.05, "fresh", RANDOM.integers(0, 500, 1000).astype(str))
    found = one(RANDOM.integers(0, 500, 1000).astype(str), new)
    assert found.unseen[0].value == "fresh"
    assert found.significant


def test_every_method_gives_its_score_of_a_column_of_many_values():
    a, b = normal(), normal(0.3)
    found = {method: one(a, b, methods={"x": method}) for method in METHODS}
    assert {each.verdict for each in found.values()} == {"changed"}
    assert {each.effect for each in found.values()} == {found["wasserstein"].effect}
    assert len({each.score for each in found.values()}) >= 5


def test_all_missing_and_no_rows_have_an_answer():
    values = normal()
    assert one(values, np.full(ROWS, np.nan)).verdict == "changed"
    assert one(np.full(ROWS, np.nan), values).verdict == "changed"
    assert one(np.full(ROWS, np.nan), np.full(ROWS, np.nan)).verdict == "same"
    empty = one(values, values[:0])
    assert (empty.verdict, np.isnan(empty.p_value)) == ("inconclusive", True)
    assert one(values, values[:1]).verdict == "inconclusive"


def test_rare_class_that_grows_and_new_category_are_found():
    rare = lambda share: (RANDOM.uniform(size=10_000) < share).astype(str)  # noqa: E731
    grown = one(rare(0.01), rare(0.05))
    assert (grown.verdict, grown.multiplied) == ("changed", "True")
    assert one(rare(0.01), rare(0.01)).multiplied == ""
    before = RANDOM.choice(["a", "b"], 10_000)
    after = np.where(RANDOM.uniform(size=10_000) < 0.02, "new", before)
    found = one(before, after)
    assert found.verdict == "changed"
    assert [unseen.value for unseen in found.unseen] == ["new"]
    assert found.unseen_share == pytest.approx(0.02, abs=0.005)
    assert found.unseen_bound == pytest.approx(3 / 10_000, rel=0.01)
    assert "new: 'new' (" in found.sentence


def test_column_that_is_gone_or_of_another_kind_is_changed():
    found = compare(frame(x=[1.0, 2.0] * 50, y=[1.0, 2.0] * 50), frame(x=["a", "b"] * 50, z=[1] * 100))
    assert found.changed == ("x", "y")
    assert found.columns["x"].sentence == "x holds string, where the reference has double."
    assert found.columns["y"].sentence == "y is gone."
    assert found.added == ("z",)


def test_profiles_and_frames_agree():
    a, b = (frame(x=normal(m), c=RANDOM.choice(list("abc"), ROWS)) for m in (0, 0.3))
    p = Profile.of(a)
    exact, stored = compare(a, b), compare(Profile.from_bytes(p.to_bytes()), b)
    both = compare(p, Profile.of(b, grid=p))
    assert both.to_dict() == stored.to_dict()
    for name in "xc":
        assert exact.columns[name].score == pytest.approx(stored.columns[name].score, abs=1e-3)
        assert exact.columns[name].p_value == stored.columns[name].p_value
        assert exact.columns[name].verdict == stored.columns[name].verdict
    assert compare(a, Profile.of(b)).changed == ("x",)


def test_same_input_and_seed_give_the_same_bytes_whatever_the_order_of_columns():
    a, b = (frame(x=normal(n=200), c=RANDOM.choice(list("abc"), 200)) for _ in range(2))
    first, again = (json.dumps(compare(a, b, seed=3).to_dict(), allow_nan=False) for _ in range(2))
    assert first == again
    other_order = compare(a[["c", "x"]], b[["c", "x"]], seed=3)
    assert other_order.columns["x"] == compare(a, b, seed=3).columns["x"]
    assert compare(a, b, seed=4).columns["x"].p_value != compare(a, b, seed=3).columns["x"].p_value


def test_multiplicity_is_controlled_and_worst_comes_first():
    a, b = (pd.DataFrame(RANDOM.normal(size=(500, 20))).add_prefix("x") for _ in range(2))
    b["x7"] += 1
    b["x3"] += 2
    found = compare(a, b)
    assert found.significant[:2] == ("x3", "x7")
    assert len(found.significant) <= 4
    assert sum(column.p_value < 0.05 for column in found.columns.values()) >= len(found.significant)


def test_numbers_of_few_values_are_compared_like_categories():
    found = one(RANDOM.integers(0, 3, ROWS), RANDOM.integers(0, 3, ROWS))
    assert (found.method, found.verdict) == ("jensenshannon", "same")
    assert one(RANDOM.integers(0, 3, ROWS), RANDOM.integers(0, 40, ROWS)).method == "wasserstein"


def test_threshold_and_method_can_be_set():
    a, b = frame(x=normal()), frame(x=normal(0.3))
    found = compare(a, b, thresholds={"x": 0.6}, methods={"x": "psi"}).columns["x"]
    assert (found.verdict != "changed", found.method, found.threshold) == (True, "psi", 0.6)
    assert found.significant
    assert compare(a, b).changed == ("x",)
    with pytest.raises(SettingsError, match="no drift method 'pis'"):
        compare(a, b, methods={"x": "pis"})
    with pytest.raises(SettingsError, match="no column 'z'"):
        compare(a, b, columns=["z"])
    with pytest.raises(SettingsError, match="alpha=5"):
        compare(a, b, alpha=5)


def test_profiles_on_different_grids_are_refused():
    p, q = (Profile.of(frame(x=normal())) for _ in range(2))
    with pytest.raises(DataError, match="two grids"):
        compare(p, q)


def test_blocks_of_time_silence_slow_change_that_rows_alone_would_report():
    days = 120
    at = pd.date_range("2026-01-01", periods=days * 24, freq="h")
    level = np.repeat(RANDOM.normal(size=days), 24)
    data = frame(x=level + 0.1 * RANDOM.normal(size=days * 24), at=at)
    reference, current = data.iloc[: 100 * 24], data.iloc[100 * 24 : 102 * 24]
    by_rows = compare(reference.sample(frac=1, random_state=0), current.sample(frac=1, random_state=0), columns=["x"])
    by_days = compare(Profile.of(reference, time="at"), current)
    assert by_rows.columns["x"].p_value < 0.01
    assert by_days.columns["x"].p_value > 0.05
    assert (by_days.blocks, list(by_days.columns)) == ("1d", ["x"])
    shifted = compare(Profile.of(reference, time="at"), current.assign(x=current["x"] + 10))
    assert shifted.changed == ("x",)
    with pytest.raises(SettingsError, match="no blocks of time"):
        compare(reference, current, blocks=True)


def test_comparison_shows_itself_escaped():
    found = compare(pd.DataFrame({"<b>": normal()}), pd.DataFrame({"<b>": normal(1)}))
    assert repr(found) == "<DriftComparison 1 columns, 1 changed: <b>>"
    assert "<b>" not in found._repr_html_()
