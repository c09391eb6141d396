"""The outbox: messages are in the ledger with what they speak of, and leave it when a channel has taken them.

Before an attempt the message is marked as tried and due again later, in a transaction of its own. So a process killed
while it sends, a channel that raises and one that never ends leave the same thing behind: a message that is tried
again. A channel may hence get one twice, with the same id.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from nbprod import clock
from nbprod.domain.alert import Alert
from nbprod.domain.delivery import Delivery, DeliveryStatus, wait_after
from nbprod.errors import NbprodError
from nbprod.monitors.channels import Channel
from nbprod.monitors.messages import alert_delivery
from nbprod.store import Session, Store

__all__ = ["Outbox"]

log = logging.getLogger("nbprod.alerts")

LIMIT_S = 15.0  #: that a caller waits for all channels together, however slow they are
NO_ANSWER = "it has not answered yet"
INSTANT = timedelta(microseconds=1)


class Outbox:
    """Messages on their way.

    Parameters
    ----------
    store
        The ledger.
    channels
        By name; a message for one that is not there waits until it is again.
    """

    def __init__(self, store: Store, channels: Mapping[str, Channel]) -> None:
        self._store = store
        self._channels = channels

    def put(
        self, session: Session, alert: Alert, change: str, channels: Iterable[str], *, due_at: datetime, now: datetime
    ) -> None:
        """Add a message for each channel, in the caller's transaction; one that still waits untried is said anew."""
        waiting = session.list(Delivery, {"alert": alert.id, "status": DeliveryStatus.WAITING}, limit=None)
        untried = {one.channel: one for one in waiting if not one.attempts}
        for name in channels:
            before = untried.get(name)
            if name in self._channels and alert.severity.rank < self._channels[name].at_least.rank:
                continue
            if before is None:
                session.add(alert_delivery(alert, [change], name, due_at=due_at, now=now))
                continue
            first = min(due_at, before.due_at)
            again = alert_delivery(alert, [*before.changes, change], name, due_at=first, now=now, id_=before.id)
            session.replace(
                replace(again, created_at=before.created_at, revision=before.revision + 1),
                expecting={"revision": before.revision},
            )

    def send(self, now: datetime) -> list[Delivery]:
        """Send what is due, each channel in a thread of its own; what was tried, as it stands after it.

        Never raises for a channel, and never waits longer than the limit: what has not ended then goes on by itself,
        and is tried again later if that comes to nothing.
        """
        with self._store.read() as session:
            due = session.list(Delivery, {"status": DeliveryStatus.WAITING}, until=now + INSTANT, limit=None)
        tried: list[str] = []
        threads = []
        for name in dict.fromkeys(delivery.channel for delivery in due):
            if name not in self._channels:
                log.warning("alerts wait for the channel %s, which nbprod.toml does not have", name)
                continue
            # a daemon: a channel that never ends must not keep the process from ending
            threads.append(threading.Thread(target=self._work, args=(name, now, tried), daemon=True))
            threads[-1].start()
        deadline = time.monotonic() + LIMIT_S
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        with self._store.read() as session:
            return [session.get(Delivery, key) for key in list(tried)]

    def _work(self, channel: str, now: datetime, tried: list[str]) -> None:
        """Send what is due on a channel, the oldest first, until all is sent or something is not taken."""
        try:
            while (claimed := self._claim(channel, now)) is not None:
                tried.append(claimed.id)
                if not self._attempt(claimed):
                    return
        except NbprodError as problem:  # the ledger is away: the message is in it, and due again
            log.warning("the channel %s could not go on: %s", channel, problem.message)

    def _claim(self, channel: str, now: datetime) -> Delivery | None:
        """The oldest message that is due on a channel, marked as tried."""
        where = {"status": DeliveryStatus.WAITING, "channel": channel}
        with self._store.write() as session:
            found = session.list(Delivery, where, until=now + INSTANT, limit=1, newest_first=False)
            if not found:
                return None
            attempts = found[0].attempts + 1
            claimed = replace(
                found[0],
                attempts=attempts,
                due_at=now + wait_after(attempts),
                error=NO_ANSWER,
                revision=found[0].revision + 1,
            )
            session.replace(claimed, expecting={"revision": found[0].revision})
        return claimed

    def _attempt(self, claimed: Delivery) -> bool:
        """Send one message and keep what came of it; whether it was taken."""
        try:
            self._channels[claimed.channel].send(claimed)
        except Exception as problem:  # noqa: BLE001 — an edge: no channel may keep a monitor from its work
            # of a foreign error only the kind: its text may hold the address and its credentials
            error = problem.message if isinstance(problem, NbprodError) else type(problem).__name__
            hint = f" {problem.hint}" if isinstance(problem, NbprodError) and problem.hint else ""
            after = replace(claimed, error=f"{error}.{hint}" if hint else error)
            log.warning("channel %s did not take message %s: %s", claimed.channel, claimed.id, after.error)
        else:
            after = replace(claimed, status=DeliveryStatus.SENT, sent_at=clock.now(), error="")
        with self._store.write() as session:
            current = session.get(Delivery, claimed.id)
            if current.status is DeliveryStatus.WAITING:  # else another attempt has come through meanwhile
                due_at = after.sent_at or current.due_at
                session.replace(
                    replace(after, attempts=current.attempts, due_at=due_at, revision=current.revision + 1),
                    expecting={"revision": current.revision},
                )
        return after.status is DeliveryStatus.SENT
