"""What each page says: values for the templates, chosen and put into order."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from nbprod.clock import format_utc
from nbprod.domain.alert import Alert, AlertStatus
from nbprod.domain.alert_policy import is_web_address
from nbprod.domain.deployment import Deployment
from nbprod.domain.event import Event
from nbprod.domain.monitor import BESIDE
from nbprod.domain.rollout import Rollout
from nbprod.domain.run import Run
from nbprod.domain.scorecard import Scorecard
from nbprod.domain.version import ModelVersion
from nbprod.pages.formatting import moment, plural
from nbprod.pages.layout import Link
from nbprod.pages.markdown import markdown
from nbprod.site import charts
from nbprod.site.facts import AliasPeriod, Facts
from nbprod.site.places import Places
from nbprod.site.rollouts import rollout_row, rollout_values
from nbprod.site.scoring import Scoring
from nbprod.visible import visible

__all__ = [
    "alerts",
    "feed",
    "history",
    "index",
    "model",
    "model_names",
    "models",
    "monitor",
    "monitors",
    "rollout",
    "rollouts",
    "runs",
    "scorecards",
]

MOST_RUNS = 400  # rows of the list; data/runs.json has them all
MOST_PIPELINES = 40
MOST_EVENTS = 600
MOST_WINDOWS = 120
FEED = 50
LONGEST_CARD = 40_000  # characters


def index(facts: Facts, places: Places) -> dict[str, Any]:
    """What is true now."""
    in_use = [_deployment(facts, places, one) for one in facts.deployments]
    return {
        **_page(facts, places, places.name),
        "sentence": _sentence(facts),
        "deployments": in_use,
        "alerts": [_alert(facts, places, one) for one in facts.unresolved_alerts[:20]],
        "models": [_model(facts, places, name) for name in model_names(facts)],
        "runs": [_run(places, run) for run in facts.runs[:10]],
        "run_count": len(facts.runs),
        "events": [_event(places, event) for event in facts.events[:8]],
    }


def runs(facts: Facts, places: Places) -> dict[str, Any]:
    """All runs."""
    return {
        **_page(facts, places, "Runs"),
        "runs": [_run(places, run) for run in facts.runs[:MOST_RUNS]],
        "pipelines": [(one, places.to(one.id, one.pipeline)) for one in facts.pipelines[:MOST_PIPELINES]],
        "total": len(facts.runs),
        "counts": _counts([run.status for run in facts.runs]),
    }


def models(facts: Facts, places: Places) -> dict[str, Any]:
    """All registered models."""
    return {**_page(facts, places, "Models"), "models": [_model(facts, places, name) for name in model_names(facts)]}


def model(facts: Facts, places: Places, name: str, scorings: Mapping[str, Scoring]) -> dict[str, Any]:
    """One model: its versions, who decided what on which evidence, and what its aliases named."""
    held = facts.alias_periods(name)
    events = [
        event
        for event in facts.events
        if event.subject.startswith((f"{name}@", f"{name}/"))
        or (event.subject == name and event.kind == "model.created")
    ]
    return {
        **_page(facts, places, name, section="Models"),
        "model": _model(facts, places, name),
        "versions": [
            _version(facts, places, one, scorings.get(one.ref)) for one in facts.versions if one.model == name
        ],
        "held": [
            {"alias": alias, "rows": [_held(places, one) for one in reversed(spans)]} for alias, spans in held.items()
        ],
        "picture": charts.alias_history(held, until=facts.as_of) if held else Markup(),
        "events": [_event(places, event) for event in events[:100]],
    }


def monitors(facts: Facts, places: Places) -> dict[str, Any]:
    """All deployments as they are watched."""
    return {
        **_page(facts, places, "Monitors"),
        "deployments": [_deployment(facts, places, one) for one in facts.deployments],
    }


def monitor(facts: Facts, places: Places, deployment: Deployment) -> dict[str, Any]:
    """One deployment over time."""
    reports = facts.reports_of(deployment.name)[-MOST_WINDOWS:]
    shown = charts.changed_by_window(reports)
    return {
        **_page(facts, places, deployment.name, section="Monitors"),
        "deployment": _deployment(facts, places, deployment),
        "drift": charts.drift_picture(reports) if reports else Markup(),
        "judged": charts.judged_picture(reports),
        "metrics": charts.metric_pictures(reports),
        "windows": [
            (report, places.to(report.run_id, charts.window_name(report)), places.to(report.version or "—"))
            for report in reversed(reports)
        ],
        "metric_names": charts.metric_names(reports)[:2],
        "beside": [check for check in reports[-1].checks if check.name in BESIDE] if reports else [],
        "columns": shown,
        "column_windows": [charts.window_name(report) for report in reports],
        "alerts": [_alert(facts, places, one) for one in facts.alerts if one.deployment == deployment.name],
        "rollouts": [rollout_row(facts, places, one) for one in facts.rollouts if one.deployment == deployment.name],
    }


def rollouts(facts: Facts, places: Places) -> dict[str, Any]:
    """All rollouts, newest first."""
    return {
        **_page(facts, places, "Rollouts"),
        "rollouts": [rollout_row(facts, places, one) for one in facts.rollouts],
        "open": sum(one.is_open for one in facts.rollouts),
    }


def rollout(facts: Facts, places: Places, one: Rollout, runs_folder: Path) -> dict[str, Any]:
    """One rollout: its answer, its evidence, and who moved it."""
    values = rollout_values(facts, places, one, runs_folder)
    title = f"{one.candidate} in place of {one.stable}"
    alerts = [_alert(facts, places, alert) for alert in values["alerts"]]
    return {**_page(facts, places, title, section="Rollouts"), **values, "alerts": alerts}


def alerts(facts: Facts, places: Places) -> dict[str, Any]:
    """All alerts by what people know about them."""
    groups = [
        (str(status), [_alert(facts, places, one) for one in facts.alerts if one.status is status])
        for status in AlertStatus
    ]
    return {**_page(facts, places, "Alerts"), "groups": groups, "total": len(facts.alerts)}


def scorecards(facts: Facts, places: Places, cards: Sequence[Scorecard]) -> dict[str, Any]:
    """The ML Test Score of every model."""
    return {**_page(facts, places, "Scorecards"), "cards": cards}


def history(facts: Facts, places: Places) -> dict[str, Any]:
    """Everything that happened."""
    days: dict[str, list[dict[str, Any]]] = {}
    for event in facts.events[:MOST_EVENTS]:
        days.setdefault(f"{event.at:%A}, {event.at.day} {event.at:%B %Y}", []).append(_event(places, event))
    return {**_page(facts, places, "History"), "days": list(days.items()), "total": len(facts.events)}


def feed(facts: Facts, places: Places) -> dict[str, Any]:
    """The newest events for feed readers."""
    return {
        "name": places.name,
        "updated": format_utc(facts.as_of),
        "entries": [_entry(places, event) for event in facts.events[:FEED]],
    }


def model_names(facts: Facts) -> list[str]:
    """Names of the registered models, in order."""
    return sorted({*(one.name for one in facts.models), *(version.model for version in facts.versions)})


def _page(facts: Facts, places: Places, title: str, *, section: str = "") -> dict[str, Any]:
    return {
        "title": title if title == places.name else f"{title} · {places.name}",
        "heading": title,
        "nav": places.nav(section or title),
        "feed": places.path("feed.xml"),
        "data": places.path("data/"),
        "as_of": facts.as_of,
    }


def _sentence(facts: Facts) -> str:
    standing = len(facts.unresolved_alerts)
    pending = sum(version.approval == "pending" for version in facts.versions)
    parts = [
        plural(len(facts.deployments), "deployment"),
        plural(standing, "alert") + " not resolved",
        plural(pending, "model version") + " waiting for a decision",
    ]
    return ", ".join(parts).capitalize() + "."


def _deployment(facts: Facts, places: Places, deployment: Deployment) -> dict[str, Any]:
    version, since = facts.in_use(deployment)
    reports = facts.reports_of(deployment.name)
    last = reports[-1] if reports else None
    return {
        "deployment": deployment,
        "page": places.to(f"deployment {deployment.name}", deployment.name),
        "version": places.to(version.ref) if version else None,
        "since": since,
        "last": last,
        "last_run": places.to(last.run_id, "report") if last else None,
        "windows": len(reports),
        "rollout": next(
            (rollout_row(facts, places, one) for one in facts.rollouts if one.deployment == deployment.name), None
        ),
        "standing": sum(alert.deployment == deployment.name for alert in facts.unresolved_alerts),
        "performance": charts.performance_picture(reports) if reports else Markup(),
        "performance_small": charts.performance_picture(reports, wide=False) if reports else Markup(),
        "drift_small": charts.drift_picture(reports, wide=False) if reports else Markup(),
    }


def _model(facts: Facts, places: Places, name: str) -> dict[str, Any]:
    versions = [version for version in facts.versions if version.model == name]
    registered = next((one for one in facts.models if one.name == name), None)
    return {
        "name": name,
        "page": places.to(f"model {name}", name),
        "description": registered.description if registered else "",
        "count": len(versions),
        "pending": sum(version.approval == "pending" for version in versions),
        "aliases": [(alias, places.to(f"{name}/{alias.number}")) for alias in facts.aliases if alias.model == name],
    }


def _version(facts: Facts, places: Places, version: ModelVersion, scoring: Scoring | None) -> dict[str, Any]:
    package = facts.packages.get(version.package)
    trained = next((run for run in facts.runs if run.id == version.run_id), None)
    return {
        "version": version,
        "aliases": [
            alias for alias in facts.aliases if (alias.model, alias.number) == (version.model, version.number)
        ],
        "package": package,
        "try": Link(label="Try it", href=places.path(scoring.place)) if scoring and scoring.place else None,
        "no_try": scoring.reason if scoring else "",
        "metrics": list(package.metrics.items())[:6] if package else [],
        "trained": places.to(version.run_id) if version.run_id else None,
        "data": list(trained.data.items()) if trained else [],
        "git": trained.git if trained else None,
        "cause": places.to(version.caused_by) if version.caused_by else None,
        "evidence": [_linked(facts, places, name) for name in version.evidence],
        "card": _card(package.folder) if package else Markup(),
        "rollouts": [
            Link(label=f"to {one.deployment}", href=places.to(one.id).href, note=str(one.status))
            for one in facts.rollouts
            if one.candidate == version.ref
        ],
    }


def _card(folder: str) -> Markup:
    """The package's card, without its front matter; nothing when the package is not on this disk."""
    path = Path(folder) / "README.md"
    try:
        text = path.read_text(encoding="utf-8")[:LONGEST_CARD] if folder and not path.is_symlink() else ""
    except (OSError, ValueError):
        return Markup()
    return markdown(re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL))


