"""What a server answers: predictions, the error contract, outcomes, and the two protocols clients bring along."""

import json

import pytest

from tests.integration.serving.conftest import ROW

pytestmark = pytest.mark.slow


@pytest.fixture
def server(serve):
    return serve()


def test_predictions_are_those_of_the_package_and_are_kept(server, serve, workspace, wait_for):
    """An answer is what the package gives; ids, unit, version and inputs without private ones end up in the table."""
    rows = [ROW, {**ROW, "load": None, "place": "west"}, {**ROW, "hour": 20, "kind": "b"}]
    status, told = server.predict(*rows, unit="u-1")
    assert (status, told["deployment"], told["version"]) == (200, "power", "power/1")
    expected = workspace.packages.load(workspace.models.resolve("power/1").package).predict(rows)
    assert [one["prediction"] for one in told["predictions"]] == expected["prediction"].tolist()
    given = [one["probability"] for one in told["predictions"]]
    assert given == pytest.approx(expected["probability"].tolist(), abs=1e-12)
    assert server.json("POST", "/predict", {"rows": []})[1]["predictions"] == []

    wait_for(lambda: workspace.lake.predictions("power").window().count() == 3)
    kept = {row["prediction_id"]: row for row in workspace.lake.window("power").to_table().to_pylist()}
    first = kept[told["predictions"][0]["prediction_id"]]
    assert (first["version"], first["arm"], first["share"], first["unit"]) == ("power/1", "stable", 0.0, "u-1")
    assert (first["prediction"], first["input_hour"], first["input_kind"]) == (expected["prediction"][0], 3.0, "a")
    assert 0 < first["latency_ms"] < 60_000
    assert not any("place" in name for name in first)


def test_what_is_wrong_is_told_by_row_and_field_and_never_by_value(server):
    """422 and a list of records; every fault of every row; the nearest name; nothing that was sent."""
    secret = "s3cret-value"
    status, told = server.predict(
        {**ROW, "load": secret},
        {"lod": 1, "hour": 3.5, "place": "north", "kind": None, "holiday": "yes"},
        {**ROW, "hour": [secret]},
    )
    assert status == 422
    assert {tuple(one) for one in told} == {("row", "field", "problem", "expected")}
    found = {(one["row"], one["field"]): one["problem"] for one in told}
    assert found.keys() >= {
        (0, "load"),
        (1, "load"),
        (1, "lod"),
        (1, "hour"),
        (1, "kind"),
        (1, "holiday"),
        (2, "hour"),
    }
    assert "did you mean load" in next(one["expected"] for one in told if one["field"] == "lod")
    assert secret not in json.dumps(told)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b'{"rows": [{"load": NaN}]}', 400),
        (b'{"rows": [{"load": 1e999}]}', 400),
        (b'{"rows": [{"load": Infinity}]}', 400),
        (b'{"rows": [{"kind": "\\ud800"}]}', 400),
        (b'{"rows": [], "rows": []}', 400),
        (b'{"rows": [{"load": 1, "load": 1, "hour": 3, "place": "x", "kind": "a", "holiday": true}]}', 400),
        (b'{"rows": [{"kind": "unit", "load": 1, "load": 1, "hour": 3, "place": "x", "holiday": true}]}', 400),
        (b'{"rows": [{"load": 1' + b"0" * 5000 + b"}]}", 400),
        (b"\xff\xfe", 400),
        (b"[" * 100_000, 400),
        (b'{"rows": ' + b"[" * 100_000, 400),
        (b"[]", 422),
        (b"null", 422),
        (b'{"rows": 1}', 422),
        (b'{"rows": [1]}', 422),
        (b'{"rows": [], "colour": 1}', 422),
        (b'{"rows": [], "unit": 3}', 422),
        (b'{"rows": [], "unit": ""}', 422),
        (b'{"rows": [{}]}', 422),
        (
            b'{"rows": [{"load": 1e300, "hour": 99999999999999999999, "place": "", "kind": "a", "holiday": true}]}',
            422,
        ),
    ],
    ids=range(22),
)
def test_bodies_are_strict_json_of_one_form(server_of_module, body, status):
    told, answer = server_of_module.json("POST", "/predict", body)
    assert told == status
    assert isinstance(answer, list) if status == 422 else answer["error"]


