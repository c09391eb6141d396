import re
import uuid
from datetime import UTC, datetime, timedelta

from nbprod.domain.prediction_ids import prediction_ids

AT = datetime(2026, 11, 20, 9, 44, 13, 123_000, tzinfo=UTC)


def test_ids_are_sorted_different_uuids_of_version_seven():
    ids = prediction_ids(5000, AT)
    assert ids == sorted(set(ids))
    assert len(ids) == 5000
    for text in ids[:200]:
        assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", text)
        found = uuid.UUID(text)
        assert found.version == 7
        assert found.variant == uuid.RFC_4122
        assert found.int >> 80 == int(AT.timestamp() * 1000)


def test_later_ids_come_later():
    assert prediction_ids(50, AT)[-1] < prediction_ids(50, AT + timedelta(milliseconds=1))[0]


def test_none_are_none():
    assert prediction_ids(0, AT) == []