def _held(places: Places, held: AliasPeriod) -> tuple[AliasPeriod, Link, Sequence[Link]]:
    return held, places.to(f"{held.alias.partition('@')[0]}/{held.number}"), _evidence(places, held.event)


def _run(places: Places, run: Run) -> dict[str, Any]:
    return {
        "run": run,
        "page": places.to(run.id, run.template),
        "mark": run.id[-4:],
        "seconds": run.duration.total_seconds() if run.duration else None,
        "metrics": list(run.metrics.items())[:2],
        "cause": places.to(run.caused_by) if run.caused_by else None,
    }


def _alert(facts: Facts, places: Places, alert: Alert) -> dict[str, Any]:
    until = f" until {moment(alert.snoozed_until)}" if alert.snoozed_until else ""
    who = alert.status_by or alert.acknowledged_by
    return {
        "alert": alert,
        "when": alert.when(facts.as_of),
        "who": f"by {who}{until}" if who and alert.status is not AlertStatus.OPEN else "",
        # the ledger is no place to trust with an address
        "runbook": alert.runbook if is_web_address(alert.runbook) else "",
        "deployment": places.to(f"deployment {alert.deployment}", alert.deployment),
        "run": places.to(alert.subject if alert.check == "rollout" else alert.run_id),
        "answers": [places.to(run.id) for run in facts.runs if run.caused_by == alert.id][:5],
    }


