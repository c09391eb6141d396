"""Build the site: one page a noun, from one reading of the ledger; what did not change is left as it is."""

from __future__ import annotations

import json
import shutil
import webbrowser
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from nbprod.domain.exposure import Exposure
from nbprod.domain.markup import card
from nbprod.domain.pipeline import PipelineRun
from nbprod.domain.plain import plain
from nbprod.domain.rollout import Rollout
from nbprod.domain.run import Run
from nbprod.domain.scorecard import Scorecard
from nbprod.errors import NotFoundError
from nbprod.pages.layout import Link, render
from nbprod.pages.pipeline_report import pipeline_report
from nbprod.site import views
from nbprod.site.facts import Facts, read_facts
from nbprod.site.places import Places, folder_name
from nbprod.site.run_pages import build_run, fingerprint
from nbprod.site.scoring import Scoring, build_scorings
from nbprod.site.writing import to_json, write

if TYPE_CHECKING:
    from nbprod.store import Store

__all__ = ["SiteSummary", "build", "build_from", "open_site"]

STAMPS = ".built.json"  #: fingerprints of the run pages that are there
HIDDEN = {"folder", "source"}  # paths of the machine the records were made on


@dataclass(frozen=True, kw_only=True)
class SiteSummary:
    """What a build did."""

    folder: Path
    pages: int  #: HTML pages in the site
    changed: int  #: files that were written, of all kinds
    runs_built: int
    runs_kept: int  #: pages of runs that were there already

    @property
    def index(self) -> Path:
        """The first page."""
        return self.folder / "index.html"

    def __repr__(self) -> str:
        return f"<SiteSummary {self.index}: {self.pages} pages, {self.changed} files changed>"

    def _repr_html_(self) -> str:
        return card(
            "Site",
            [
                ("first page", self.index),
                ("pages", self.pages),
                ("files changed", self.changed),
                ("run pages", f"{self.runs_built} made, {self.runs_kept} there already"),
            ],
        )


def build(
    store: Store,
    output: Path | str,
    *,
    runs_folder: Path | str,
    since: datetime | None = None,
    name: str = "nbprod",
    exposure: Callable[[Rollout], Exposure] | None = None,
    scorecards: Sequence[Scorecard] = (),
) -> SiteSummary:
    """Build the site of a workspace into a folder.

    Parameters
    ----------
    store
        The ledger; it is only read.
    output
        The folder; made if it does not exist. Files of an earlier build that still hold are left untouched.
    runs_folder
        Where the run folders are.
    since
        Leaves out older runs, monitor reports, alerts and events.
    name
        The site's name, usually the workspace's.
    exposure
        Counts whom a rollout reached; without it that is not told.
    scorecards
        Of the models, by name.

    Raises
    ------
    StoreError
        The ledger cannot be read or the folder cannot be written.
    """
    facts = read_facts(store, since=since, exposure=exposure)
    return build_from(facts, Path(output), runs_folder=Path(runs_folder), name=name, scorecards=scorecards)


