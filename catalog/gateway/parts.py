"""Reading one session's tables in parts: which parts there are, and a ticket for each. Decides no grant."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence

from catalog.gateway.admission import Admission, Work
from catalog.gateway.partitions import Partition, demand_columns, partition_statement, partitions
from catalog.gateway.pruning import remaining
from catalog.gateway.session import SessionGateway
from catalog.gateway.sql.condition import Condition, judge_condition
from catalog.gateway.workspace import Table, Workspace, code_systems
from catalog.warehouse import row_group_bounds


class Parts:
    """The parts of what a session may read."""

    def __init__(self, session: SessionGateway) -> None:
        self._session = session

    def plan(self, name: str, where: str = "") -> tuple[Table, Mapping[int, Partition]]:
        """A table, or `table@version`, and by number the parts that may hold a row of the condition.

        Raises
        ------
        QueryRefused
            Recorded; the name is not granted, or the condition is not allowed.
        """
        with self._session.refusals_on_record(f"partitions {name} {where}"):
            workspace, table = self._session.table(name)
            self._session.governance.demand_rows([table])
            parts = dict(enumerate(partitions(table.snapshot)))
            condition = self._condition(workspace, table, (), where)
        if condition is None:
            return table, parts
        files = [self._session.places.warehouse / file.path for file in table.snapshot.files]
        bounds = [row_group_bounds(file) for file in files]
        kept = remaining(table.snapshot, table.name, tuple(parts.values()), condition.tree, bounds)
        return table, {number: parts[number] for number in kept}

    def read(
        self,
        name: str,
        snapshot_id: int,
        index: int,
        columns: Sequence[str],
        where: str = "",
        into: socket.socket | None = None,
    ) -> Admission:
        """Give a ticket for one part of one version, or begin to read it.

        Raises
        ------
        QueryRefused, GatewayError
            As `SessionGateway.query`; `snapshot-changed` if the version is no longer the newest.
        """
        with self._session.refusals_on_record(f"partition {name} {snapshot_id} {index} {where}"):
            self._session.demand_room()
            workspace, table = self._session.table(name)
            condition = self._condition(workspace, table, columns, where)
            shown, runs = partition_statement(
                table, snapshot_id, index, columns, self._session.places, condition
            )
            read = workspace.demand(sorted({table.name} | (condition.tables if condition else set())))
            self._session.governance.demand_rows(read)
            again = condition is not None and len(condition.demands[table.name]) > 1  # in a subquery
            part = {} if again else {table.name: partitions(table.snapshot)[index].file}
            return self._session.admit(workspace, read, Work(shown=shown, runs=runs, into=into, part=part))

    def _condition(
        self, workspace: Workspace, table: Table, columns: Sequence[str], where: str
    ) -> Condition | None:
        demand_columns(table, columns)
        if not where:
            return None
        return judge_condition(
            where,
            table.name,
            columns or [f.name for f in table.snapshot.fields],
            tuple(workspace.readable),
            self._session.functions,
            self._session.parser,
            code_systems(workspace, self._session.codes),
        )
