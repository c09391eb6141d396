"""Whatever is promoted and rolled back, aliases, histories and the chain of events agree."""

import tempfile

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from nbprod.clock import now
from nbprod.errors import ConflictError, StaleMoveError
from nbprod.lake import Lake
from nbprod.models import Models
from nbprod.store import Store
from tests.unit.models.test_registry import ready


class AliasHistory(RuleBasedStateMachine):
    """The alias behaves like a list of holders: promote appends, rolling back drops the last."""

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        store = Store.open(f"sqlite:///{self.folder.name}/ledger.db", f"{self.folder.name}/files", actor="ana")
        self.models = Models(store, Lake(f"{self.folder.name}/lake"))
        self.store = store
        self.versions = [ready(self.models, number) for number in (1, 2, 3)]
        self.holders = []
        self.moments = []

    def _remember(self):
        self.moments.append((now(), self.holders[-1]))

    @rule(number=st.integers(1, 3), expected=st.sampled_from(["right", "wrong"]))
    def promote(self, number, expected):
        current = self.holders[-1] if self.holders else None
        if expected == "wrong":
            with pytest.raises(StaleMoveError):
                self.models.promote(f"power/{number}", expect=f"power/{(current or 0) + 1}")
        elif number == current:
            with pytest.raises(ConflictError):
                self.models.promote(f"power/{number}", expect=f"power/{current}")
        else:
            self.models.promote(f"power/{number}", expect=f"power/{current}" if current else None)
            self.holders.append(number)
            self._remember()

    @precondition(lambda self: self.holders)
    @rule()
    def roll_back(self):
        current = self.holders[-1]
        earlier = list(self.holders[:-1])
        while earlier and earlier[-1] == current:
            earlier.pop()
        if earlier:
            assert self.models.rollback("power", reason="worse").number == earlier[-1]
            self.holders = earlier
            self._remember()
        else:
            with pytest.raises(ConflictError):
                self.models.rollback("power", reason="worse")

    @invariant()
    def aliases_agree(self):
        if self.holders:
            assert self.models.resolve("power@champion").number == self.holders[-1]
        for at, number in self.moments[-3:]:
            assert self.models.champion_at("power", at).number == number

    def teardown(self):
        self.store.verify()
        self.folder.cleanup()


TestAliasHistory = AliasHistory.TestCase
TestAliasHistory.settings = settings(max_examples=settings().max_examples // 4, stateful_step_count=12)