def build_from(
    facts: Facts, output: Path, *, runs_folder: Path, name: str = "nbprod", scorecards: Sequence[Scorecard] = ()
) -> SiteSummary:
    """Build the site of records that were read already."""
    places = Places.of(facts, name=name)
    scorings, scored = build_scorings(facts, output)
    built, kept, changed = _run_pages(facts, output, runs_folder, places, scorings)
    changed += scored
    pages = {
        "index.html": render("index.html.j2", **views.index(facts, places)),
        "runs/index.html": render("runs.html.j2", **views.runs(facts, places.at(1))),
        "models/index.html": render("models.html.j2", **views.models(facts, places.at(1))),
        "rollouts/index.html": render("rollouts.html.j2", **views.rollouts(facts, places.at(1))),
        "monitors/index.html": render("monitors.html.j2", **views.monitors(facts, places.at(1))),
        "alerts/index.html": render("alerts.html.j2", **views.alerts(facts, places.at(1))),
        "scorecards/index.html": render("scorecards.html.j2", **views.scorecards(facts, places.at(1), scorecards)),
        "history/index.html": render("history.html.j2", **views.history(facts, places.at(1))),
        "feed.xml": render("feed.xml.j2", **views.feed(facts, places)),
    }
    for run in facts.pipelines:
        here = places.at(2)
        content = pipeline_report(run, pages=here.hrefs, nav=here.nav("Runs"))
        pages[f"pipelines/{folder_name(run.id)}/index.html"] = content
    for model in views.model_names(facts):
        values = views.model(facts, places.at(2), model, scorings)
        pages[f"models/{folder_name(model)}/index.html"] = render("model.html.j2", **values)
    for rollout in facts.rollouts:
        values = views.rollout(facts, places.at(2), rollout, runs_folder)
        pages[f"rollouts/{folder_name(rollout.id)}/index.html"] = render("rollout.html.j2", **values)
    for deployment in facts.deployments:
        values = views.monitor(facts, places.at(2), deployment)
        pages[f"monitors/{folder_name(deployment.name)}/index.html"] = render("monitor.html.j2", **values)
    pages |= {**_data(facts), "data/scorecards.json": to_json("scorecards", scorecards)}
    changed += sum(write(output / place, content) for place, content in pages.items())
    return SiteSummary(
        folder=output,
        pages=sum(place.endswith(".html") for place in pages)
        + built
        + kept
        + sum(bool(one.place) for one in scorings.values()),
        changed=changed,
        runs_built=built,
        runs_kept=kept,
    )


def open_site(folder: Path | str) -> bool:
    """Show a built site in the browser; false when there is none on this machine.

    Raises
    ------
    NotFoundError
        There is no site in the folder.
    """
    index = Path(folder).absolute() / "index.html"
    if not index.is_file():
        raise NotFoundError(f"there is no site in {index.parent}", hint="Build it: nbprod site build.")
    return webbrowser.open(index.as_uri())


def _run_pages(
    facts: Facts, output: Path, runs_folder: Path, places: Places, scorings: Mapping[str, Scoring]
) -> tuple[int, int, int]:
    """Make the pages of runs whose records changed; return how many were made, kept, and files changed."""
    stamps = _read_stamps(output)
    now_there: dict[str, str] = {}
    built = kept = changed = 0
    here = places.at(2)
    models = {
        version.run_id: Link(label=f"Try {version.ref}", href=here.path(scorings[version.ref].place))
        for version in facts.versions
        if version.ref in scorings and scorings[version.ref].place
    }
    for run in facts.runs:
        folder, target = runs_folder / folder_name(run.id), output / "runs" / folder_name(run.id)
        tries = [models[run.id]] if run.id in models else []
        stamp = fingerprint(run, folder) + f"-{here.to(run.caused_by or '').href or ''}"
        stamp += "".join(f"-{link.href}" for link in tries)
        if stamps.get(run.id) == stamp and (target / "index.html").is_file():
            kept += 1
        else:
            changed += build_run(run, folder, target, pages=here.hrefs, nav=here.nav("Runs"), also=tries)
            built += 1
        now_there[run.id] = stamp
    for gone in stamps.keys() - now_there.keys():  # a run that was pruned, or is older than asked for
        shutil.rmtree(output / "runs" / folder_name(gone), ignore_errors=True)
    write(output / STAMPS, json.dumps(now_there, indent=0, sort_keys=True))
    return built, kept, changed


def _read_stamps(output: Path) -> dict[str, str]:
    try:
        found = json.loads((output / STAMPS).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _data(facts: Facts) -> dict[str, str]:
    def told(run: Run | PipelineRun) -> dict[str, object]:
        return {key: value for key, value in plain(run).items() if key not in HIDDEN}

    records: dict[str, Sequence[object]] = {
        "runs": [told(run) for run in facts.runs],
        "pipelines": [told(run) for run in facts.pipelines],
        "models": list(facts.versions),
        "aliases": list(facts.aliases),
        "deployments": list(facts.deployments),
        "monitors": list(facts.reports),
        "alerts": list(facts.alerts),
        "rollouts": list(facts.rollouts),
        "analyses": list(facts.analyses),
        "events": list(facts.events),
    }
    return {f"data/{name}.json": to_json(name, values) for name, values in records.items()}
