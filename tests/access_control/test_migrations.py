"""Applying every migration gives exactly the tables the code declares."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

import access_control
from access_control.database import engine, metadata
from access_control.errors import DatabaseOutdated
from access_control.migrations import check, upgrade
from tests.access_control.databases import new_database, server, sqlite_url


@pytest.fixture(scope="module")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with server(tmp_path_factory.mktemp("pg")) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return sqlite_url(tmp_path)
    return new_database(request.getfixturevalue("postgresql"))


def declare_every_table() -> None:
    for module in pkgutil.walk_packages(access_control.__path__, "access_control."):
        if module.name.count(".") == 2 and module.name.split(".")[1] not in ("portal", "migrations", "audit"):
            importlib.import_module(module.name)


def test_migrations_make_the_declared_tables(url: str) -> None:
    declare_every_table()
    upgrade(url)
    made = engine(url)
    with made.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        declared = {name: set(table.primary_key.columns.keys()) for name, table in metadata.tables.items()}
        inspector = sa.inspect(connection)
        keys = {name: set(inspector.get_pk_constraint(name)["constrained_columns"]) for name in declared}
    made.dispose()
    assert keys == declared


def test_upgrading_again_changes_nothing(url: str) -> None:
    upgrade(url)
    upgrade(url)
    check(url)


def test_no_tables_yet_is_told_apart_from_a_later_release(url: str) -> None:
    with pytest.raises(DatabaseOutdated) as refused:
        check(url)
    assert refused.value.reason == "database-outdated"
    upgrade(url)
    made = engine(url)
    with made.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    made.dispose()
    for call in (check, upgrade):
        with pytest.raises(DatabaseOutdated) as refused:
            call(url)
        assert refused.value.reason == "database-newer"
