"""The demo: the whole road on real data, from a notebook to a watched model and versions tried on traffic."""

from nbprod.demo.road import DemoStep, run_demo

__all__ = ["DemoStep", "run_demo"]
