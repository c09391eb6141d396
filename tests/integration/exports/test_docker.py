"""The build context: parsed by another's parser, and its parts used as the image would use them."""

import json
import re
import zipfile
from dataclasses import replace
from importlib.metadata import version as version_of

import pytest
from dockerfile_parse import DockerfileParser

from nbprod.domain.version import Approval
from nbprod.errors import ConflictError, EnvironmentProblem, PackageError, RefusedError
from nbprod.exports.docker import context_files
from nbprod.exports.lock import lock
from nbprod.packages import load_package


@pytest.fixture(scope="module")
def context(exports, version, tmp_path_factory):
    return exports.docker("electricity_eu@champion", tmp_path_factory.mktemp("docker") / "context")


@pytest.fixture(scope="module")
def dockerfile(context):
    return DockerfileParser(str(context), build_args={"BASE": "mirror/python:3"})


def instructions(parser, kind):
    return [one["value"] for one in parser.structure if one["instruction"] == kind]


def test_the_image_runs_as_a_number_that_is_not_root(dockerfile):
    """USER comes before anything of the package is loaded, and is numeric, as runAsNonRoot asks for."""
    kinds = [one["instruction"] for one in dockerfile.structure]
    (user,) = instructions(dockerfile, "USER")

    assert re.fullmatch(r"[1-9][0-9]{3,}:[1-9][0-9]{3,}", user)
    after = dockerfile.structure[kinds.index("USER") :]
    assert any("nbprod.container" in one["value"] and one["instruction"] == "RUN" for one in after)
    assert not any("pip" in one["value"] for one in after)


def test_the_image_has_a_health_check_on_readiness_and_an_entry(dockerfile):
    (check,) = instructions(dockerfile, "HEALTHCHECK")
    (entry,) = instructions(dockerfile, "ENTRYPOINT")
    (arguments,) = instructions(dockerfile, "CMD")

    assert json.loads(check[check.index("CMD") + 3 :]) == ["python", "-m", "nbprod.container", "ready"]
    assert json.loads(entry) == ["python", "-m", "nbprod.container", "serve", "/opt/nbprod"]
    assert json.loads(arguments)[:2] == ["--host", "0.0.0.0"]


def test_every_copied_file_is_in_the_context(dockerfile, context):
    for line in instructions(dockerfile, "COPY"):
        for source in line.split()[:-1]:
            assert (context / source).exists(), source


def test_the_base_can_be_exchanged_and_names_the_python_of_the_package(context, dockerfile):
    python = json.loads((context / "package" / "environment.json").read_text())["python"]

    assert f"ARG BASE=python:{python}-slim" in (context / "Dockerfile").read_text()
    assert dockerfile.baseimage == "mirror/python:3"


def test_the_package_in_the_context_is_the_version_s_byte_by_byte(context, version, built):
    loaded = load_package(context / "package", digest=version.package)

    assert loaded.digest == built("binary").digest
    assert json.loads((context / "model.json").read_text())["number"] == version.number


def test_the_lock_pins_everything_nbprod_imports_once(context, version, built):
    """Exact versions, those of the package where it names one, and nbprod itself as the wheel beside."""
    lines = re.findall(r"^[^#\s]+==.+$", (context / "requirements.lock").read_text(), re.MULTILINE)
    pins = dict(line.split("==") for line in lines)

    assert len(pins) == len(lines)
    assert pins["scikit-learn"] == version_of("scikit-learn")
    assert {"sqlalchemy", "typer", "deltalake", "skops", "joblib"} <= pins.keys()
    assert "nbprod" not in pins
    assert "pytest" not in pins


def test_pins_of_the_package_win_then_what_was_installed_there():
    there = {"numpy": "1.5", "pandas": "1.6"}

    lines = lock({"numpy": "1.4"}, there, "3.11.7").splitlines()

    assert {"numpy==1.4", "pandas==1.6", f"sqlalchemy=={version_of('sqlalchemy')}"} <= set(lines)


