"""The same installation as the gateway's own tests."""

from tests.catalog.gateway.conftest import gateway, run_folder, warehouse

__all__ = ["gateway", "run_folder", "warehouse"]
