"""Strangers at the door: a public v2 client, schemathesis over the description, mutated requests, a real Prometheus."""

import json
import random
import shutil
import socket
import subprocess
import sys
import textwrap
import time
from collections import Counter
from pathlib import Path

import pytest
import yaml

from nbprod.serving.grafana import export_grafana
from tests.integration.serving.conftest import ROW

pytestmark = pytest.mark.slow
MUTATIONS = 10_000

CLIENT = """
import json, sys
import numpy as np
import tritonclient.http as triton

client = triton.InferenceServerClient(sys.argv[1])
assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("power")
assert client.get_server_metadata()["name"] == "nbprod"
known = client.get_model_metadata("power")
rows = json.loads(sys.argv[2])
kinds = {"FP64": np.float64, "INT64": np.int64, "BOOL": bool, "BYTES": object}

def ask(binary, rows):
    inputs = []
    for one in known["inputs"]:
        values = [row[one["name"]] for row in rows]
        values = [float("nan") if value is None else value for value in values]
        array = np.array(values, dtype=kinds[one["datatype"]])
        tensor = triton.InferInput(one["name"], list(array.shape), one["datatype"])
        tensor.set_data_from_numpy(array, binary_data=binary)
        inputs.append(tensor)
    outputs = [triton.InferRequestedOutput(one["name"], binary_data=binary) for one in known["outputs"]]
    return client.infer("power", inputs, outputs=outputs, model_version="1", request_id="r-1")

# the client writes a missing number as NaN, which is no JSON: as JSON only rows without one
found = [ask(True, rows), ask(False, rows[:1])]

print(json.dumps([
    {one["name"]: [v.decode() if isinstance(v, bytes) else v for v in answer.as_numpy(one["name"]).tolist()]
     for one in known["outputs"]}
    for answer in found
]))
"""


def test_a_public_v2_client_works_from_the_metadata_alone(server_of_module, tmp_path):
    """Triton's client reads inputs from the metadata and gets the same predictions, as bytes and as JSON."""
    pytest.importorskip("tritonclient")
    script = tmp_path / "client.py"
    script.write_text(textwrap.dedent(CLIENT))
    rows = [ROW, {**ROW, "load": None, "kind": "b"}]
    address = server_of_module.url.removeprefix("http://")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", script, address, json.dumps(rows)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    as_bytes, as_json = json.loads(done.stdout)
    told = server_of_module.predict(*rows)[1]["predictions"]
    for answer, rows_told in ((as_bytes, told), (as_json, told[:1])):
        assert answer["prediction"] == [one["prediction"] for one in rows_told]
        assert answer["probability"] == [one["probability"] for one in rows_told]
        assert len(set(answer["prediction_id"])) == len(rows_told)


@pytest.mark.parametrize(
    "body",
    [
        {"inputs": "x"},
        {"inputs": [{"name": "load"}]},
        {"inputs": [{"name": "lod", "datatype": "FP64", "shape": [1], "data": [1]}]},
        {"inputs": [{"name": "load", "datatype": "FP64", "shape": [2], "data": [1]}]},
        {"inputs": [{"name": "load", "datatype": "FP64", "shape": [1, 5], "data": [[1, 2, 3, 4, 5]]}]},
        {"inputs": [{"name": "load", "datatype": "FP64", "shape": [1], "data": [1]}]},
        {"inputs": [{"name": "load", "datatype": "FP64", "shape": [1], "parameters": {"binary_data_size": 8}}]},
        {"inputs": [{"name": "load", "datatype": "COMPLEX", "shape": [1], "data": [1]}]},
        {"inputs": [], "outputs": [{"name": "nothing"}]},
        {"inputs": [], "outputs": 3},
    ],
    ids=range(10),
)
def test_v2_requests_at_fault_are_422_in_the_one_contract(server_of_module, body):
    status, told = server_of_module.json("POST", "/v2/models/power/infer", body)
    assert status == 422
    assert {tuple(one) for one in told} == {("row", "field", "problem", "expected")}


def test_v2_names_and_versions_that_are_not_served_are_404(server_of_module):
    for path in ("/v2/models/other", "/v2/models/power/versions/2", "/v2/models/other/ready"):
        assert server_of_module.ask("GET", path)[0] == 404
    assert server_of_module.ask("GET", "/v2/models/power/versions/1/ready")[0] == 200


