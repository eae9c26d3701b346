"""Made-up rows (합성 데이터) of every dataset for new installations. Never actual statistics."""

from __future__ import annotations

from catalog.samples.load import load_samples, sample

__all__ = ["load_samples", "sample"]
