"""Reviews around a real server: handed out and answered over HTTP, by command and file from other processes."""

import csv
import json
import os
import subprocess
import sys

import pytest

from tests.integration.serving.conftest import ROW

RULES = "uncertain:0.2, random:1"


@pytest.fixture
def nbprod(workspace):
    """``nbprod review …`` in a process of its own."""

    def run(*arguments):
        done = subprocess.run(
            [sys.executable, "-m", "nbprod", "review", *arguments],
            env={**os.environ, "NBPROD_WORKSPACE": str(workspace.folder)},
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    return run


def test_people_review_what_a_server_predicts(workspace, serve, nbprod, wait_for, tmp_path):
    """Three people in three processes share the queue, and each answer is an outcome with name and time."""
    token = workspace.tokens.create("all", scopes=["admin"])
    looking = workspace.tokens.create("reviewer", scopes=["review"])
    other = workspace.tokens.create("other", scopes=["predict", "read"])
    server = serve(token=token)
    workspace.deployments.set_review("power", RULES)
    wait_for(lambda: server.predict(ROW)[0] == 200 and workspace.review.count("power") > 0)  # followed, and drained
    status, answer = server.predict(*[{**ROW, "load": step / 10, "hour": step} for step in range(12)])
    assert status == 200
    made = {one["prediction_id"]: one["prediction"] for one in answer["predictions"]}
    wait_for(lambda: {one.prediction_id for one in workspace.review.list("power", limit=None)} >= {*made})
    waiting = workspace.review.count("power")

    # over HTTP: only with the scope, only what is asked, without private columns and without the model's answer
    server.token = other
    assert server.json("GET", "/review?reviewer=ann")[0] == 403
    server.token = looking
    status, given = server.json("GET", "/review?reviewer=ann&limit=3")
    assert status == 200
    assert given["asked"] == {"target": "class", "task": "classification", "classes": ["DOWN", "UP"]}
    assert [sorted(item["inputs"]) for item in given["items"]] == [["holiday", "hour", "kind", "load"]] * 3
    assert "probability" not in json.dumps(given)
    first = [item["prediction_id"] for item in given["items"]]
    assert server.json("GET", "/review?reviewer=ann&limit=3")[1] == given  # asking again gives the same
    told = [{"prediction_id": name, "outcome": "UP"} for name in first]
    assert server.json("POST", "/review", {"reviewer": "ann", "answers": told})[1]["added"] == 3
    for body, code in [
        ({"reviewer": "ann", "answers": [{"prediction_id": first[0], "outcome": "SIDEWAYS"}]}, 422),
        ({"reviewer": "ann", "answers": [{"prediction_id": "nobody", "outcome": "UP"}]}, 404),
        ({"reviewer": "", "answers": []}, 422),
        ({"answers": told}, 422),
    ]:
        assert server.json("POST", "/review", body)[0] == code
    assert server.json("GET", "/review")[0] == 400
    assert server.json("GET", "/review?reviewer=ann&limit=0")[0] == 400
    server.token = token
    assert server.metrics()['nbprod_reviews_total{kind="answered"}'] == 3
    described = server.json("GET", "/openapi.json")[1]["paths"]["/review"]
    assert [one["name"] for one in described["get"]["parameters"]] == ["reviewer", "limit"]
    assert described["post"]["requestBody"]["content"]["application/json"]["schema"]["required"] == [
        "reviewer",
        "answers",
    ]

    # a panel and a file in this process, commands in others
    panel = workspace.review("power", reviewer="dora")
    at_hand = panel.item.prediction_id
    panel.field.value = "DOWN"
    (taken,) = nbprod("next", "power", "--reviewer", "ben", "--json")
    path = tmp_path / "open.csv"
    workspace.review.export("power", path, reviewer="cid")
    with path.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    held = {row["prediction_id"] for row in rows}
    assert not held & {*first, at_hand, taken["prediction_id"]}
    assert len(held) == waiting - 5
    with path.open("w", newline="") as lines:
        writer = csv.DictWriter(lines, rows[0])
        writer.writeheader()
        writer.writerows({**row, "outcome": made.get(row["prediction_id"], "UP")} for row in rows)
    panel.save.click()
    assert workspace.review.answer("power", {taken["prediction_id"]: "UP"}, reviewer="ben").added == 1
    assert nbprod("import", "power", str(path), "--json")["added"] == len(held)
    assert workspace.review.list("power") == []
    assert server.json("GET", "/review?reviewer=eve")[1]["items"] == []

    kept = workspace.deployments.window("power").to_table(["prediction_id", "outcome", "reviewer", "outcome_at"])
    reviewers = {row["prediction_id"]: row["reviewer"] for row in kept.to_pylist()}
    assert {reviewers[name] for name in first} == {"ann"}
    assert (reviewers[at_hand], reviewers[taken["prediction_id"]]) == ("dora", "ben")
    assert {reviewers[name] for name in held} == {"cid"}
    assert all(row["outcome_at"] is not None for row in kept.to_pylist() if row["reviewer"])
    report = workspace.review.report("power")
    assert report.reviewers == {"ann": 3, "ben": 1, "cid": len(held), "dora": 1}
    assert report.waiting == 0
