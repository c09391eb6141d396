"""The site of a workspace: build it, check it, show it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from nbprod.domain.exposure import Exposure
from nbprod.domain.rollout import Rollout
from nbprod.domain.scorecard import Scorecard
from nbprod.site.building import SiteSummary, build, open_site
from nbprod.site.checking import PageFault, check
from nbprod.store import Store

__all__ = ["Site"]


class Site:
    """Makes the static site of a workspace's records.

    Parameters
    ----------
    store
        The ledger; it is only read.
    folder
        Where the site goes.
    runs_folder
        Where the run folders are.
    name
        The site's name, usually the workspace's.
    exposure
        Counts whom a rollout reached; without it that is not told.
    scorecards
        Computes the score cards of all models.
    """

    def __init__(
        self,
        store: Store,
        folder: Path,
        *,
        runs_folder: Path,
        name: str,
        exposure: Callable[[Rollout], Exposure] | None = None,
        scorecards: Callable[[], Sequence[Scorecard]] = tuple,
    ) -> None:
        self.store, self.folder, self.runs_folder, self.name = store, folder, runs_folder, name
        self.exposure = exposure
        self._scorecards = scorecards

    def build(self, folder: Path | str | None = None, *, since: datetime | None = None) -> SiteSummary:
        """Build the site; what still holds of an earlier one is left untouched.

        Parameters
        ----------
        folder
            Somewhere else than the workspace's setting.
        since
            Leaves out older runs, reports, alerts and events.

        Raises
        ------
        StoreError
            The folder cannot be written.
        """
        return build(
            self.store,
            folder or self.folder,
            runs_folder=self.runs_folder,
            since=since,
            name=self.name,
            exposure=self.exposure,
            scorecards=self._scorecards(),
        )

    def check(self, folder: Path | str | None = None) -> Sequence[PageFault]:
        """What is wrong with a built site: dead links, outside requests, sizes, missing texts."""
        return check(Path(folder or self.folder))

    def open(self, folder: Path | str | None = None) -> bool:
        """Show a built site in the browser; false when there is none on this machine."""
        return open_site(folder or self.folder)

    def __repr__(self) -> str:
        return f"<Site {self.folder}>"
