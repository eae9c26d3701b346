"""From a publisher's raw files to one new version, or a refusal that says where and why. Knows no rights."""

from __future__ import annotations

from catalog.ingest.ingest import Published, ingest
from catalog.ingest.model import IngestError

__all__ = ["IngestError", "Published", "ingest"]
