"""Deployments: the names under which models are in use, and what is kept of their predictions."""

from nbprod.deployments.service import Deployments

__all__ = ["Deployments"]
