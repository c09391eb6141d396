"""Writes a version to an MLflow server: its run, its notebook, the model, the version and its aliases.

Everything is taken from the sealed package, which is an MLflow model directory already. What was written is found
again by the package's digest in its tags, so a repeated or interrupted export goes on where it ended and duplicates
nothing. MLflow numbers versions itself; the tag ``nbprod.version`` has the number of here.
"""

from __future__ import annotations

import os
import re
import socket
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from json import loads
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from nbprod.clock import parse_utc
from nbprod.domain.markup import card
from nbprod.errors import EnvironmentProblem, NotFoundError, StoreError
from nbprod.exports.origin import Origin
from nbprod.packages.archive import write_folder

__all__ = ["MlflowExport", "push"]

MARK = "nbprod.package"  #: the tag that what was written is found by
LONGEST = 6000  #: characters of a parameter, as the servers of MLflow 2.8 and later take them
RESERVED = re.compile(r"latest|v[0-9]+", re.IGNORECASE)  #: no aliases, in MLflow
TIMEOUT_S = 5.0


@dataclass(frozen=True, kw_only=True)
class MlflowExport:
    """Where a version is on an MLflow server."""

    version: str  #: of here: ``electricity/2``
    server: str  #: without a password
    experiment: str
    run_id: str  #: of MLflow
    model: str
    number: str  #: of MLflow
    aliases: tuple[str, ...]
    skipped: tuple[str, ...] = ()  #: aliases with a name that MLflow keeps for itself
    created: bool = True  #: whether the version was not there before

    @property
    def uri(self) -> str:
        """How MLflow loads it."""
        return f"models:/{self.model}/{self.number}"

    def __repr__(self) -> str:
        return f"<MlflowExport {self.version} as {self.uri} at {self.server}>"

    def _repr_html_(self) -> str:
        rows = [
            ("server", self.server),
            ("model", self.uri),
            ("run", self.run_id),
            ("aliases", ", ".join(self.aliases)),
        ]
        return card(f"{self.version} in MLflow", rows)


def push(
    origin: Origin, to: str, *, known_aliases: Iterable[str] = (), experiment: str | None = None
) -> MlflowExport:
    """Write a version, or what of it is not there yet.

    Parameters
    ----------
    origin
        The version.
    to
        The tracking URI: ``http://127.0.0.1:5000``. Credentials are read by MLflow's client, for instance from
        ``MLFLOW_TRACKING_TOKEN``.
    known_aliases
        The model's aliases of here: those that no longer name the version are taken from it there, too. Aliases made
        over there are left alone.
    experiment
        Its name; by default the model's.

    Raises
    ------
    EnvironmentProblem
        The extra ``mlflow`` is not installed.
    StoreError
        The server cannot be reached, or refuses.
    """
    # MLflow would tell its makers of the use; nbprod talks to nobody but the server that was named
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # stdout is for data
    _check_reachable(to)
    try:
        from mlflow import MlflowClient  # delayed: an extra, and seconds to import
        from mlflow.exceptions import MlflowException
    except ImportError as error:
        raise EnvironmentProblem(f"{error.name} is not installed", hint="pip install 'nbprod[mlflow]'") from error
    try:
        return _Push(origin, MlflowClient(to, to), _without_password(to), experiment).all(known_aliases)
    except MlflowException as error:
        raise StoreError(
            f"The MLflow server at {_without_password(to)} refused: {str(error).splitlines()[0][:300]}",
            hint="What was written is found again: mend it and repeat the command.",
        ) from error


