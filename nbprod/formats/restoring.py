"""Constructs a model from its files; a copy lies in each package beside its loader, so it needs no nbprod.

A skops file has no safe form for some parts of models: the trees of XGBoost, LightGBM and CatBoost, which lie beside
it as their libraries write them, a partial call of scikit-learn's own, and distributions that a search draws from. In
the file a small dictionary marks the place of each. Functions and classes of the author's modules are imported from
the sources given, never from a folder, under a name that holds their digest: ``nbprod_code_<digest>.features`` is
what was ``features`` beside the notebook.
"""

from __future__ import annotations

import builtins
import hashlib
import importlib
import importlib.abc
import importlib.util
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

__all__ = [
    "CODE",
    "LIBRARIES",
    "MARK",
    "Finder",
    "MissingLibraryError",
    "UntrustedError",
    "code_name",
    "construct",
    "import_code",
    "replaced",
]

MARK = "__nbprod__"  #: the key of a dictionary that stands for a part
CODE = "nbprod_code_"
LIBRARIES = {"cbm": "catboost", "txt": "lightgbm", "ubj": "xgboost"}  #: by the suffix of their dumps
PLAIN = (str, bytes, int, float, complex, type, types.FunctionType, types.ModuleType)


class MissingLibraryError(ImportError):
    """A model needs a library that is not installed; ``name`` is the library's, and that of nbprod's extra."""


class UntrustedError(RuntimeError):
    """A file holds ``types`` that its reader does not trust."""

    def __init__(self, types: Sequence[str]) -> None:
        super().__init__(f"The model holds types this reader does not trust: {', '.join(types)}")
        self.types = types


def construct(data: bytes, dumps: Mapping[str, bytes], *, trusted: Sequence[str], code: Sequence[str] = ()) -> Any:
    """The model of a skops file and the dumps beside it.

    Parameters
    ----------
    data
        The skops file.
    dumps
        By file name, what the libraries of boosters wrote.
    trusted
        Full names of types to construct beside those skops trusts in any file.
    code
        The packages of the author's modules, as :func:`import_code` gives them; everything in them is trusted.

    Raises
    ------
    MissingLibraryError
        A library is not installed.
    UntrustedError
        The file holds types that are not trusted; nothing was constructed.
    """
    import skops.io  # heavy: imports every scikit-learn estimator

    for library in sorted({LIBRARIES[name.rpartition(".")[2]] for name in dumps}):
        if importlib.util.find_spec(library) is None:
            raise MissingLibraryError(
                f"The model needs {library}, which is not installed: pip install 'nbprod[{library}]'", name=library
            )
    needed = set(skops.io.get_untrusted_types(data=data)) - set(trusted)
    own = {name for name in needed if name.partition(".")[0] in code}
    if needed - own:
        raise UntrustedError(sorted(needed - own))
    model = skops.io.loads(data, trusted=[*trusted, *own])
    if MARK.encode() not in data:
        return model
    made: dict[int, tuple[Any, Any]] = {}  # a part used twice is made once; its mark is kept so that the id stays its

    def put_back(value: Any) -> Any:
        if type(value) is not dict or MARK not in value:
            return value
        if id(value) not in made:
            made[id(value)] = (value, _part(value, dumps))
        return made[id(value)][1]

    return replaced(model, put_back)


def replaced(root: Any, swap: Callable[[Any], Any]) -> Any:
    """An object in which every part was exchanged for what ``swap`` gives; it gives most back as they are.

    Containers and attributes are changed in place; tuples that hold an exchanged part are made anew.
    """
    import numpy as np

    seen: dict[int, Any] = {}

    def visit(value: Any) -> Any:
        other = swap(value)
        if other is not value:
            return other
        if type(value) is tuple:
            parts = tuple(map(visit, value))
            return value if all(map(lambda new, old: new is old, parts, value)) else parts
        if value is None or isinstance(value, PLAIN) or id(value) in seen:
            return value
        seen[id(value)] = value
        if isinstance(value, dict):
            _exchange(value, list(value.items()), visit)
        elif isinstance(value, list):
            _exchange(value, list(enumerate(value)), visit)
        elif isinstance(value, np.ndarray) and value.dtype == object:
            _exchange(value, [(at, value[at]) for at in np.ndindex(value.shape)], visit)
        if isinstance(inside := getattr(value, "__dict__", None), dict):
            _exchange(inside, list(inside.items()), visit)
        return value

    return visit(root)


def _exchange(container: Any, items: list[tuple[Any, Any]], visit: Callable[[Any], Any]) -> None:
    for key, old in items:
        new = visit(old)
        if new is not old:
            container[key] = new


