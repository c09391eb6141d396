import functools
import io
import zipfile

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import (
    ColumnTransformer,
    TransformedTargetRegressor,
    make_column_selector,
    make_column_transformer,
)
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler, TargetEncoder
from sklearn.svm import LinearSVC

from nbprod import formats
from nbprod.errors import NotFoundError, PackageError, RefusedError, UntrustedTypesError
from nbprod.formats.pickled import PickleWarning
from nbprod.formats.trust import VERIFIED_TYPES

NUMBERS = make_column_selector(dtype_include="number")
REST = make_column_selector(dtype_exclude="number")


def frame(rows=120):
    rng = np.random.default_rng(7)
    inputs = pd.DataFrame(
        {
            "load": rng.normal(size=rows),
            "hour": rng.integers(0, 24, rows),
            "place": rng.choice(["north", "south", "west"], rows),
            "kind": pd.Categorical(rng.choice(["a", "b"], rows)),
            "holiday": rng.random(rows) > 0.7,
        }
    )
    inputs.loc[3, "load"] = np.nan
    target = np.where(inputs["load"].fillna(0) + rng.normal(size=rows) > 0, "UP", "DOWN")
    return inputs, pd.Series(target), pd.Series(rng.normal(size=rows) + inputs["hour"])


def prepare(encoder=None):
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    return ColumnTransformer([("numbers", numbers, NUMBERS), ("rest", encoder or OneHotEncoder(), REST)])


def ordinal():
    return OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)


USUAL = {
    "logreg": (make_pipeline(prepare(), LogisticRegression()), "class"),
    "sgd": (make_pipeline(prepare(), SGDClassifier(loss="log_loss", random_state=1)), "class"),
    "hgb": (make_pipeline(prepare(ordinal()), HistGradientBoostingClassifier(max_iter=3)), "class"),
    "forest": (make_pipeline(prepare(), RandomForestClassifier(3, random_state=1)), "class"),
    "calibrated": (CalibratedClassifierCV(make_pipeline(prepare(), LinearSVC()), cv=2), "class"),
    "neighbours": (make_pipeline(prepare(), KNeighborsClassifier(3)), "class"),
    "search": (GridSearchCV(make_pipeline(prepare(), LogisticRegression()), {"logisticregression__C": [1, 9]}, cv=2), "class"),
    "voting": (VotingClassifier([("a", make_pipeline(prepare(), LogisticRegression()))], voting="soft"), "class"),
    "target encoder": (make_pipeline(ColumnTransformer([("t", TargetEncoder(cv=2), ["place"])]), LogisticRegression()), "class"),
    "baseline": (DummyClassifier(strategy="prior"), "class"),
    "columns by numpy type": (make_pipeline(make_column_transformer((StandardScaler(), make_column_selector(dtype_include=np.integer)), (OneHotEncoder(), make_column_selector(dtype_exclude=[np.number, bool]))), LogisticRegression()), "class"),
    "ridge": (make_pipeline(prepare(), Ridge()), "number"),
    "hgb regression": (make_pipeline(prepare(ordinal()), HistGradientBoostingRegressor(max_iter=3, loss="quantile", quantile=0.9)), "number"),
    "boosting": (make_pipeline(prepare(), GradientBoostingRegressor(n_estimators=3)), "number"),
    "log target": (TransformedTargetRegressor(make_pipeline(prepare(), Ridge()), func=np.arcsinh, inverse_func=np.sinh), "number"),
}  # fmt: skip


@pytest.mark.parametrize("name", USUAL)
def test_a_usual_pipeline_comes_back_equal(name, tmp_path):
    """Every bit of every prediction and probability, on pandas string, category and boolean columns."""
    model, task = USUAL[name]
    inputs, labels, numbers = frame()
    model.fit(inputs, labels if task == "class" else numbers)
    skops = formats.get("skops")

    skops.write(model, tmp_path)
    again = skops.read(tmp_path, trusted=VERIFIED_TYPES)

    assert inputs["place"].dtype == "str"
    np.testing.assert_array_equal(model.predict(inputs), again.predict(inputs))
    assert model.predict(inputs).dtype == again.predict(inputs).dtype
    if hasattr(model, "predict_proba"):
        np.testing.assert_array_equal(model.predict_proba(inputs), again.predict_proba(inputs))


def test_types_beyond_the_readers_list_are_named_and_nothing_is_made(tmp_path):
    inputs, labels, _ = frame()
    skops = formats.get("skops")
    skops.write(RandomForestClassifier(2).fit(inputs[["hour"]], labels), tmp_path)

    with pytest.raises(UntrustedTypesError, match=r"sklearn\.tree\._tree\.Tree") as caught:
        skops.read(tmp_path)

    assert caught.value.types == ("sklearn.tree._tree.Tree",)
    assert "trusted=" in caught.value.hint


