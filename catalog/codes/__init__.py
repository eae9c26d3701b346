"""Code systems, their vintages, and how to get from one to another. Knows no dataset and no rows."""

from __future__ import annotations

from catalog.codes.book import CodeBook, load
from catalog.codes.crosswalk import Crosswalk, Link, crosswalk
from catalog.codes.model import Code, CodeError, CodeSystem, Vintage

__all__ = [
    "Code",
    "CodeBook",
    "CodeError",
    "CodeSystem",
    "Crosswalk",
    "Link",
    "Vintage",
    "crosswalk",
    "load",
]