def _event(places: Places, event: Event) -> dict[str, Any]:
    noun, _, verb = event.kind.partition(".")
    kind = {"monitor": "deployment", "deployment": "deployment", "model": "model"}.get(noun)
    subject = places.to(event.subject)
    if noun == "rollout" and isinstance(event.data.get("rollout"), str):
        subject = places.to(event.data["rollout"], f"{event.data.get('candidate', '')} for {event.subject}")
    if subject.href is None and kind:
        subject = places.to(f"{kind} {event.subject}", event.subject)
    if subject.href is None and "@" in event.subject:  # an alias that has moved on to be removed
        subject = Link(label=event.subject, href=places.to(f"model {event.subject.partition('@')[0]}").href)
    version = event.data.get("version") if noun == "model" else None
    return {
        "event": event,
        "words": f"{noun} {verb.replace('-', ' ')}".strip(),
        "subject": subject,
        "more": f"to version {version}" if isinstance(version, int) else "",
        "evidence": _evidence(places, event),
    }


def _entry(places: Places, event: Event) -> dict[str, Any]:
    """An event for a feed: XML allows no control characters."""
    said = _event(places, event)
    return {
        "number": event.number,
        "at": format_utc(event.at),
        "actor": visible(event.actor),
        "title": visible(f"{said['words']} {event.subject} {said['more']}".strip()),
        "summary": visible(event.reason or said["words"]),
        "href": said["subject"].href or places.path("history/index.html"),
    }


def _evidence(places: Places, event: Event) -> Sequence[Link]:
    return [places.to(name, "" if len(name) < 64 else f"package {name[:12]}") for name in event.evidence]


def _linked(facts: Facts, places: Places, run_id: str) -> Link:
    run = next((one for one in facts.runs if one.id == run_id), None)
    link = places.to(run_id)
    return Link(label=link.label, href=link.href, note=f"{run.template}, {run.status}" if run else "")


def _counts(statuses: Sequence[str]) -> str:
    counted = {status: statuses.count(status) for status in sorted(set(statuses))}
    return ", ".join(f"{count:,} {status}" for status, count in counted.items())