def test_schemathesis_finds_nothing(server_of_module):
    """Two thousand cases over all operations, by the description the server gives of itself."""
    pytest.importorskip("schemathesis")
    done = subprocess.run(
        [Path(sys.executable).with_name("schemathesis"), "run", f"{server_of_module.url}/openapi.json",
         "--max-examples", "190", "--seed", "3", "--phases", "examples,coverage,fuzzing", "--no-color",
         "--checks", "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"],
        capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    cases = (
        int(done.stdout.split(" generated", 1)[0].rsplit(None, 1)[-1].replace(",", ""))
        if "generated" in done.stdout
        else 0
    )
    assert cases >= 2000, done.stdout[-1500:]


def test_mutated_requests_never_break_it(server_of_module):
    """Ten thousand mutations of a good request: no 5xx, no connection dropped unanswered, good ones stay right."""
    hold_mutations(server_of_module, MUTATIONS, seed=11)


def hold_mutations(server, count, seed):
    chance = random.Random(seed)
    good = json.dumps({"rows": [ROW], "unit": "u"}).encode()
    expected = server.predict()[1]["predictions"][0]["probability"]
    codes = Counter()
    connection = Client(server.address)
    for number in range(count):
        body = mutated(good, chance)
        path = chance.choice([b"/predict"] * 8 + [b"/outcomes", b"/v2/models/power/infer", b"/invocations"])
        status, _ = connection.post(path, body)
        codes[status] += 1
        if number % 100 == 0:
            status, content = connection.post(b"/predict", good)
            assert status == 200
            assert json.loads(content)["predictions"][0]["probability"] == expected
    connection.close()
    assert max(codes) < 500, codes
    assert codes[422] > 100
    assert codes[400] > 100


def mutated(body, chance):
    """A body with one to four changes: bytes, pieces, numbers, values, nesting."""
    content = bytearray(body)
    for _ in range(chance.randrange(1, 5)):
        place = chance.randrange(len(content) + 1)
        match chance.randrange(8):
            case 0:
                content[place:place] = bytes([chance.randrange(256)])
            case 1 if content:
                del content[place : place + chance.randrange(1, 6)]
            case 2:
                content = bytearray(bytes(content).replace(b"0.5", chance.choice(
                    [b"NaN", b"-Infinity", b"1e999", b"-0", b"null", b'"\\ud800"', b"[]", b"{}", b"1" * 400, b"true", b"1e-999"]
                ), 1))  # fmt: skip
            case 3:
                content[place:place] = content[chance.randrange(len(content) + 1) :][: chance.randrange(1, 30)]
            case 4:
                name = chance.choice([b"load", b"hour", b"place", b"kind", b"holiday", b"rows", b"unit"])
                other = chance.choice(
                    [b"load", b"hour", b"rows", b"", b"\\u0000", "é".encode(), b"__class__", b"x" * 300]
                )
                content = bytearray(bytes(content).replace(name, other, 1))
            case 5:
                content[place:place] = chance.choice(
                    [b"[" * 50, b'"', b"\\", b"\x00", b"\xff\xfe", b",", b":", b"]}"]
                )
            case 6 if content:
                content[place : place + 1] = bytes([chance.randrange(256)])
            case _:
                content = bytearray(
                    bytes(content).replace(b'"north"', chance.choice([b'"n"', b"7", b'"' + b"y" * 999 + b'"']), 1)
                )
    return bytes(content)


class Client:
    """One connection that is kept; a dropped one is an error."""

    def __init__(self, address):
        self.socket = socket.create_connection(address, timeout=30)
        self.file = self.socket.makefile("rb")

    def close(self):
        self.file.close()
        self.socket.close()

    def post(self, path, body):
        head = b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        self.socket.sendall(head % (path, len(body)) + body)
        line = self.file.readline()
        assert line, "the connection was dropped"
        length = 0
        while (header := self.file.readline()) not in {b"\r\n", b""}:
            name, _, value = header.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return int(line.split(b" ")[1]), self.file.read(length)


def test_a_real_prometheus_scrapes_it_and_accepts_the_rules(server_of_module, tmp_path, wait_for):
    """Promtool takes configuration and rules; Prometheus itself scrapes the server and answers a query."""
    if not shutil.which("promtool") or not shutil.which("prometheus"):
        pytest.skip("Prometheus is not installed here")
    address = server_of_module.url.removeprefix("http://")
    folder = tmp_path / "monitoring"
    export_grafana(folder, target=address)
    subprocess.run(["promtool", "check", "config", folder / "prometheus.yml"], check=True, capture_output=True)
    subprocess.run(["promtool", "check", "rules", folder / "nbprod-rules.yml"], check=True, capture_output=True)
    _, _, content = server_of_module.ask("GET", "/metrics")
    subprocess.run(["promtool", "check", "metrics"], input=content, check=True, capture_output=True)
    server_of_module.predict()
    configuration = yaml.safe_load((folder / "prometheus.yml").read_text())
    configuration["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data",
         f"--web.listen-address=127.0.0.1:{port}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        import httpx

        def query(expression):
            try:
                answer = httpx.get(f"http://127.0.0.1:{port}/api/v1/query", params={"query": expression})
                return answer.status_code == 200 and answer.json()["data"]["result"]
            except httpx.HTTPError:
                return []

        (found,) = wait_for(lambda: query('sum(nbprod_requests_total{route="/predict",code="200"})'), within_s=30)
        assert float(found["value"][1]) >= 1
        (up,) = query('up{job="nbprod"}')
        assert up["value"][1] == "1"
        rules = httpx.get(f"http://127.0.0.1:{port}/api/v1/rules").json()["data"]["groups"][0]["rules"]
        assert {rule["health"] for rule in wait_for(lambda: rules)} <= {"ok", "unknown"}
    finally:
        process.terminate()
        process.wait(20)


def test_a_minute_is_summed_beside_the_predictions(serve, workspace, wait_for):
    """When a server ends, what it counted since the last minute is in the table of health."""
    server = serve()
    for _ in range(7):
        server.predict()
    time.sleep(1.2)
    server.stop()
    rows = workspace.lake.health("power").to_table().to_pylist()
    found = {(row["name"], row["labels"]): row["value"] for row in rows}
    assert found["nbprod_requests_total", "code=200,route=/predict"] == 7
    assert found["nbprod_predictions_total", "arm=stable,version=power/1"] == 7