def test_hashes_come_from_a_lock_and_are_required_where_it_has_them_all():
    """Of another version there are none; then the file says what lacks, and pip is not told to insist."""
    plain = lock({"numpy": "1.4"}, {}, "3.11.7")
    pins = re.findall(r"^([^#\s]+)==(.+)$", plain, re.MULTILINE)
    whole = "".join(
        f"{name.replace('-', '_')}=={version} ; python_version > '3' \\\n    --hash=sha256:{number:064x} \\\n"
        f"    --hash=sha256:{number + 500:064x}\n    # via nbprod\n"
        for number, (name, version) in enumerate(pins)
    )
    every, most = (lock({"numpy": "1.4"}, {}, "3.11.7", text) for text in (whole, whole.replace("==1.4 ", "==1.5 ")))

    assert plain.startswith(f"# {len(pins)} of {len(pins)} have no hashes")
    assert every.startswith("--require-hashes\n")
    assert every.count("--hash=sha256:") == 2 * len(pins)
    assert f"numpy==1.4 \\\n    --hash=sha256:{[name for name, _ in pins].index('numpy'):064x}" in every
    assert most.startswith(f"# 1 of {len(pins)} have no hashes (numpy)")
    assert "--require-hashes" not in most
    assert "numpy==1.4\n" in most


def test_a_version_that_nobody_knows_is_refused(monkeypatch):
    monkeypatch.setattr("nbprod.exports.lock.here", dict)

    with pytest.raises(EnvironmentProblem, match="numpy"):
        lock({}, {}, "3.11.7")


def test_the_wheel_holds_what_runs_here_with_a_true_record(context):
    (path,) = context.glob("nbprod-*.whl")
    with zipfile.ZipFile(path) as wheel:
        names = set(wheel.namelist())
        (record,) = (name for name in names if name.endswith("/RECORD"))
        listed = {line.rpartition(",")[0].rpartition(",")[0] for line in wheel.read(record).decode().splitlines()}

        assert {"nbprod/container.py", "nbprod/exports/docker.py"} <= names
        assert listed == names
        assert not any("__pycache__" in name for name in names)


def test_the_context_is_equal_when_it_is_written_again(exports, version):
    assert dict(context_files(exports.origin(version))) == dict(context_files(exports.origin(version)))


def test_nothing_is_written_over(exports, context):
    with pytest.raises(ConflictError, match="exists already"):
        exports.docker("electricity_eu", context)


def test_a_version_nobody_approved_is_not_written(exports, shared_models, built, tmp_path):
    pending = shared_models.register(built("regression"), model="pending")

    with pytest.raises(RefusedError, match="pending/1 is pending"):
        exports.docker(pending.ref, tmp_path / "context")
    assert not (tmp_path / "context").exists()


def test_a_pickle_is_not_written(exports, version):
    origin = replace(exports.origin(version), metadata={"format": "pickle"})

    with pytest.raises(RefusedError, match="holds a pickle"):
        context_files(origin)


def test_a_library_that_wheels_expect_of_the_system_is_installed(exports, version, monkeypatch):
    """LightGBM's wheel leaves the runtime of OpenMP to the system; a slim image has none."""
    origin = exports.origin(version)
    assert b"libgomp1" not in context_files(origin)["Dockerfile"]

    monkeypatch.setattr(type(origin), "pins", {"lightgbm": "4.6.0"})

    assert b"install --yes --no-install-recommends libgomp1" in context_files(origin)["Dockerfile"]


def test_a_changed_package_is_not_written(exports, version, tmp_path, shared_packages, monkeypatch):
    changed = tmp_path / "package"
    shared_packages.export(version.package, changed)
    (changed / "schema.json").write_text("{}")
    monkeypatch.setattr(shared_packages, "folder", lambda package: changed)

    with pytest.raises(PackageError, match=r"schema\.json"):
        exports.docker(version, tmp_path / "context")


def test_approval_is_what_the_image_is_told(context):
    assert json.loads((context / "model.json").read_text())["approval"] == Approval.APPROVED
