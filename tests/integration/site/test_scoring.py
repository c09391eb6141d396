"""Each version whose compiled model fits has a page to try it; the others say why they have none."""

from pathlib import Path

import pytest

from nbprod.clock import parse_utc
from nbprod.domain.run import Run
from nbprod.domain.version import Approval, ModelVersion, RegisteredModel
from nbprod.site import build, check, report, run_pages
from nbprod.site import scoring as scorings
from tests.unit.packages.conftest import built, fitted, saved, shared_packages, shared_store  # noqa: F401


@pytest.fixture
def registered(shared_store, shared_packages, built):  # noqa: F811
    package = built()
    at = parse_utc("2026-11-20T10:00:00Z")
    with shared_store.write() as session:
        if not session.list(ModelVersion, limit=None):
            session.add(RegisteredModel(name="demand", created_at=at))
            session.add(
                ModelVersion(
                    model="demand", number=1, package=package.digest, run_id=package.run_id, registered_at=at,
                    registered_by="maria", approval=Approval.APPROVED,
                )
            )  # fmt: skip
    return shared_store


def test_a_version_has_a_page_that_scores_and_both_its_pages_lead_there(registered, tmp_path):
    summary = build(registered, tmp_path / "site", runs_folder=tmp_path / "runs", name="demo")
    page = (tmp_path / "site/models/demand/1.score.html").read_text()

    assert "scoring-plan" in page
    assert len(page) < 300_000
    assert 'href="../../models/demand/1.score.html"' in (tmp_path / "site/models/demand/index.html").read_text()
    run = next(Path(tmp_path / "site/runs").glob("*train*/index.html")).read_text()
    assert "Try demand/1" in run
    assert check(tmp_path / "site") == []
    again = build(registered, tmp_path / "site", runs_folder=tmp_path / "runs", name="demo")
    assert (again.changed, again.pages) == (0, summary.pages)


def test_a_script_that_is_not_the_pages_own_is_a_fault(registered, tmp_path):
    build(registered, tmp_path / "site", runs_folder=tmp_path / "runs", name="demo")
    page = tmp_path / "site/models/demand/1.score.html"
    page.write_text(page.read_text().replace("</main>", "<script>alert(1)</script></main>"))
    index = tmp_path / "site/index.html"
    index.write_text(index.read_text().replace("</main>", "<script>alert(1)</script></main>"))
    faults = {(fault.page, fault.rule) for fault in check(tmp_path / "site")}
    assert {("models/demand/1.score.html", "policy"), ("index.html", "requests")} <= faults


def test_the_report_of_a_run_has_the_form_of_its_package_or_says_why_not(
    shared_store,  # noqa: F811
    shared_packages,  # noqa: F811
    built,  # noqa: F811
    monkeypatch,
):
    """In one file below a megabyte, with a policy that lets this one script run; without a package nothing is said."""
    package = built()
    with shared_store.read() as session:
        run = session.get(Run, package.run_id)
    folder, where = Path(run.folder), (str(shared_packages.folder(package)), package.digest)

    page = report(run, folder, package=where)
    assert "scoring-plan" in page
    assert "script-src &#39;sha256-" in page
    assert page.index('id="scoring-data"') < page.index('id="notebook"')
    assert len(page.encode()) < 1_000_000
    assert "<script" not in report(run, folder)
    monkeypatch.setattr(run_pages, "MOST_BYTES", 1_000)
    page = report(run, folder, package=where)
    assert "There is no form to try its model here: with it this report would have" in page
    assert "<script" not in page
    assert "as it was sealed" in report(run, folder, package=(str(folder), package.digest))


def test_what_has_no_page_says_why(shared_packages, built, monkeypatch, tmp_path):  # noqa: F811
    folder, digest = str(shared_packages.folder(built())), built().digest
    assert "as it was sealed" in scorings.scoring_of(str(tmp_path), digest, title="a", back="").reason
    monkeypatch.setattr(scorings, "MOST_BYTES", 1_000)
    assert "too large" in scorings.scoring_of(folder, digest, title="a", back="").reason
