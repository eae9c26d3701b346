"""Finding datasets by words and by facets, from their descriptions alone. Knows no rows and no page."""

from __future__ import annotations

from catalog.search.facets import FACETS, Domain, Facet, Resolution, Space
from catalog.search.index import Hit, Index, Option, Results

__all__ = ["FACETS", "Domain", "Facet", "Hit", "Index", "Option", "Resolution", "Results", "Space"]
