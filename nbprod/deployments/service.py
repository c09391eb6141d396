"""The service over deployments: made once, opened to predict, handed predictions and outcomes from elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbprod.clock import now
from nbprod.deployments.eligible import check_external, check_model
from nbprod.deployments.reading import ReadPredictions
from nbprod.disk import locked
from nbprod.domain.deployment import Deployment
from nbprod.domain.names import check_name
from nbprod.domain.prediction import OutcomesAdded, PredictionsAdded
from nbprod.domain.review import ReviewPolicy
from nbprod.domain.version import ModelVersion
from nbprod.errors import RefusedError, SettingsError
from nbprod.lake import Lake
from nbprod.packages import Packages
from nbprod.packages.margins import schema_of
from nbprod.store import Store

if TYPE_CHECKING:
    from nbprod.deployments.deployed import DeployedModel

__all__ = ["Deployments"]

UNSEEN = ("accept", "refuse", "alarm")


class Deployments(ReadPredictions):
    """The deployments of one workspace.

    Parameters
    ----------
    store
        The ledger.
    lake
        Where predictions and outcomes are kept.
    packages
        Loads what a version names.
    resolve
        Finds the version a reference names now: ``Models.resolve``.
    private
        Columns the workspace never keeps, beside each deployment's own.
    locate
        Makes the name of a registered data set its path or URL, and leaves everything else as it is.
    spools
        The folder of what servers of this machine have kept and not yet moved into the tables.
    records
        Folders of runs and pages, which may show predictions: an erasure looks into them.
    serve
        Starts a server in a process of its own.
    """

    def __init__(
        self,
        store: Store,
        lake: Lake,
        packages: Packages,
        resolve: Callable[[str], ModelVersion],
        *,
        private: Sequence[str] = (),
        locate: Callable[[Any], Any] = lambda source: source,
        spools: Path | None = None,
        records: Sequence[Path] = (),
        serve: Callable[[str, Sequence[str]], Any] | None = None,
    ) -> None:
        super().__init__(store, lake, spools, records, resolve=resolve, private=private)
        self._packages = packages
        self._locate = locate
        self._serve = serve

    def create(
        self,
        name: str,
        *,
        model: ModelVersion | str | None = None,
        external: bool = False,
        reference: str | None = None,
        task: str | None = None,
        target: str | None = None,
        private: Sequence[str] = (),
        unseen: str = "accept",
        review: str = "",
        actor: str | None = None,
    ) -> Deployment:
        """Name what is in use.

        Parameters
        ----------
        name
            Of the deployment.
        model
            ``electricity@champion`` to follow the alias, ``electricity/2`` to stay with the version.
        external
            The model is served elsewhere and only monitored here.
        reference, task, target
            Of an external one: data to compare with, ``classification`` or ``regression``, and the column of outcomes
            in the reference.
        private
            Inputs that are never kept.
        unseen
            What its server does with categories never seen in training: ``accept``, ``refuse``, or ``alarm``, which
            accepts them and opens an alert. They are counted in any case.
        review
            Which predictions people look at: ``uncertain:0.1``, ``random:0.01``, ``disagreement``,
            ``rule:amount > 1000``, ``double:0.2``, joined by commas; empty: none.
        actor
            Who, if not the store's actor.

        Raises
        ------
        SettingsError
            The arguments contradict each other.
        NotFoundError
            There is no such version or alias.
        RefusedError
            The version is not approved or not blessed.
        ConflictError
            There is a deployment of this name.
        """
        check_name(name, "deployment")
        if unseen not in UNSEEN:
            raise SettingsError(f"{unseen!r} is nothing to do with unseen categories", hint=f"{', '.join(UNSEEN)}.")
        if external:
            check_external(model, task)
        else:
            check_model(model, {"reference": reference, "task": task, "target": target}, self._resolve)
        never_kept = tuple(dict.fromkeys([*self._private, *private]))
        self._check_review(review, str(model) if model is not None else None, never_kept)
        deployment = Deployment(
            name=name,
            model=str(model) if model is not None else None,
            created_at=now(),
            created_by=actor or self._store.actor,
            reference=reference,
            task=task,
            target=target,
            private=never_kept,
            unseen=unseen,
            review=review.strip(),
        )
        with self._store.write() as session:
            session.add(deployment)
            data = {"model": deployment.model, "private": list(deployment.private)}
            session.event("deployment.created", name, data=data, actor=actor)
        return deployment

    def set_review(self, name: str, rules: str, *, actor: str | None = None) -> Deployment:
        """Say from now on which predictions people look at; servers follow within two seconds.

        Predictions made before keep the chance they had.

        Parameters
        ----------
        name
            The deployment.
        rules
            As ``review`` of :meth:`create`; empty: none.
        actor
            Who, if not the store's actor.

        Raises
        ------
        SettingsError
            The rules cannot be read, or not be followed for this model.
        """
        before = self.get(name)
        self._check_review(rules, before.model, self._never_kept(before))
        after = replace(before, review=rules.strip())
        with self._store.write() as session:
            session.replace(after, expecting={"review": before.review})
            data = {"from": before.review, "to": after.review}
            session.event("deployment.review-changed", name, data=data, actor=actor)
        return after

    def list(self, *, limit: int | None = 50) -> list[Deployment]:
        """Deployments, newest first."""
        with self._store.read() as session:
            return session.list(Deployment, limit=limit)

    def open(self, name: str) -> DeployedModel:
        """The deployed model, ready to predict in this process; one of an alias follows it.

        Raises
        ------
        RefusedError
            The model is served elsewhere.
        PackageError
            The package is not what its manifest says.
        """
        from nbprod.deployments.deployed import DeployedModel  # delayed: pandas, scikit-learn

        deployment = self.get(name)
        if deployment.model is None:
            raise RefusedError(
                f"{name} is an external deployment: nbprod does not have its model",
                hint=f"Add its predictions: nbprod predictions add {name} FILE.",
            )
        return DeployedModel(
            deployment,
            self._lake.predictions(name),
            load=self._packages.load,
            resolve=self._resolve,
            private=self._never_kept(deployment),
            folder=self._packages.folder,
        )

    def serve(
        self,
        name: str,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        workers: int = 1,
        certfile: Path | str | None = None,
        keyfile: Path | str | None = None,
        hosts: Sequence[str] = (),
    ) -> Any:
        """Serve a deployment over HTTP from a process beside this one; returns when it answers.

        Parameters
        ----------
        name
            The deployment.
        host, port
            Where; by default a free port that only this machine can reach. Others need tokens: ``ws.tokens.create``.
        workers
            Processes that answer.
        certfile, keyfile
            Of TLS, as PEM.
        hosts
            Names clients may call the server by, beside addresses.

        Raises
        ------
        NotFoundError
            There is no such deployment.
        EnvironmentProblem
            The server ended before it answered.
        """
        self.get(name)
        assert self._serve is not None
        options = ["--host", host, "--port", str(port), "--workers", str(workers)]
        for option, value in (("--certfile", certfile), ("--keyfile", keyfile)):
            options += [option, str(value)] if value is not None else []
        for one in hosts:
            options += ["--allow-host", one]
        return self._serve(name, options)

    def add_predictions(self, name: str, source: Any) -> PredictionsAdded:
        """Keep predictions that were made elsewhere; the same source again adds nothing.

        Parameters
        ----------
        name
            The deployment.
        source
            A registered data set, a file, a URL or a frame with the columns ``at`` and ``prediction``, perhaps
            ``prediction_id``, ``version``, ``latency_ms``, ``probability`` and ``probability_<class>``, and the
            inputs.

        Raises
        ------
        SchemaError
            A sentence for each column at fault; nothing was kept.
        """
        from nbprod.datasets import open_dataset  # delayed: pyarrow
        from nbprod.deployments.choosing import with_chances
        from nbprod.deployments.ingestion import predictions_of

        deployment, rows = self.get(name), open_dataset(self._locate(source))
        core, inputs, transaction, is_given = predictions_of(rows, deployment, self._resolve)
        core = with_chances(core, inputs, deployment, self._resolve, self._packages.folder)
        added = self._lake.predictions(name).append(
            core, inputs, private=self._never_kept(deployment), transaction=transaction, unique=is_given
        )
        self._record("predictions.added", name, added.added, transaction.name)
        return replace(added, read_as=rows.read_as)

    def keep(self, name: str, parts: Iterable[tuple[int, Any, Any]], *, mark: str) -> PredictionsAdded:
        """Keep the numbered parts of a job, each once; see :func:`~nbprod.deployments.parts.keep_parts`."""
        from nbprod.deployments.choosing import with_chances  # delayed: pyarrow
        from nbprod.deployments.parts import keep_parts

        deployment = self.get(name)
        chosen = (
            (number, with_chances(core, inputs, deployment, self._resolve, self._packages.folder), inputs)
            for number, core, inputs in parts
        )
        with locked(self._spool_of(name) / "parts.lock"):  # the same command twice at once: one after the other
            added = keep_parts(name, self._lake, chosen, private=self._never_kept(deployment), mark=mark)
        self._record("predictions.added", name, added.added, mark)
        return added

    def add_outcomes(self, name: str, source: Any) -> OutcomesAdded:
        """Keep outcomes, to be joined with predictions by their id; the same source again adds nothing.

        Parameters
        ----------
        name
            The deployment.
        source
            A registered data set, a file, a URL or a frame with the columns ``prediction_id``, ``outcome`` and
            perhaps ``at``, when it came.

        Raises
        ------
        SchemaError
            A sentence for each column at fault; nothing was kept.
        """
        from nbprod.datasets import open_dataset  # delayed: pyarrow
        from nbprod.deployments.ingestion import outcomes_of

        deployment, given = self.get(name), open_dataset(self._locate(source))
        rows, transaction = outcomes_of(given, deployment)
        added = self._lake.outcomes(name).append(rows, transaction=transaction)
        self._record("outcomes.added", name, added.added, transaction.name)
        return replace(added, read_as=given.read_as)

    def _check_review(self, rules: str, model: str | None, private: Sequence[str]) -> None:
        policy = ReviewPolicy.parse(rules)
        if policy is not None:
            folder = self._packages.folder(self._resolve(model).package) if model is not None else None
            policy.check(schema_of(str(folder)) if folder is not None else None, private)

    def _record(self, kind: str, name: str, added: int, digest: str) -> None:
        if added:
            with self._store.write() as session:
                session.event(kind, name, data={"added": added, "source": digest})

    def __repr__(self) -> str:
        return f"<Deployments of {self._store!r}>"
