"""From a publisher's raw files to one new version, or a refusal that says where and why. Knows no rights."""

from __future__ import annotations

from catalog.ingest.delivery import Delivery
from catalog.ingest.findings import Inspection
from catalog.ingest.ingest import Published, ingest, inspect, publish
from catalog.ingest.model import IngestError

__all__ = ["Delivery", "IngestError", "Inspection", "Published", "ingest", "inspect", "publish"]
