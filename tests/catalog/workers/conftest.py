"""A short folder for sockets."""

from tests.catalog.gateway.conftest import run_folder

__all__ = ["run_folder"]
