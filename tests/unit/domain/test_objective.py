import pytest

from nbprod.domain.monitor import MonitoredBeside, MonitorPolicy
from nbprod.domain.objective import Objectives
from nbprod.errors import SettingsError


def test_a_table_says_both_how_a_model_and_what_beside_it_is_watched():
    table = {
        "max_drop": 0.1,
        "kpis": "kpis.py",
        "tables": ["orders"],
        "objectives": {"availability": 0.999, "latency_ms": 200},
        "jobs": {"every": "1d", "max_rejected": 0.01},
    }

    beside = MonitoredBeside.parse("shop", table)

    assert MonitorPolicy.parse("shop", table).max_drop == 0.1
    assert (beside.kpis, beside.tables, beside.jobs.every) == ("kpis.py", ("orders",), "1d")
    assert Objectives.parse("shop", beside.objectives.to_parameters()) == beside.objectives
    assert MonitoredBeside.parse("shop", {}).objectives.to_parameters() == {}


@pytest.mark.parametrize(
    "table",
    [
        {"objectives": {"availability": 1.0}},
        {"objectives": {"availability": "high"}},
        {"objectives": {"latency": 0.0}},
        {"objectives": {"window": "soon"}},
        {"objectives": {"uptime": 0.9}},
        {"objectives": 0.999},
        {"jobs": {"every": "daily"}},
        {"jobs": {"max_rejected": 2.0}},
        {"kpis": 3},
        {"tables": "orders"},
    ],
)
def test_what_cannot_be_promised_is_refused(table):
    with pytest.raises(SettingsError):
        MonitoredBeside.parse("shop", table)


def test_an_unknown_key_is_refused_with_the_nearest():
    with pytest.raises(SettingsError, match="kpi") as caught:
        MonitorPolicy.parse("shop", {"kpi": "kpis.py"})
    assert "kpis" in caught.value.hint
