"""The drainer's process: moves what workers keep into the tables, the sums of each minute, and feeds the shadow.

::

    python -m nbprod.serving.keeping CONFIGURATION < candidates > failures

It ends, after one last round, when its supervisor does.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from pathlib import Path

import msgspec

from nbprod.lake import Lake
from nbprod.serving.assignment import Beside, KeeperConfiguration, KeeperReport
from nbprod.serving.logs import log_to_stderr
from nbprod.serving.metrics import ShadowMetrics, use_folder
from nbprod.serving.shadowing import Shadow

__all__ = ["main"]

NICE = 10  # whoever waits for an answer comes first


def main() -> int:
    """Drain until the supervisor ends."""
    reports = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    configuration = msgspec.json.decode(sys.argv[1], type=KeeperConfiguration)
    log_to_stderr()
    use_folder(Path(configuration.metrics))
    os.nice(NICE)
    is_over = threading.Event()
    lake = Lake(configuration.lake)
    shadow = Shadow(lake, configuration.deployment, ShadowMetrics())

    def listen() -> None:
        for line in sys.stdin.buffer:
            shadow.follow(msgspec.json.decode(line, type=Beside))
        is_over.set()

    threading.Thread(target=listen, name="supervisor", daemon=True).start()
    from nbprod.lake.draining import Drainer, draining  # delayed: pyarrow and deltalake
    from nbprod.serving.minutes import Minutes

    folder = Path(configuration.spools)
    minutes = Minutes(lake, configuration.deployment, Path(configuration.metrics))
    last: list[str | None] = [None]
    # entries are many small objects without cycles: looking for such while they are read takes most of the time
    gc.freeze()
    gc.disable()

    def told(failure: str | None) -> None:
        gc.collect()
        if failure != last[0]:
            last[0] = failure
            try:
                reports.write(msgspec.json.encode(KeeperReport(failure=failure)) + b"\n")
                reports.flush()
            except OSError:
                is_over.set()
        minutes.keep(last=is_over.is_set())

    while True:  # once at least: a server may end before this process has loaded what it needs
        with draining(folder, wait_s=1.0) as is_ours:  # another server of this machine may be the one that drains
            if is_ours:
                Drainer(lake, configuration.deployment, folder, kept=shadow.see).run(
                    is_over.is_set, every_s=configuration.every_s, told=told
                )
        if is_over.is_set():
            shadow.close()
            return 0


if __name__ == "__main__":
    raise SystemExit(main())
