"""The Flight SQL face of one session: translates calls and errors, decides nothing."""

from __future__ import annotations

import json
import logging
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.flight as flight

from catalog.errors import CatalogError
from catalog.gateway import oversize, prepared, refusals
from catalog.gateway.actions import Actions
from catalog.gateway.calls import KEY, Calls
from catalog.gateway.listings import NONE_SAVED, listing
from catalog.gateway.messages import NoCommand, decode
from catalog.gateway.parameters import parameters
from catalog.gateway.parts import Parts
from catalog.gateway.session import Admission, SessionGateway
from catalog.gateway.sql.statement import MAX_BYTES

LOG = logging.getLogger(__name__)
PARTITION = b"campus.partition:"  # a descriptor command: this prefix, then JSON
STATEMENT = b"campus.statement:"  # likewise: query, parameters, save_as
TRANSACTION = re.compile(r"\s*(?:(?:begin|start)(?: transaction)?|commit|rollback)\s*;?\s*", re.I | re.A)
NOTHING = "SELECT 'read only' AS transaction WHERE false"
READERS = "campus-readers"  # header of a call: how many endpoints its result may have
MOST_READERS = 8
_FEW = re.compile(rf"[1-{MOST_READERS}]")


class _Readers(flight.ServerMiddlewareFactory):
    """Keeps the header for the call."""

    def start_call(self, info: Any, headers: Any) -> Any:
        """Nothing where it was not sent."""
        values = headers.get(READERS)
        return _Said(str(values[0])) if values else None


class _Said(flight.ServerMiddleware):
    def __init__(self, value: str) -> None:
        self.value = value


class SessionServer(flight.FlightServerBase):
    """Serves one session's socket."""

    def __init__(self, address: str, session: SessionGateway, actions: Actions) -> None:
        self._session = session
        self._actions = actions
        self.calls = Calls(_refuse)
        super().__init__(address, middleware={READERS: _Readers(), KEY: self.calls})

    def locations(self, admission: Admission) -> list[Any]:
        """Where the ticket of an admission is good."""
        return [admission.location]

    def tickets(self, admission: Admission) -> list[bytes]:
        """What its readers bring there, one each."""
        return list(admission.tickets)

    def readers(self, context: Any) -> int:
        """How many readers the caller has for the rows, by the call's header."""
        said = context.get_middleware(READERS)
        if said is None:
            return 1
        if not _FEW.fullmatch(said.value):
            raise refusals.malformed(f"{READERS}: 1-{MOST_READERS}")
        return int(said.value)

    def get_flight_info(self, context: Any, descriptor: Any) -> Any:
        """Decide, record, and say where the single-use tickets are good."""
        with errors():
            readers = self.readers(context)
            command = bytes(descriptor.command or b"")
            if command.startswith(PARTITION):
                return self._info(descriptor, self._partition(command[len(PARTITION) :]))
            if command.startswith(STATEMENT):
                return self._info(descriptor, self._statement(command[len(STATEMENT) :]))
            name, message = _decoded(command)
            if name == "CommandStatementQuery":
                text = _nothing_or(message.query)
                return self._info(descriptor, self._session.query(text, readers=readers))
            if name == prepared.COMMAND:
                query, values = prepared.opened(message.prepared_statement_handle)
                return self._info(
                    descriptor, self._session.query(_nothing_or(query), values, readers=readers)
                )
            _demand_listing(name)
            schema = self._listing(name, message).schema
            return flight.FlightInfo(
                schema, descriptor, [flight.FlightEndpoint(flight.Ticket(command), [])], -1, -1
            )

    def do_get(self, context: Any, ticket: Any) -> Any:
        """Metadata listings only; rows come from the worker."""
        with errors():
            name, message = _decoded(bytes(ticket.ticket))
            _demand_listing(name)
            return flight.RecordBatchStream(self._listing(name, message))

    def do_put(self, context: Any, descriptor: Any, reader: Any, writer: Any) -> None:
        """Bind the values of a prepared statement; nothing else is taken in."""
        with errors():
            name, message = _decoded(bytes(descriptor.command or b""))
            if name != prepared.COMMAND:
                raise refusals.malformed(f"DoPut {name}")

            def rows() -> list[dict[str, object]]:
                try:
                    chunk = reader.read_chunk().data
                except StopIteration:  # it has gone, or sent none
                    raise refusals.malformed("one row of parameters") from None
                if chunk.num_rows != 1 or chunk.nbytes > MAX_BYTES:
                    raise refusals.malformed("one row of parameters")
                return list(chunk.to_pylist())

            writer.write(prepared.bind(message.prepared_statement_handle, list(reader.schema.names), rows))

    def list_actions(self, context: Any) -> Any:
        """Names of the JSON actions."""
        return [(name, "JSON") for name in self._actions.names] + [(n, "protobuf") for n in prepared.ACTIONS]

    def do_action(self, context: Any, action: Any) -> Any:
        """One JSON action; drivers that ask for another do without it when it is not implemented."""
        if action.type in prepared.ACTIONS:
            with errors():
                return prepared.act(action.type, action.body.to_pybytes())
        if action.type not in self._actions.names:
            raise NotImplementedError(action.type)
        with errors():
            answer = self._actions.run(action.type, _json(action.body.to_pybytes()))
            return [json.dumps(answer, ensure_ascii=False).encode()]

    def _info(self, descriptor: Any, admission: Admission) -> Any:
        where = self.locations(admission)
        endpoints = [
            flight.FlightEndpoint(flight.Ticket(ticket), where) for ticket in self.tickets(admission)
        ]
        metadata = json.dumps(admission.facts, ensure_ascii=False).encode()
        schema: Any = None  # the worker says it with the first rows; who reads several has to know it before
        if admission.schema:
            schema = pa.ipc.read_schema(pa.py_buffer(admission.schema))
        return flight.FlightInfo(schema, descriptor, endpoints, -1, -1, app_metadata=metadata)

    def _listing(self, name: str, message: Any) -> Any:
        workspace = self._session.workspace()
        saved = self._session.kept(workspace) if name == "CommandGetTables" else NONE_SAVED
        return listing(name, message, workspace, saved)

    def _statement(self, body: bytes) -> Admission:
        request = _json(body)
        query, save_as = request.get("query"), request.get("save_as")
        if not isinstance(query, str) or not (save_as is None or isinstance(save_as, str)):
            raise refusals.malformed("statement")
        return self._session.query(query, parameters(request.get("parameters")), save_as)

    def _partition(self, body: bytes) -> Admission:
        request = _json(body)
        try:
            columns = [str(c) for c in request["columns"]]
            where = str(request.get("where") or "")
            return Parts(self._session).read(
                str(request["name"]), int(request["snapshot"]), int(request["index"]), columns, where
            )
        except (KeyError, TypeError, ValueError) as error:
            raise refusals.malformed("partition") from error


