import numpy as np
import pandas as pd
import pytest

from nbprod.compiled import CompiledModel, CompiledPredictor, Plan
from nbprod.compiled.certificate import Certificate
from nbprod.compiled.compiling import compile_model
from nbprod.datasets.schema import infer_schema
from nbprod.packages.loader import outputs
from nbprod.packages.rows import check_rows

NUMBERS = ["load", "price", "size", "hour"]
ROWS = 160


def make_frame(seed=5, rows=ROWS):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "load": rng.normal(size=rows),
            "price": rng.normal(size=rows) * 100 + 5,
            "size": np.exp(rng.normal(size=rows)),
            "hour": rng.integers(0, 24, rows),
            "place": rng.choice(["north", "south", "west", "east"], rows, p=[0.5, 0.3, 0.15, 0.05]),
            "side": rng.choice(["left", "right"], rows),
            "holiday": rng.random(rows) > 0.6,
            "at": pd.Timestamp("2024-02-01") + pd.to_timedelta(rng.integers(0, 10**8, rows), unit="s"),
            "note": rng.choice(["big red fox", "small Dog ran", "a fox ran FAR", "Ünï öx 12"], rows),
        }
    )
    frame.loc[rng.random(rows) < 0.1, "load"] = np.nan
    frame.loc[rng.random(rows) < 0.1, "place"] = None
    return frame


def make_target(frame, task):
    noise = np.random.default_rng(1).normal(size=len(frame)) * 0.5
    score = frame["load"].fillna(0) + (frame["place"] == "north") + noise
    if task == "regression":
        return pd.Series(np.exp(score), name="demand")
    if task == "three":
        return pd.Series(np.select([score < -0.3, score > 0.8], ["low", "high"], "mid"), name="level")
    return pd.Series(np.where(score > 0.5, "UP", "DOWN"), name="class")


def schema_of(model, frame, target, task):
    return infer_schema(
        frame,
        target=str(target.name),
        task="regression" if task == "regression" else "classification",
        classes=list(getattr(model, "classes_", ())),
        probabilistic=task != "regression" and hasattr(model, "predict_proba"),
        time=None,
        private=frozenset(),
    )


def predictor_of(model, schema, **options):
    plan = compile_model(model, schema, **options)
    plan = Plan.read(plan.files().__getitem__)  # as it comes out of a package
    return CompiledPredictor(CompiledModel(plan), schema, Certificate(compiled=True, passed=True, sentence=""))


def records(frame):
    plain = frame.astype(object).where(frame.notna(), None)
    return [dict(zip(plain.columns, row, strict=True)) for row in plain.itertuples(index=False, name=None)]


def hold(model, frame, task, *, rows=60, tolerance=1e-12, codes=False):
    """Compare both paths of the compiled model with the pipeline, and the paths with each other, exactly."""
    target = make_target(frame, task)
    if codes:  # of the classes, instead of their names
        target = target.astype("category").cat.codes.astype("int64").rename("code")
    model.fit(frame, target)
    schema = schema_of(model, frame, target, task)
    predictor = predictor_of(model, schema)
    checked = check_rows(frame.head(rows), schema).frame
    described = {"task": schema.task, "classes": schema.classes, "probabilistic": schema.probabilistic}
    expected = outputs(model, checked, described)
    many = pd.DataFrame(predictor.predict_columns(checked))
    one = pd.DataFrame([predictor.predict(predictor.check(row).values) for row in records(checked)])
    for name in expected.columns:
        if schema.task == "classification" and name == "prediction":
            assert many[name].tolist() == expected[name].tolist()
        else:
            scale = max(1.0, float(np.abs(expected[name]).max()))
            np.testing.assert_allclose(many[name], expected[name], rtol=0, atol=tolerance * scale)
    pd.testing.assert_frame_equal(one, many, check_exact=True, check_dtype=False)
    return predictor


@pytest.fixture(scope="session")
def frame():
    """Rows of every kind, with gaps; tests do not change it."""
    return make_frame()
