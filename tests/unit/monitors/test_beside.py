import pytest

from nbprod.domain.monitor import MonitoredBeside
from nbprod.errors import SettingsError
from nbprod.monitors.beside import parameters_beside


def given(folder, named):
    return parameters_beside(MonitoredBeside(kpis=named), folder=folder, locate=str, jobs=[])


def test_kpis_come_from_a_python_file_of_the_workspace(tmp_path):
    (tmp_path / "kpis").mkdir()
    (tmp_path / "kpis" / "shop.py").write_text("")

    assert given(tmp_path, "kpis/shop.py")["kpis"] == str((tmp_path / "kpis" / "shop.py").resolve())


@pytest.mark.parametrize("named", ["../kpis.py", "/etc/kpis.py", "kpis.txt", "kpis.py", "link.py"])
def test_what_is_elsewhere_missing_or_no_python_is_refused(tmp_path, named):
    folder = tmp_path / "market"
    folder.mkdir()
    (tmp_path / "kpis.py").write_text("")
    (folder / "kpis.txt").write_text("")
    (folder / "link.py").symlink_to(tmp_path / "kpis.py")

    with pytest.raises(SettingsError, match="kpis = "):
        given(folder, named)
