import json
import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from pandas.testing import assert_frame_equal

from nbprod.domain.check import CheckOutcome, CheckResult
from nbprod.domain.record import RECORD_TYPE
from nbprod.errors import DataError, EnvironmentProblem, NotebookError, NotFoundError, StoreError
from nbprod.recording import record

PASSED = CheckResult(name="gain", outcome=CheckOutcome.PASSED, sentence="it gains", value=0.02)
FAILED = CheckResult(name="slice", outcome=CheckOutcome.FAILED, sentence="the north loses")


def test_results_are_read_back_by_name_and_the_later_one_wins(read_back, by_hand):
    record(roc_auc=np.float64(0.93), rows=1200, note="x", ok=True, share=np.float32(0.1), lost=float("nan"))
    record(roc_auc=0.94)
    records = read_back()
    assert dict(records) | {"lost": 0} == {
        "rows": 1200,
        "note": "x",
        "ok": True,
        "share": np.float32(0.1),
        "lost": 0,
        "roc_auc": 0.94,
    }
    assert list(records.metrics) == ["rows", "share", "lost", "roc_auc"]
    assert records.metrics["roc_auc"] == 0.94
    assert all(type(value) is float for value in records.metrics.values())


def test_checks_are_gathered_in_order(read_back, by_hand):
    record(gate=PASSED, slices=[FAILED, PASSED], both=(FAILED,), empty=[], other=[1])
    assert read_back().checks == (PASSED, FAILED, PASSED, FAILED)
    assert read_back()["gate"] == PASSED


def test_what_people_see_is_escaped(outputs, by_hand):
    record(**{"<b>": "<script>alert(1)</script>"}, table=pd.DataFrame({"<i>": ["<script>"]}))
    for output in outputs:
        assert "<script>" not in output["data"]["text/html"]
        assert "<b>" not in output["data"]["text/html"]
        assert "<i>" not in output["data"]["text/html"]


def test_plain_results_share_one_output(outputs, by_hand):
    record(a=1, b=2.0, table=pd.DataFrame({"x": [1]}), c="three")
    assert [output["data"]["text/plain"].splitlines()[0] for output in outputs] == [
        "a = 1",
        "table: 1 rows, 1 columns",
    ]
    assert [one["name"] for one in outputs[0]["data"][RECORD_TYPE]["records"]] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (object(), "^a cannot be recorded: it is or holds a value of the type object"),
        ([1, {"x": len}], "a cannot be recorded: it is or holds a value of the type builtin_function_or_method"),
        (pd.DataFrame({"c": [1 + 1j]}), "a cannot be recorded: .* column 'c' of complex128"),
        ([0] * 1_000_000, "a is too large for a notebook: .* characters"),
    ],
)
def test_what_cannot_be_kept_is_refused_and_nothing_is_shown(outputs, by_hand, value, message):
    with pytest.raises(DataError, match=message) as caught:
        record(good=1, a=value)
    assert caught.value.hint
    assert outputs == []


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 201])
def test_a_name_that_cannot_be_shown_is_refused(by_hand, name):
    with pytest.raises(DataError, match="cannot be the name of a result"):
        record(**{name: 1})


def test_a_large_table_is_a_file_of_the_run_named_by_its_digest(read_back, outputs, run_folder):
    table = pd.DataFrame({"x": np.random.default_rng(0).random(60_000)})
    record(table=table)
    (file,) = (run_folder / "files").iterdir()
    node = outputs[0]["data"][RECORD_TYPE]["records"][0]["value"]
    assert node["sha256"] + ".arrow" == file.name
    assert node["bytes"] == file.stat().st_size
    assert len(json.dumps(outputs[0]["data"])) < 10_000
    assert_frame_equal(read_back(run_folder)["table"], table)
    assert list(read_back(run_folder).tables) == ["table"]


def test_a_large_array_too(read_back, run_folder):
    record(array=np.arange(100_000.0))
    assert (read_back(run_folder)["array"] == np.arange(100_000.0)).all()


def test_a_changed_or_missing_file_is_noticed(read_back, run_folder):
    record(table=pd.DataFrame({"x": np.random.default_rng(0).random(60_000)}), rows=3)
    (file,) = (run_folder / "files").iterdir()
    content = bytearray(file.read_bytes())
    content[1000] ^= 1
    file.write_bytes(content)
    with pytest.raises(NotebookError, match=r"recorded as 'table' is damaged: .*\.arrow has been changed"):
        read_back(run_folder)["table"]
    file.unlink()
    with pytest.raises(NotebookError, match=r"recorded as 'table' is not there: .* is missing from"):
        read_back(run_folder)["table"]
    with pytest.raises(NotebookError, match="in the run's folder, which was not given"):
        read_back()["table"]
    assert read_back().metrics == {"rows": 3.0}, "the numbers need no file"


def test_a_large_table_recorded_by_hand_is_only_shown(read_back, by_hand):
    record(table=pd.DataFrame({"x": np.random.default_rng(0).random(60_000)}))
    with pytest.raises(NotebookError, match=r"is not there: it was not kept: .* recorded outside of a run"):
        read_back()["table"]


