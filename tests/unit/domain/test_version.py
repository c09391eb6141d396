import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbprod.domain.version import ModelRef
from nbprod.errors import SettingsError

names = st.from_regex(r"[a-z0-9]([a-z0-9_-]{0,20}[a-z0-9])?", fullmatch=True)


@given(names, st.one_of(st.none(), st.integers(1, 10**8)), st.one_of(st.none(), names))
def test_references_survive_their_text(model, number, alias):
    ref = ModelRef(model=model, number=number, alias=alias if number is None else None)

    assert ModelRef.parse(str(ref)) == ref


@pytest.mark.parametrize("text", ["", "a/b", "a/0", "a@", "../x", "a/1@b", "A", "a b", "a/1/2", "a\n"])
def test_what_names_no_version_is_refused(text):
    with pytest.raises(SettingsError) as caught:
        ModelRef.parse(text)

    assert caught.value.hint