def _part(mark: Mapping[str, Any], dumps: Mapping[str, bytes]) -> Any:
    kind = mark[MARK]
    if kind == "xgboost":
        import xgboost  # an extra, as are the two below

        trees = xgboost.Booster()
        trees.load_model(bytearray(dumps[mark["file"]]))
        return trees
    if kind == "lightgbm":
        import lightgbm

        leaves = lightgbm.Booster(model_str=dumps[mark["file"]].decode())
        leaves.best_iteration = mark["best_iteration"]
        return leaves
    if kind == "catboost":
        import catboost

        known = (catboost.CatBoost, catboost.CatBoostClassifier, catboost.CatBoostRegressor, catboost.CatBoostRanker)
        made = {one.__name__: one for one in known}[mark["class"]](**mark["parameters"])
        if "file" in mark:
            made.load_model(blob=dumps[mark["file"]])
            made.__dict__.update(mark["attributes"])
        return made
    if kind == "check_array":
        from sklearn.utils import check_array

        return partial(check_array, **mark["keywords"])
    if kind == "distribution":
        from scipy import stats

        # only names of distributions: a file can choose no other attribute of the module
        found = getattr(stats, mark["name"])
        if isinstance(found, stats.rv_continuous | stats.rv_discrete):
            return found(*mark["arguments"], **mark["keywords"])
    raise ValueError(f"the model holds a part of the unknown kind {kind!r}")


def code_name(sources: Mapping[str, str]) -> str:
    """The package that modules become: ``nbprod_code_`` and 16 hex digits of the SHA-256 over paths and sources."""
    digest = hashlib.sha256()
    for path, source in sorted(sources.items()):
        digest.update(f"{path}\0{len(source)}\0{source}".encode())
    return CODE + digest.hexdigest()[:16]


def import_code(files: Mapping[str, str]) -> tuple[str, ...]:
    """Make modules importable, each package below the name of its digest; no file is read or written.

    Parameters
    ----------
    files
        Python by path: ``nbprod_code_<digest>/features.py``. An import of ``features`` in another module of the
        package finds it there.

    Returns
    -------
    tuple
        The names of the packages.

    Raises
    ------
    ValueError
        A package has not the name of its content.
    """
    packages: dict[str, dict[str, str]] = {}
    for path, source in files.items():
        package, _, inside = path.partition("/")
        packages.setdefault(package, {})[inside] = source
    for name, sources in packages.items():
        if code_name(sources) != name:
            raise ValueError(f"the code in {name} is not what its name says")
        if not any(isinstance(finder, Finder) and finder.package == name for finder in sys.meta_path):
            sys.meta_path.insert(0, Finder(name, sources))
    return tuple(packages)


class Finder(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Finds and loads the modules of one package from sources in memory; its methods are importlib's."""

    def __init__(self, package: str, sources: Mapping[str, str]) -> None:
        self.package = package
        self.sources = dict(sources)
        self.modules = {package: ""}
        self.packages = {package}
        for path, source in sources.items():
            parts = path.removesuffix(".py").split("/")
            above = [".".join([package, *parts[:depth]]) for depth in range(1, len(parts))]
            self.packages.update(above)
            for each in above:
                self.modules.setdefault(each, "")
            self.modules[above[-1] if parts[-1] == "__init__" else ".".join([package, *parts])] = source
        self.roots = {path.split("/")[0].removesuffix(".py") for path in sources}

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:  # noqa: ARG002 — the protocol's
        """The specification of a module of the package; ``None`` for others."""
        if fullname not in self.modules:
            return None
        return importlib.util.spec_from_loader(fullname, self, is_package=fullname in self.packages)

    def is_package(self, fullname: str) -> bool:
        """Whether a module holds others."""
        return fullname in self.packages

    def get_source(self, fullname: str) -> str:
        """The source of a module, which tracebacks show."""
        return self.modules[fullname]

    def exec_module(self, module: types.ModuleType) -> None:
        """Run the source of a module."""
        # their own imports of each other name what they were called beside the notebook
        module.__dict__["__builtins__"] = {**vars(builtins), "__import__": self._import}
        code = compile(self.modules[module.__name__], f"<{module.__name__}>", "exec", dont_inherit=True)
        exec(code, module.__dict__)  # noqa: S102 — what importing a module is; the caller trusts these sources

    def _import(
        self, name: str, given: Any = None, local: Any = None, names: Sequence[str] = (), level: int = 0
    ) -> Any:
        root = name.partition(".")[0]
        if level or root not in self.roots:
            return builtins.__import__(name, given, local, names, level)
        found = builtins.__import__(f"{self.package}.{name}", given, local, names, 0)
        return found if names else sys.modules[f"{self.package}.{root}"]
