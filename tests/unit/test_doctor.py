import importlib.metadata

from nbprod import doctor


def test_a_known_breaking_version_is_named_with_its_mend(monkeypatch):
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "3.1.0")

    (finding,) = doctor._versions()

    assert not finding.is_fine
    assert "3.1.0" in finding.sentence
    assert "pandas<3.1" in finding.mend


def test_a_missing_library_is_named(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)

    (finding,) = doctor._versions()

    assert (finding.is_fine, finding.mend) == (False, "pip install pandas")


def test_a_broken_workspace_is_a_finding_not_a_crash(tmp_path):
    (tmp_path / "nbprod.toml").write_text("[nonsense\n")

    (finding,) = doctor._workspace(tmp_path)

    assert not finding.is_fine
    assert "not valid TOML" in finding.sentence


def test_a_writable_workspace_is_fine(tmp_path):
    (tmp_path / "nbprod.toml").write_text("")

    assert [finding.is_fine for finding in doctor._workspace(tmp_path)] == [True]


def test_no_workspace_around_is_no_finding(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NBPROD_WORKSPACE", raising=False)

    assert list(doctor._workspace(None)) == []
