import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
#: What conda-forge calls differently.
CONDA_NAMES = {
    "prometheus_client": "prometheus-client",
    "jupyter_client": "jupyter-client",
    "matplotlib-base": "matplotlib",
}
#: In environment.yml beside the core: for people who open notebooks.
BESIDE = {"python", "pip", "jupyterlab"}


def parts(requirement: str) -> tuple[str, str]:
    name, rest = re.fullmatch(r"([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?\s*(.*)", requirement).groups()
    return CONDA_NAMES.get(name, name), rest.replace(" ", "")


def test_environment_yml_agrees_with_pyproject():
    """Every core requirement is in environment.yml with the same bounds, and nothing else is."""
    content = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    pip = next(item for item in content if isinstance(item, dict))["pip"]
    conda = [item for item in content if isinstance(item, str)] + [item for item in pip if not item.startswith("-")]
    there = dict(parts(item) for item in conda)

    assert {name: there.pop(name) for name in BESIDE}["python"] == PROJECT["requires-python"]
    assert there == dict(parts(item) for item in PROJECT["dependencies"])


def test_the_locks_carry_hashes_and_no_address():
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / name).read_text()

        assert "://" not in text
        assert text.count("--hash=sha256:") > 300


def test_the_runtime_lock_is_part_of_the_other():
    def pins(name: str) -> set[str]:
        found = re.findall(r"^([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?(==\S+)", (ROOT / name).read_text(), flags=re.MULTILINE)
        return {"".join(pin) for pin in found}

    assert pins("requirements.lock") <= pins("requirements-dev.lock")