CHOSEN = {"from_dtype": "from_dtype", "names": ["kind"], "numbers": [1], "mask": [False, True]}


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("chosen", CHOSEN)
def test_boosting_that_encodes_categories_itself_comes_back_equal(tmp_path, chosen, nested):
    """It holds a functools.partial, which could call anything: the file says which call it is, of those known."""
    inputs, labels, _ = frame()
    rows = (
        inputs[["load", "kind"]]
        if chosen in {"from_dtype", "names"}
        else pd.DataFrame({"load": inputs["load"], "kind": inputs["hour"]})
    )
    model = HistGradientBoostingClassifier(max_iter=2, categorical_features=CHOSEN[chosen])
    model = VotingClassifier([("boosting", make_pipeline(model))], voting="soft") if nested else model
    model.fit(rows, labels)
    before = repr(model)

    formats.get("skops").write(model, tmp_path)
    again = formats.get("skops").read(tmp_path, trusted=VERIFIED_TYPES)

    np.testing.assert_array_equal(model.predict_proba(rows), again.predict_proba(rows))
    assert b"functools" not in (tmp_path / "model.skops").read_bytes()
    assert repr(model) == before
    assert repr(again) == before


def test_any_partial_is_refused(tmp_path):
    model = FunctionTransformer(functools.partial(np.clip, a_min=0, a_max=1))
    with pytest.raises(UntrustedTypesError, match="kw_args"):
        formats.get("skops").write(model, tmp_path)


def test_a_function_of_the_notebook_is_refused(tmp_path, monkeypatch):
    def halve(values):
        return values / 2

    halve.__module__, halve.__qualname__ = "__main__", "halve"
    monkeypatch.setattr("__main__.halve", halve, raising=False)
    with pytest.raises(UntrustedTypesError, match=r"only this notebook defines: halve"):
        formats.get("skops").write(FunctionTransformer(halve), tmp_path)


def test_what_skops_has_no_form_for_is_refused(tmp_path):
    with pytest.raises(PackageError, match="cannot be written as skops"):
        formats.get("skops").write(FunctionTransformer(kw_args={"stream": (value for value in [1])}), tmp_path)


@pytest.mark.parametrize("content", [b"", b"PK\x05\x06" + bytes(18), b"no archive at all"])
def test_a_file_that_is_no_skops_file_is_named(tmp_path, content):
    (tmp_path / "model.skops").write_bytes(content)
    with pytest.raises(PackageError, match=r"model\.skops cannot be read"):
        formats.get("skops").read(tmp_path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(PackageError, match=r"model\.skops does not exist"):
        formats.get("skops").read(tmp_path)


def test_a_compressed_file_is_refused_before_it_is_unpacked(tmp_path):
    """Two megabytes of zeros would become two gigabytes in memory."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", " " * 10_000_000)
    (tmp_path / "model.skops").write_bytes(packed.getvalue())
    with pytest.raises(PackageError, match="compressed"):
        formats.get("skops").read(tmp_path)


def test_pickle_needs_its_flag():
    with pytest.raises(RefusedError, match="allow_pickle=True"):
        formats.get("pickle")


def test_pickle_behind_the_flag_is_loud_and_works(tmp_path):
    inputs, labels, _ = frame()
    model = LogisticRegression().fit(inputs[["hour"]], labels)
    chosen = formats.get("pickle", allow_pickle=True)
    with pytest.warns(PickleWarning, match="runs the code"):
        chosen.write(model, tmp_path)
    with pytest.warns(PickleWarning, match="runs now"):
        again = chosen.read(tmp_path)
    np.testing.assert_array_equal(model.predict(inputs[["hour"]]), again.predict(inputs[["hour"]]))


def test_an_unknown_format_suggests_the_nearest():
    with pytest.raises(NotFoundError, match=r"Did you mean skops\?"):
        formats.get("skop")


def test_a_format_of_an_entry_point_is_found_and_cannot_replace_a_built_in(monkeypatch):
    class Plain:
        name = "plain"

        def load(self):
            return self

        def write(self, model, folder, *, trusted=()):
            (folder / "model.txt").write_text(model)

        def read(self, folder, *, trusted=(), code=None):
            return (folder / "model.txt").read_text()

    monkeypatch.setattr(formats, "entry_points", lambda group, name=None: [Plain()])
    assert formats.get("plain").name == "plain"
    assert isinstance(formats.get("plain"), formats.ModelFormat)
    assert formats.names() == ["catboost", "lightgbm", "onnx", "pickle", "plain", "skops", "xgboost"]
    assert formats.get("skops").name == "skops"