def test_private_columns_stay_out_of_tables(read_back, outputs, run_folder):
    frame = pd.DataFrame({"customer": ["ann", "bob"], "x": [1, 2]})
    record(table=frame, by=frame.set_index("customer"), both=frame.set_index(["customer", "x"]).assign(y=1))
    records = read_back(run_folder)
    assert_frame_equal(records["table"], frame[["x"]])
    assert_frame_equal(records["by"], frame[["x"]])
    assert_frame_equal(records["both"], pd.DataFrame({"y": [1, 1]}, index=pd.Index([1, 2], name="x")))
    assert "left out as private: customer" in outputs[0]["data"]["text/plain"]
    assert "ann" not in json.dumps([output["data"] for output in outputs])
    with pytest.raises(DataError, match="it holds the values of customer"):
        record(series=frame["customer"])


def figure(points=3):
    drawn = Figure()
    axes = drawn.subplots()
    axes.plot(range(points), range(points))
    axes.set(title="ROC <curve>", xlabel="false positives", ylabel="true positives")
    return drawn


def test_a_figure_is_an_svg_with_words(read_back, outputs, by_hand):
    record(roc=figure())
    found = read_back().figures["roc"]
    assert (found.title, found.alt) == ("ROC <curve>", "ROC <curve>: true positives against false positives")
    assert found.media_type == "image/svg+xml"
    assert found.content.startswith('<svg role="img" aria-label="ROC &lt;curve&gt;: true positives')
    assert "http-equiv" not in found.content
    assert found.source.startswith("data:image/svg+xml;base64,")
    assert read_back()["roc"] == found


def test_the_same_figure_is_the_same_bytes(outputs, by_hand):
    record(roc=figure())
    record(roc=figure().axes[0])
    first, second = (output["data"]["image/svg+xml"] for output in outputs)
    assert first == second


def test_a_drawing_that_is_too_large_becomes_a_picture(read_back, by_hand):
    big = figure()
    big.axes[0].scatter(*np.random.default_rng(0).random((2, 20_000)))
    record(cloud=big)
    assert read_back().figures["cloud"].media_type == "image/png"


def test_a_label_is_the_alternative_text(read_back, by_hand):
    labelled = figure()
    labelled.set_label("It rises.")
    record(roc=labelled)
    assert read_back().figures["roc"].alt == "It rises."


def test_a_recorded_figure_is_not_shown_a_second_time(by_hand, outputs):
    import matplotlib.pyplot as plt

    with mpl.rc_context({"backend": "agg"}):
        drawn, _ = plt.subplots()
        record(roc=drawn)
        assert not plt.fignum_exists(drawn.number)


def test_an_unknown_name_names_the_nearest(read_back, by_hand):
    record(roc_auc=1)
    with pytest.raises(NotFoundError, match="Nothing is recorded as 'roc_acu'") as caught:
        read_back()["roc_acu"]
    assert "Did you mean roc_auc?" in caught.value.hint


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda content: content.update(format=99), "has format 99; this nbprod reads up to 1"),
        (lambda content: content.update(records=5), "is damaged"),
        (lambda content: content["records"].append({"name": 5}), "is damaged"),
        (lambda content: content["records"][0].update(value={"type": "frame"}), "'a' is damaged"),
        (
            lambda content: content["records"][0].update(value={"type": "os.system", "value": "x"}),
            "'a' is damaged: 'os.system' is not a kind",
        ),
        (
            lambda content: content["records"][0].update(
                value={"type": "array", "scalar": False, "sha256": "../../etc/passwd"}
            ),
            "its digest is not a digest",
        ),
        (lambda content: content["records"][0].update(value={"type": "check", "value": {"x": 1}}), "'a' is damaged"),
        (
            lambda content: content["records"][0].update(value={"type": "figure", "media_type": "text/html"}),
            "is not in the notebook",
        ),
        (lambda content: content["records"][0].update(value={}), "'a' is damaged"),
        (lambda content: content["records"][0].update(value=[{"type": "datetime", "value": 5}]), "'a' is damaged"),
    ],
)
def test_a_damaged_record_is_an_error_that_names_it(read_back, outputs, run_folder, spoil, message):
    record(a=1)
    spoil(outputs[0]["data"][RECORD_TYPE])
    with pytest.raises(NotebookError, match=message):
        read_back(run_folder)["a"]


def test_without_ipython_the_results_are_printed():
    """A template converted to a script still says what it found; nothing heavy is imported for a number."""
    code = (
        "import sys, nbprod; nbprod.record(auc=0.5, rows=1200)\n"
        "print(sorted({'pandas', 'numpy', 'IPython', 'nbformat', 'pyarrow', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "auc = 0.5\nrows = 1,200\n[]\n"


def test_a_run_folder_that_is_gone_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("NBPROD_RUN", str(tmp_path / "gone"))
    with pytest.raises(EnvironmentProblem, match=r"NBPROD_RUN names .*gone, which is not a folder"):
        record(a=1)
    (tmp_path / "gone").mkdir()
    (tmp_path / "gone" / "run.json").write_text("{")
    with pytest.raises(EnvironmentProblem, match=r"run\.json cannot be read"):
        record(a=1)


def test_a_full_disk_is_told(run_folder, outputs, monkeypatch):
    import os

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left"):
        record(array=np.arange(100_000.0))
    assert outputs == []
    assert list((run_folder / "files").iterdir()) == []