class _Push:
    """One export, in steps of which each finds what an earlier one has written."""

    def __init__(self, origin: Origin, client: Any, server: str, experiment: str | None) -> None:
        self.origin = origin
        self.client = client
        self.server = server
        self.experiment = experiment or origin.version.model
        self.model = origin.version.model

    def all(self, known_aliases: Iterable[str]) -> MlflowExport:
        run = self._run()
        number, created = self._version(run)
        skipped = tuple(name for name in self.origin.aliases if RESERVED.fullmatch(name))
        aliases = tuple(name for name in self.origin.aliases if name not in skipped)
        self._name(number, aliases, set(known_aliases))
        return MlflowExport(
            version=self.origin.version.ref,
            server=self.server,
            experiment=self.experiment,
            run_id=run.info.run_id,
            model=self.model,
            number=number,
            aliases=aliases,
            skipped=skipped,
            created=created,
        )

    def _run(self) -> Any:
        """The run of the package, finished: with parameters, metrics, notebook and model."""
        client, metadata, digest = self.client, self.origin.metadata, self.origin.sealed.digest
        place = self._experiment()
        found = client.search_runs([place], f"tags.`{MARK}` = '{digest}'", max_results=1)
        at_ms = int(parse_utc(metadata["trained_at"]).timestamp() * 1000)
        run = found[0] if found else client.create_run(place, start_time=at_ms, tags=self._tags())
        if run.info.status == "FINISHED":
            return run
        from mlflow.entities import Metric, Param  # delayed, as above

        run_id = run.info.run_id
        numbers = loads(self.origin.sealed.read("metrics.json"))
        metrics = [Metric(_key(name), float(value), at_ms, 0) for name, value in numbers.items()]
        params = [Param(_key(name), str(value)[:LONGEST]) for name, value in metadata["parameters"].items()]
        for start in range(0, max(len(metrics), len(params)), 100):  # a batch may have a hundred parameters
            client.log_batch(run_id, metrics[start : start + 100], params[start : start + 100])
        with tempfile.TemporaryDirectory(prefix="nbprod-mlflow-") as scratch:
            copy = write_folder(self.origin.sealed, Path(scratch, "model"))  # the bytes that were verified
            if (copy / "notebook.ipynb").is_file():
                client.log_artifact(run_id, str(copy / "notebook.ipynb"))
            client.log_artifacts(run_id, str(copy), "model")
        client.set_terminated(run_id, "FINISHED", at_ms)
        return client.get_run(run_id)

    def _experiment(self) -> str:
        from mlflow.exceptions import MlflowException  # delayed, as above

        found = self.client.get_experiment_by_name(self.experiment)
        if found is None:
            try:
                return str(self.client.create_experiment(self.experiment))
            except MlflowException:  # somebody else made it meanwhile
                found = self.client.get_experiment_by_name(self.experiment)
                if found is None:
                    raise
        return str(found.experiment_id)

    def _version(self, run: Any) -> tuple[str, bool]:
        """The number of the version there, and whether it is new."""
        from mlflow.exceptions import MlflowException  # delayed, as above

        client, version = self.client, self.origin.version
        try:
            client.create_registered_model(self.model)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        said = {MARK: version.package, "nbprod.version": version.ref, "nbprod.approval": str(version.approval)}
        for known in client.search_model_versions(f"name='{self.model}'"):
            if known.tags.get(MARK) == version.package:
                for key, value in said.items():
                    if known.tags.get(key) != value:
                        client.set_model_version_tag(self.model, known.version, key, value)
                return str(known.version), False
        source = f"{run.info.artifact_uri}/model"
        made = client.create_model_version(
            self.model,
            source,
            run.info.run_id,
            tags=said,
            description=version.note or None,
            await_creation_for=0,  # a server of its own tracking store makes it at once
        )
        return str(made.version), True

    def _name(self, number: str, aliases: Iterable[str], known: set[str]) -> None:
        there = {name: str(held) for name, held in self.client.get_registered_model(self.model).aliases.items()}
        for name in aliases:
            if there.get(name) != number:
                self.client.set_registered_model_alias(self.model, name, number)
        for name, held in there.items():
            if held == number and name in known and name not in set(aliases):
                self.client.delete_registered_model_alias(self.model, name)

    def _tags(self) -> Mapping[str, str]:
        metadata, version = self.origin.metadata, self.origin.version
        said = {
            MARK: version.package,
            "nbprod.version": version.ref,
            "nbprod.run": metadata["run_id"],
            "mlflow.runName": metadata["run_id"] or version.ref,
            "mlflow.source.type": "NOTEBOOK",
            "mlflow.source.name": metadata["template"],
            "mlflow.source.git.commit": (metadata["git"] or "").rstrip("+"),
            "mlflow.user": version.registered_by,
            **{f"nbprod.data.{name}": print_ for name, print_ in metadata["data"].items()},
        }
        return {name: str(value) for name, value in said.items() if value}


def _key(name: str) -> str:
    """A name as MLflow takes it: letters, digits and ``_-. /`` alone."""
    return re.sub(r"[^\w\-. /]", "_", name, flags=re.ASCII)


def _without_password(uri: str) -> str:
    parts = urlsplit(uri)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _check_reachable(uri: str) -> None:
    """Find out in seconds what MLflow's client finds out in minutes."""
    parts = urlsplit(uri)
    if parts.scheme not in {"http", "https"}:
        raise NotFoundError(
            f"{_without_password(uri)!r} is no address of an MLflow server",
            hint="For instance http://127.0.0.1:5000.",
        )
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        socket.create_connection((parts.hostname or "", port), timeout=TIMEOUT_S).close()
    except (OSError, ValueError) as error:
        raise StoreError(
            f"No MLflow server can be reached at {_without_password(uri)}: {error}",
            hint="Start it (mlflow server), or give its address: --to http://HOST:PORT. Nothing was written.",
        ) from error
