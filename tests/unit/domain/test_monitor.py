from datetime import UTC, datetime, timedelta

import pytest

from nbprod.domain.monitor import Window
from nbprod.errors import SettingsError

END = datetime(1997, 6, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "length"), [("24h", timedelta(days=1)), ("30d", timedelta(days=30)), ("4w", timedelta(weeks=4))]
)
def test_a_length_counts_back_from_its_end(text, length):
    assert Window.last(text, until=END) == Window(start=END - length, end=END)


@pytest.mark.parametrize("text", ["", "30", "d", "0d", "1y", "-1d", "1.5d"])
def test_other_lengths_are_refused(text):
    with pytest.raises(SettingsError, match="is no length of time"):
        Window.last(text, until=END)


def test_a_window_needs_order_and_zones():
    with pytest.raises(SettingsError):
        Window(start=END, end=END)
