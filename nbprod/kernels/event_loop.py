"""One event loop in one thread of this process, for the asynchronous half of Jupyter's kernel management.

So kernels can be started from any thread, below a running event loop or not, and no loop is left behind.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Awaitable
from typing import TypeVar

__all__ = ["complete"]

T = TypeVar("T")


class EventLoopThread:
    """Starts its thread when first used, and once more in a process that was forked."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.owner = 0
        self.loop: asyncio.AbstractEventLoop | None = None
        self.thread: threading.Thread | None = None

    def get(self) -> asyncio.AbstractEventLoop:
        """The running loop."""
        with self.lock:
            if self.loop is None or self.owner != os.getpid():
                self.loop, self.owner = asyncio.new_event_loop(), os.getpid()
                self.thread = threading.Thread(target=self.loop.run_forever, name="nbprod-kernels", daemon=True)
                self.thread.start()
            return self.loop

    def stop(self) -> None:
        """End the thread and close the loop."""
        with self.lock:
            if self.loop is not None and self.thread is not None and self.owner == os.getpid():
                self.loop.call_soon_threadsafe(self.loop.stop)
                self.thread.join(2)
                if not self.thread.is_alive():
                    self.loop.close()
            self.loop = None


looping = EventLoopThread()
atexit.register(looping.stop)


def complete(work: Awaitable[T]) -> T:
    """Wait here for work that is done in that loop."""

    async def done() -> T:
        return await work

    return asyncio.run_coroutine_threadsafe(done(), looping.get()).result()
