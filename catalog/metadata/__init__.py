"""Descriptions for other catalogues and programs: DCAT-AP, Croissant, Frictionless. Reads no rows."""

from __future__ import annotations

from catalog.metadata.croissant import croissant
from catalog.metadata.dcat import dcat, dcat_catalogue
from catalog.metadata.frictionless import datapackage

__all__ = ["croissant", "datapackage", "dcat", "dcat_catalogue"]
