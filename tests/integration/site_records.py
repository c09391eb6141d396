"""A workspace with a year behind it: real ledger, real run folders, a notebook that a real kernel executed."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from nbprod.domain.alert import Alert, AlertStatus
from nbprod.domain.check import CheckOutcome, CheckResult
from nbprod.domain.deployment import Deployment
from nbprod.domain.monitor import MonitorReport, Verdict
from nbprod.domain.package import ModelPackage
from nbprod.domain.rollout import Rollout, RolloutAnalysis, RolloutDecision, RolloutStatus
from nbprod.domain.rollout_plan import Automation, MetricRule
from nbprod.domain.run import EndCause, Run, RunStatus
from nbprod.domain.version import Alias, Approval, ModelVersion, RegisteredModel
from nbprod.notebook.journal import Journal
from nbprod.store import Store

BEGIN = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
ACCURACY = (0.83, 0.84, 0.75, 0.75, 0.82, 0.62, 0.81, 0.82, 0.83, 0.82, 0.84, 0.83)
CHANGED = {5: ("vicprice", "vicdemand", "transfer"), 6: ("transfer", "vicprice", "vicdemand", "nswprice")}
HOSTILE_HTML = "<!DOCTYPE html><title>x</title><h1>Rich report</h1><script>document.body.dataset.ran = 'yes'</script>"


def train_notebook():
    """A small notebook with every kind of output."""
    return new_notebook(
        cells=[
            new_markdown_cell(
                "# Train a classifier\n\nFits the named estimator beside a trivial baseline on an honest split, "
                "and **records** what it finds.",
                id="title",
            ),
            new_code_cell(
                "data: str = 'electricity'  # the table to learn from\nseed: int = 7  # for the split",
                id="parameters",
                metadata={"tags": ["parameters"]},
            ),
            new_code_cell("seed = 8", id="injected", metadata={"tags": ["injected-parameters"]}),
            new_markdown_cell("## Load\n\nThe rows as they come, oldest first.", id="load-text"),
            new_code_cell(
                "import numpy as np\nimport pandas as pd\n\nrng = np.random.default_rng(seed)\n"
                "frame = pd.DataFrame(rng.normal(size=(200, 7)), columns=[f'feature_{i}' for i in range(7)])\n"
                "frame.describe().round(3)",
                id="load-data",
            ),
            new_code_cell(
                "import sys\n\nprint('rows', len(frame))\nprint('\\x1b[31mred\\x1b[0m and \\x1b[1;32mgreen\\x1b[0m')\n"
                "print('a warning', file=sys.stderr)",
                id="say",
            ),
            new_markdown_cell("## Look\n\nA picture drawn by matplotlib, and one by nbprod.", id="look-text"),
            new_code_cell(
                "import io\n\nimport matplotlib\n\nmatplotlib.use('svg')\nimport matplotlib.pyplot as plt\n"
                "from IPython.display import SVG, display\n\nfigure, axes = plt.subplots(figsize=(6, 3))\n"
                "axes.plot(frame['feature_0'].cumsum())\naxes.set_title('A random walk')\nfile = io.StringIO()\n"
                "figure.savefig(file, format='svg')\ndisplay(SVG(file.getvalue()))\nplt.close(figure)",
                id="picture",
            ),
            new_code_cell(
                "from nbprod.pages.charts import histogram_pair\n\n"
                "shown = histogram_pair('price', [1, 3, 6, 9, 4, 2], [0, 1, 3, 5, 9, 8], edges=[0, 1, 2, 3, 4, 5, 6])\n"
                "display({'application/vnd.nbprod.record+json': {'name': 'roc_auc', 'value': 0.93},\n"
                "         'text/html': f'<p>roc_auc <strong>0.93</strong></p>{shown}', 'text/plain': '0.93'}, raw=True)",
                id="record",
            ),
            new_code_cell("1 / (seed - 8)", id="fit", metadata={"tags": ["raises-exception"]}),
        ],
        metadata={"papermill": {"parameters": {"seed": 8}}},
    )


def executed_notebook():
    """The same, executed by a real kernel; its last cell raises."""
    from nbclient import NotebookClient

    notebook = train_notebook()
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    return notebook


def write_run(folder: Path, run: Run, notebook, *, cells=("parameters", "load-data", "picture", "record", "fit")):
    """A run folder as the engine leaves it."""
    place = folder / run.id
    (place / "files").mkdir(parents=True)
    nbformat.write(notebook, place / "notebook.ipynb")
    with Journal(place) as journal:
        journal.append("run.started", cells=[(cell, n) for n, cell in enumerate(cells)])
        for cell in cells:
            failed = cell == run.failed_cell
            journal.append("cell.started", cell=cell)
            journal.append(
                "cell.ended", cell=cell, status="failed" if failed else "completed", cpu_s=0.001, peak_memory_mb=180.0
            )
        journal.append("run.ended", status=str(run.status))
    return place


def make_run(number: int, template: str, *, minutes: int, **more) -> Run:
    at = BEGIN + timedelta(minutes=minutes)
    values = {
        "id": f"{at:%Y%m%dT%H%M%SZ}-{template}-{number:04x}",
        "template": template,
        "source": f"templates/{template}.ipynb",
        "template_digest": f"{number:02x}" * 32,
        "status": RunStatus.SUCCEEDED,
        "folder": "",
        "created_at": at,
        "started_at": at,
        "ended_at": at + timedelta(seconds=8.4),
        "actor": "maria",
        "parameters": {"data": "electricity", "seed": 8},
        "data": {"data": f"sha256:{number:02x}" * 4},
        "git": "1d0450c7a3b2+",
        "environment": "9f" * 32,
    }
    return Run(**{**values, **more})


def fill(root: Path, notebook) -> tuple[Store, Path]:
    """Write a year of records; return the ledger and the folder of the runs."""
    runs_folder = root / "runs"
    store = Store.open(f"sqlite:///{root / 'ledger.db'}", files=root / "files", actor="maria")
    trained = [
        make_run(1, "train", minutes=1, metrics={"roc_auc": 0.9312, "accuracy": 0.842, "rows_train": 17664.0}),
        make_run(2, "train", minutes=50, metrics={"roc_auc": 0.902, "accuracy": 0.811}, caused_by="alert-1"),
        make_run(3, "evaluate", minutes=52, metrics={"gain": 0.213}),
    ]
    failed = make_run(
        9,
        "train",
        minutes=60,
        status=RunStatus.FAILED,
        cause=EndCause.ERROR,
        failed_cell="fit",
        error="ZeroDivisionError: division by zero",
        metrics={},
    )
    packages = [
        ModelPackage(
            digest=f"{n}" * 64,
            folder=str(root / "packages" / str(n)),
            run_id=run.id,
            task="classification",
            format="skops",
            target="class",
            created_at=run.created_at + timedelta(seconds=20),
            size_bytes=1_204_000,
            metrics=dict(run.metrics),
        )
        for n, run in enumerate(trained[:2], start=1)
    ]
    for package in packages:
        Path(package.folder).mkdir(parents=True)
        Path(package.folder, "README.md").write_text(
            "---\ntags: [x]\n---\n# Electricity\n\nPredicts whether the price goes up.\n\n| metric | value |\n|---|---|\n| roc_auc | 0.93 |\n"
        )
    versions = [
        ModelVersion(
            model="electricity",
            number=n,
            package=package.digest,
            run_id=package.run_id,
            registered_at=package.created_at,
            registered_by="maria",
            approval=Approval.APPROVED if n == 1 else Approval.PENDING,
            decided_at=package.created_at + timedelta(minutes=1) if n == 1 else None,
            decided_by="maria" if n == 1 else None,
            note="first model" if n == 1 else "",
            evidence=(trained[2].id,) if n == 2 else (),
            blessed_at=package.created_at,
            caused_by=None if n == 1 else "alert-1",
        )
        for n, package in enumerate(packages, start=1)
    ]
    with store.write() as session:
        for run in [*trained, failed]:
            session.add(run)
            session.event("run.started", run.id, at=run.created_at, data={"template": run.template})
            session.event(f"run.{run.status}", run.id, at=run.ended_at)
        session.add(RegisteredModel(name="electricity", created_at=BEGIN, description="Will the price go up?"))
        for package in packages:
            session.add(package)
        for version in versions:
            session.add(version)
            session.event("version.registered", version.ref, at=version.registered_at, evidence=[version.package])
        session.event("version.approved", "electricity/1", at=BEGIN + timedelta(minutes=3), reason="first model")
        session.add(
            Alias(
                model="electricity",
                name="champion",
                number=2,
                moved_at=BEGIN + timedelta(minutes=55),
                moved_by="policy",
            )
        )
        session.event(
            "model.promoted",
            "electricity@champion",
            at=BEGIN + timedelta(minutes=4),
            reason="first model",
            data={"version": 1, "previous": None, "package": packages[0].digest},
        )
        session.add(
            Deployment(name="electricity", model="electricity@champion", created_at=BEGIN, created_by="maria")
        )
    _watch(store, runs_folder, notebook)
    _roll_out(store, trained[2].id)
    with store.write() as session:
        session.event(
            "model.promoted",
            "electricity@champion",
            actor="policy",
            at=BEGIN + timedelta(minutes=55),
            reason="Better on the rest of June by 0.21 (0.13 to 0.28).",
            evidence=[trained[2].id],
            data={"version": 2, "previous": 1, "package": packages[1].digest},
        )
    for run in [*trained, failed]:
        place = write_run(runs_folder, run, notebook)
        (place / "files" / "evidently.html").write_text(HOSTILE_HTML)
        (place / "files" / "scores.csv").write_text("row,score\n1,0.5\n")
        (place / "files" / "model.skops").write_bytes(b"\x00" * 40)
    return store, runs_folder


def _watch(store: Store, runs_folder: Path, notebook) -> None:
    alert = Alert(
        id="alert-1",
        deployment="electricity",
        check="performance",
        subject="accuracy",
        status=AlertStatus.OPEN,
        summary="accuracy is 0.62 (0.60 to 0.64), below 0.78 on 1,440 outcomes.",
        run_id="",
        opened_at=BEGIN + timedelta(minutes=30),
        last_seen_at=BEGIN + timedelta(minutes=36),
        times_seen=3,
    )
    for month, accuracy in enumerate(ACCURACY, start=1):
        run = make_run(
            16 + month, "monitor", minutes=20 + month, metrics={"accuracy": accuracy, "rows": 1440.0}, caused_by=None
        )
        write_run(runs_folder, run, notebook, cells=("parameters", "load-data"))
        end = datetime(1997 + month // 12, month % 12 + 1, 1, tzinfo=UTC)
        failed = accuracy < 0.78
        changed = CHANGED.get(month, ())
        report = MonitorReport(
            run_id=run.id,
            deployment="electricity",
            version="electricity/1" if month < 7 else "electricity/2",
            start=datetime(1997, month, 1, tzinfo=UTC),
            end=end,
            verdict=Verdict.ALARM if failed or changed else Verdict.HEALTHY,
            sentence=(
                f"accuracy fell to {accuracy}"
                + (f"; {', '.join(changed)} differ from the reference" if changed else "")
                if failed or changed
                else "Nothing significant and material."
            ),
            rows=1440,
            outcomes=1438,
            changed=changed,
            metrics={
                "accuracy": accuracy,
                "reference_accuracy": 0.84 if month < 7 else 0.83,
                "share predicted positive": 0.57 - month * 0.02,
                "log_loss": 1 - accuracy,
                "share of missing values": float("nan") if month == 3 else 0.01,
            },
            checks=(
                CheckResult(
                    name="performance",
                    subject="accuracy",
                    outcome=CheckOutcome.FAILED if failed else CheckOutcome.PASSED,
                    sentence=f"accuracy is {accuracy}",
                    value=0.84 - accuracy,
                    low=0.82 - accuracy,
                    high=0.86 - accuracy,
                    rule="worse by at most 0.06",
                ),
            ),
        )
        with store.write() as session:
            session.add(run)
            session.add(report)
            session.event("monitor.done", "electricity", evidence=[run.id], at=run.ended_at)
        alert = replace(alert, run_id=run.id) if failed else alert
    resolved = replace(
        alert,
        id="alert-2",
        check="drift",
        subject="vicprice",
        summary="vicprice was silent in the reference and is alive now.",
        status=AlertStatus.RESOLVED,
        resolved_at=BEGIN + timedelta(minutes=40),
        note="the monitor no longer finds it",
    )
    with store.write() as session:
        session.add(alert)
        session.add(resolved)
        session.event("alert.opened", "alert-1", reason=alert.summary, at=alert.opened_at)
        session.event("alert.resolved", "alert-2", at=resolved.resolved_at)


def _roll_out(store: Store, run_id: str) -> None:
    """A version promoted by its analyses after a shadow and a canary, and one that a guard took out."""
    begun = BEGIN + timedelta(minutes=42)
    promoted = Rollout(
        id="rollout-1",
        deployment="electricity",
        candidate="electricity/2",
        stable="electricity/1",
        alias="electricity@champion",
        status=RolloutStatus.PROMOTED,
        plan="shadow,canary:25:100",
        metrics=(MetricRule(name="errors"), MetricRule(name="wrong")),
        alpha=0.05,
        slow_ms=100.0,
        horizon="",
        longest="14d",
        lease="1h",
        step_units=200,
        keep_previous="24h",
        holdback=0.0,
        automation=Automation.AUTO,
        salt="00",
        started_at=begun,
        started_by="maria",
        reason="it has seen the summer",
        step=1,
        step_since=begun + timedelta(minutes=4),
        lease_until=begun + timedelta(minutes=70),
        ended_at=begun + timedelta(minutes=13),
        ended_because="promote: no worse than its margin in every metric",
    )
    taken = replace(
        promoted,
        id="rollout-2",
        status=RolloutStatus.ROLLED_BACK,
        plan="canary:10:50",
        automation=Automation.GUARD,
        step=0,
        started_at=begun + timedelta(minutes=15),
        ended_at=begun + timedelta(minutes=16),
        ended_because="the guard took it out: 9 of 9 failures are the candidate's at a share of 10 % (9 of kind error)",
    )
    errors = {"e_harm": 1.0, "e_not_worse": 35.0, "estimate": 0.0, "low": -0.01, "high": 0.01}
    wrong = {"e_harm": 0.1, "e_not_worse": 61.0, "estimate": 0.85, "low": 0.63, "high": 1.14}
    told = "its rate is 0.85 x the stable version's (0.63 x to 1.14 x)"
    looks = [
        (2, 0, RolloutDecision.HOLD, "renewed", 0.5),
        (4, 0, RolloutDecision.ADVANCE, "advanced", 1.0),
        (9, 1, RolloutDecision.HOLD, "renewed", 0.1),
        (13, 1, RolloutDecision.PROMOTE, "promoted", 1.0),
    ]
    with store.write() as session:
        session.add(promoted)
        session.add(taken)
        for n, (minutes, step, decision, acted, share) in enumerate(looks):
            found = {"errors": {**errors, "e_not_worse": errors["e_not_worse"] * share, "sentence": "no errors"}}
            if step:
                found["wrong"] = {**wrong, "e_not_worse": wrong["e_not_worse"] * share, "sentence": told}
            session.add(
                RolloutAnalysis(
                    run_id=run_id if n == 3 else f"pruned-{n}",
                    rollout="rollout-1",
                    at=begun + timedelta(minutes=minutes),
                    step=step,
                    decision=decision,
                    evidence=found,
                    sentence=f"{decision}: as the evidence says",
                    acted=acted,
                )
            )
        session.add(
            Alert(
                id="alert-3",
                deployment="electricity",
                check="rollout",
                subject="rollout-2",
                status=AlertStatus.RESOLVED,
                summary=taken.ended_because,
                run_id="",
                opened_at=taken.ended_at,
                last_seen_at=taken.ended_at,
                times_seen=1,
                resolved_at=taken.ended_at,
            )
        )
    for rollout, what, minutes, actor, why, data in (
        ("rollout-1", "started", 0, "maria", "it has seen the summer", {}),
        ("rollout-1", "analysed", 4, "maria", "advance: as the evidence says", {"acted": "advanced"}),
        ("rollout-1", "analysed", 13, "maria", "promote: as the evidence says", {"acted": "promoted"}),
        ("rollout-2", "started", 15, "maria", "once more", {}),
        ("rollout-2", "rolled-back", 16, "guard", taken.ended_because, {"step": 0}),
    ):
        with store.write() as session:
            session.event(
                f"rollout.{what}",
                "electricity",
                at=begun + timedelta(minutes=minutes),
                actor=actor,
                reason=why,
                evidence=[run_id] if what == "analysed" else (),
                data={"rollout": rollout, "candidate": "electricity/2", **data},
            )


def as_json(notebook) -> dict:
    return json.loads(nbformat.writes(notebook))