def test_outcomes_are_kept_and_reported(server, workspace, wait_for):
    """By id and by unit, before and after their prediction reached the table; repeats and unknown ids are named."""
    first, second = (server.predict(unit=unit)[1]["predictions"][0]["prediction_id"] for unit in ("u-1", "u-2"))
    status, told = server.json(
        "POST",
        "/outcomes",
        {
            "outcomes": [
                {"prediction_id": first, "outcome": "UP"},
                {"unit": "u-2", "outcome": "DOWN"},
                {"prediction_id": "nobody", "outcome": "UP"},
                {"prediction_id": "nobody", "outcome": "DOWN"},
            ]
        },
    )
    assert (status, told["added"], told["matched"]) == (200, 4, 2)
    assert (told["unknown"], told["repeated"]) == (["nobody"], ["nobody"])
    again = server.json("POST", "/outcomes", {"outcomes": [{"prediction_id": first, "outcome": "DOWN"}]})[1]
    assert again["repeated"] == [first]

    def outcomes():
        rows = workspace.lake.window("power").to_table(["prediction_id", "outcome"]).to_pylist()
        return {row["prediction_id"]: row["outcome"] for row in rows}

    wait_for(lambda: outcomes() == {first: "DOWN", second: "DOWN"})
    for body, field in [
        ({"outcomes": [{"prediction_id": first, "outcome": "SIDEWAYS"}]}, "outcome"),
        ({"outcomes": [{"outcome": "UP"}]}, "prediction_id"),
        ({"outcomes": [{"unit": "u", "outcome": "UP", "at": "yesterday"}]}, "at"),
        ({"outcome": []}, "outcomes"),
    ]:
        status, told = server.json("POST", "/outcomes", body)
        assert (status, told[0]["field"]) == (422, field)


def test_mlflow_clients_move_over(server_of_module, workspace):
    """The four JSON forms and CSV of MLflow's scoring protocol give what the package gives."""
    server = server_of_module
    names = list(ROW)
    forms = [
        {"dataframe_split": {"columns": names, "data": [[ROW[name] for name in names]]}},
        {"dataframe_records": [ROW]},
        {"instances": [ROW]},
        {"inputs": {name: [value] for name, value in ROW.items()}},
    ]
    answers = [server.json("POST", "/invocations", form) for form in forms]
    header, line = ",".join(names), ",".join(str(ROW[name]) for name in names)
    text = {"content-type": "text/csv"}
    answers.append(server.json("POST", "/invocations", f"{header}\n{line}\n".encode(), headers=text))
    (expected,) = server.predict()[1]["predictions"]
    del expected["prediction_id"]
    assert answers == [(200, {"predictions": [expected]})] * 5
    assert server.ask("GET", "/ping")[0] == 200
    assert server.ask("POST", "/invocations", b"x", {"content-type": "text/xml"})[0] == 415
    assert server.json("POST", "/invocations", {"dataframe_records": [{"load": 1}]})[0] == 422
    assert server.json("POST", "/invocations", {"rows": []})[0] == 422


def test_unseen_categories_are_counted_and_refused_or_alarmed_by_policy(serve, workspace, wait_for):
    """Accepted and counted by default; refused as a problem of the field; alarmed as an open alert."""
    workspace.deployments.create("strict", model="power/1", unseen="refuse")
    workspace.deployments.create("loud", model="power/1", unseen="alarm")
    odd = {**ROW, "kind": "never-seen"}
    plain, strict, loud = serve("power"), serve("strict"), serve("loud")
    assert plain.predict(odd)[0] == 200
    assert plain.metrics()['nbprod_unseen_categories_total{column="kind"}'] == 1
    status, told = strict.predict(ROW, odd)
    assert (status, told[0]["row"], told[0]["field"], told[0]["problem"]) == (422, 1, "kind", "unseen")
    assert loud.predict(odd)[0] == 200
    (alert,) = wait_for(lambda: workspace.alerts.list("loud"))
    assert (alert.check, alert.subject) == ("unseen", "kind")
    assert not workspace.alerts.list("power")


def test_an_external_or_unknown_deployment_is_not_served(serve, workspace):
    workspace.deployments.create("theirs", external=True, task="classification")
    with pytest.raises(AssertionError, match=r"(?s)ended with 3: .*nbprod does not have its model"):
        serve("theirs")
    with pytest.raises(AssertionError, match=r"(?s)ended with 4: .*Did you mean power"):
        serve("powr")
