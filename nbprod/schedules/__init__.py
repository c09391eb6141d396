"""Schedules: what is due is started once, whoever looks; and files for the schedulers that call it."""

from __future__ import annotations

from nbprod.schedules.service import Schedules, StartedJob

__all__ = ["Schedules", "StartedJob"]
