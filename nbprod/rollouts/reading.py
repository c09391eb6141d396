"""The part of the service that reads: rollouts, what was concluded, the verdict that counts, files that obey it."""

from __future__ import annotations

import builtins
import time
from collections.abc import Iterator

from nbprod.clock import now
from nbprod.domain.deployment import Deployment
from nbprod.domain.names import nearest
from nbprod.domain.rollout import Rollout, RolloutAnalysis
from nbprod.domain.rollout_verdict import RolloutVerdict, verdict_of
from nbprod.errors import NotFoundError, SettingsError
from nbprod.rollouts.exports import KINDS, Place
from nbprod.rollouts.rehearsing import RehearsedRollouts

__all__ = ["RecordedRollouts"]


class RecordedRollouts(RehearsedRollouts):
    """What is recorded of rollouts; `Rollouts` is the service."""

    def list(self, deployment: str | None = None, *, limit: int | None = 50) -> builtins.list[Rollout]:
        """Rollouts, newest first."""
        with self._store.read() as session:
            return [*session.list(Rollout, {"deployment": deployment} if deployment else {}, limit=limit)]

    def get(self, name: str) -> Rollout:
        """A rollout by its id, or the newest of a deployment by the deployment's name.

        Raises
        ------
        NotFoundError
            There is none.
        """
        with self._store.read() as session:
            found = session.find(Rollout, name)
            if found is not None:
                return found
            newest = session.list(Rollout, {"deployment": name}, limit=1)
            if newest:
                return newest[0]
            known = [one.name for one in session.list(Deployment, limit=None)]
        start = f"Start one: nbprod rollouts start {name} --to MODEL/N."
        raise NotFoundError(
            f"{name} is no rollout, and no deployment that had one",
            hint=start if name in known else nearest(name, known),
        )

    def analyses(self, name: Rollout | str, *, limit: int | None = None) -> builtins.list[RolloutAnalysis]:
        """What was concluded about a rollout, newest first."""
        found = self.get(name) if isinstance(name, str) else name
        with self._store.read() as session:
            return [*session.list(RolloutAnalysis, {"rollout": found.id}, limit=limit)]

    def verdict(self, name: str) -> RolloutVerdict:
        """The verdict that counts now: of the newest analysis, as far as it speaks of the step the rollout is in."""
        rollout = self.get(name)
        newest = self.analyses(rollout, limit=1)
        return verdict_of(rollout, newest[0] if newest else None)

    def watch(self, name: str, *, every_s: float = 1.0) -> Iterator[RolloutVerdict]:
        """The verdict again and again, until the rollout is over."""
        while True:
            rollout, seen = self.get(name), self.verdict(name)
            yield seen
            if not rollout.is_open:
                return
            time.sleep(every_s)

    def export(
        self, kind: str, name: str, *, url: str = "", image: str = "", workspace: str = "/workspace"
    ) -> dict[str, str]:
        """Files that let somebody else's router obey the recorded verdict, by name.

        Parameters
        ----------
        kind
            ``argo``: an AnalysisTemplate that asks a server (``url``) or runs in a job (``image``); ``flagger``: the
            webhooks of a Canary; ``kserve``: a patch with the share the candidate has now.
        name
            The deployment, or a rollout's id.
        url
            Of a server of the deployment, as it is reached from there.
        image
            One that nbprod is installed in.
        workspace
            Where the workspace is, in that image.

        Raises
        ------
        SettingsError
            The kind is unknown, or what it needs was not given.
        """
        if kind not in KINDS:
            raise SettingsError(f"a rollout cannot be exported as {kind!r}", hint=nearest(kind, KINDS))
        rollout = self.get(name)
        place = Place(url=url.rstrip("/"), image=image, workspace=workspace, longest=rollout.longest)
        return KINDS[kind](self.verdict(name), place, now())
