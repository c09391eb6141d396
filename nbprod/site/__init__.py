"""The static site: what is deployed, what was run, watched and decided, as pages that need no server and no network.

Everything comes from the ledger and the run folders; building it again from the same records gives the same bytes.
"""

from __future__ import annotations

from nbprod.site.building import SiteSummary, build, open_site
from nbprod.site.checking import check
from nbprod.site.run_pages import report, show_model

__all__ = ["SiteSummary", "build", "check", "open_site", "report", "show_model"]