def _nothing_or(query: str) -> str:
    """A statement that gives no row where a driver begins or ends a transaction; there is nothing to undo."""
    return NOTHING if TRANSACTION.fullmatch(query) else query


def _decoded(command: bytes) -> tuple[str, Any]:
    try:
        return decode(command)
    except NoCommand as error:
        raise refusals.malformed(str(error) or "command") from error


def _demand_listing(name: str) -> None:
    """Only metadata has no ticket of a worker."""
    if not name.startswith("CommandGet"):
        raise refusals.malformed(f"{name} without a ticket")


def _json(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise refusals.malformed("JSON") from error
    if not isinstance(value, dict):
        raise refusals.malformed("JSON")
    return value


@contextmanager
def errors() -> Iterator[None]:
    """Every refusal keeps its words; anything unforeseen is an incident number."""
    try:
        yield
    except refusals.QueryRefused as error:
        raise flight.FlightUnauthorizedError(f"[{error.reason}] {error}", _detail(error)) from None
    except refusals.Restarting as error:
        raise flight.FlightUnavailableError(f"[{error.reason}] {error}", _detail(error)) from None
    except CatalogError as error:
        raise flight.FlightServerError(f"[{error.reason}] {error}", _detail(error)) from None
    except MemoryError:
        short = oversize.gateway_memory()
        raise flight.FlightServerError(f"[{short.reason}] {short}", _detail(short)) from None
    except Exception:
        incident = secrets.token_hex(4)
        LOG.exception("incident %s", incident)
        unforeseen = refusals.internal(incident)
        raise flight.FlightInternalError(f"[internal] {unforeseen}", _detail(unforeseen)) from None


def _refuse(error: CatalogError) -> None:
    with errors():
        raise error


def _detail(error: CatalogError) -> bytes:
    return json.dumps({"reason": error.reason, "ko": error.ko, "en": error.en}, ensure_ascii=False).encode()
