"""What a warm process imports before a notebook runs: what the notebook will, and nothing that would change it."""

from __future__ import annotations

import pytest

from nbprod.kernels import preloading
from nbprod.kernels.preloading import UNSAFE, preloadable


@pytest.fixture(autouse=True)
def installed(monkeypatch):
    """A few names are installed, whatever this environment has."""
    known = {"pandas", "sklearn", "evidently", "numpy", "yaml", *UNSAFE}
    monkeypatch.setattr(preloading, "is_installed", lambda root: root in known)


def test_installed_libraries_are_found_as_deep_as_they_are_imported(tmp_path):
    """A submodule is where the time of an import goes."""
    code = ["import pandas as pd\nfrom sklearn.ensemble import RandomForestClassifier", "import evidently.presets"]
    found = preloadable(code, folder=tmp_path)
    assert found == ["evidently.presets", "pandas", "sklearn.ensemble", "sklearn.ensemble.RandomForestClassifier"]


def test_what_nobody_installed_is_left_to_the_notebook(tmp_path):
    """The standard library is quick, and a module of the user's own may change between runs."""
    assert preloadable(["import os, json, mine, pandas"], folder=tmp_path) == ["pandas"]


def test_a_module_beside_the_notebook_hides_an_installed_one(tmp_path):
    """The kernel would import the local one."""
    (tmp_path / "yaml.py").write_text("VALUE = 1")
    (tmp_path / "evidently").mkdir()  # a folder of data is no module where a library has the name
    assert preloadable(["import yaml, evidently"], folder=tmp_path) == ["evidently"]


def test_what_local_modules_import_is_found_through_them(tmp_path):
    """The heavy imports of a tidy notebook stand in its own package."""
    package = tmp_path / "features"
    package.mkdir()
    (package / "__init__.py").write_text("from .making import make\n")
    (package / "making.py").write_text(
        "from sklearn.preprocessing import StandardScaler\ndef make():\n    import yaml\n"
    )
    found = preloadable(["from features import make"], folder=tmp_path)
    assert "sklearn.preprocessing" in found
    assert not any(name.startswith(("features", "yaml")) for name in found)


@pytest.mark.parametrize(
    "change",
    [
        "os.environ['A'] = '1'",
        "os.environ.setdefault('A', '1')",
        "environ |= {'A': '1'}",
        "del os.environ['A']",
        "os.putenv('A', '1')",
        "from dotenv import load_dotenv\nload_dotenv()",
        "%env A=1",
        "%set_env A 1",
        "!pip install pandas==1.0",
        "%pip install -q pandas",
        "subprocess.run([sys.executable, '-m', 'pip', 'install', 'pandas'])",
        "%run setup.ipynb",
        "sys.modules['pandas'] = None",
    ],
)
def test_nothing_is_imported_that_the_notebook_prepares_for(tmp_path, change):
    """Libraries read the environment when they are imported: imported before, they would not see it."""
    code = f"import os, sys, subprocess\nimport numpy\n{change}\nimport pandas"
    assert preloadable([code], folder=tmp_path) == ["numpy"]
    assert preloadable([f"import numpy\n{change}", "import pandas"], folder=tmp_path) == ["numpy"]


def test_a_local_module_that_sets_the_environment_counts_as_well(tmp_path):
    (tmp_path / "settings.py").write_text("import os\nos.environ['KERAS_BACKEND'] = 'jax'\n")
    assert preloadable(["import settings\nimport pandas"], folder=tmp_path) == []


def test_a_folder_the_notebook_puts_on_the_path_may_hide_an_installed_library(tmp_path):
    """``sys.path.insert(0, "src")`` is how people use the working copy of their own library."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "yaml.py").write_text("import sklearn\n")
    for path in ("'../src'", "str(Path.cwd().parent / 'src')"):
        code = f"import sys\nsys.path.insert(0, {path})\nimport yaml, pandas"
        assert preloadable([code], folder=tmp_path / "notebooks") == ["pandas", "sklearn"]


def test_imports_inside_functions_wait_for_their_call(tmp_path):
    """They are delayed on purpose, and often never needed."""
    assert preloadable(["def later():\n    import evidently\nclass A:\n    import yaml"], folder=tmp_path) == ["yaml"]


def test_what_a_fork_breaks_is_never_imported_before_one(tmp_path):
    code = [f"import {name}" for name in UNSAFE]
    assert preloadable([*code, "import numpy"], folder=tmp_path) == ["numpy"]
    assert all(UNSAFE.values())


def test_settings_add_modules_and_take_some_away(tmp_path):
    code = ["import mine.deep, pandas, sklearn.svm"]
    assert preloadable(code, folder=tmp_path, also=["mine"], never=["sklearn"]) == ["mine.deep", "pandas"]


def test_code_that_is_no_python_says_nothing(tmp_path):
    assert preloadable(["%%bash\nimport pandas(", "import numpy"], folder=tmp_path) == ["numpy"]
