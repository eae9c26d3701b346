"""Flight SQL's prepared statements: a handle that holds the text and the values bound so far. Keeps nothing.

The handle says nothing that its holder could not send as a statement, so it needs no secret and survives a
restart of the gateway: the statement is judged, as always, when it is asked for. A driver binds by sending
rows of values and goes on with the handle it is answered (`DoPutPreparedStatementResult`).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

from catalog.gateway import refusals
from catalog.gateway.messages import NoCommand, decode, encode, encode_plain
from catalog.gateway.parameters import NONE, Parameters, of_python, parameters
from catalog.gateway.sql.statement import MOST_BYTES

CREATE: Final = "CreatePreparedStatement"
CLOSE: Final = "ClosePreparedStatement"
ACTIONS: Final = (CREATE, CLOSE)
COMMAND: Final = "CommandPreparedStatementQuery"
_MOST_HANDLE: Final = 3 * MOST_BYTES


def act(action: str, body: bytes) -> list[bytes]:
    """Answer one of the two actions.

    Raises
    ------
    QueryRefused
        The request is out of form, or the statement too long.
    """
    try:
        name, message = decode(body)
    except NoCommand as error:
        raise refusals.malformed(action) from error
    if action == CLOSE and name == "ActionClosePreparedStatementRequest":
        return []
    if action != CREATE or name != "ActionCreatePreparedStatementRequest":
        raise refusals.malformed(action)
    size = len(message.query.encode())
    if size > MOST_BYTES:
        raise refusals.too_long(size, MOST_BYTES)
    handle = _handle(message.query, NONE)
    return [encode("ActionCreatePreparedStatementResult", prepared_statement_handle=handle)]


def bind(handle: bytes, columns: list[str], rows: Callable[[], list[dict[str, object]]]) -> bytes:
    """The answer to a driver that sent values: the handle that has them.

    Parameters
    ----------
    columns
        Names the driver gave; numbers or none where values go by place.
    rows
        Reads the values; more than one row is refused.

    Raises
    ------
    QueryRefused
        `malformed-request` or `parameter-malformed`.
    """
    query, _ = opened(handle)
    found = rows()
    if len(found) != 1 or len(set(columns)) != len(columns):
        raise refusals.malformed("one row of parameters")
    named = bool(columns) and all(name.isidentifier() for name in columns)
    values = of_python(found[0] if named else [found[0][name] for name in columns])
    return encode_plain("DoPutPreparedStatementResult", prepared_statement_handle=_handle(query, values))


def opened(handle: bytes) -> tuple[str, Parameters]:
    """The statement and the values of a handle.

    Raises
    ------
    QueryRefused
        It is no handle of this gateway, or holds values out of form.
    """
    try:
        if len(handle) > _MOST_HANDLE:
            raise ValueError
        held = json.loads(handle)
        query, given = held["query"], held["parameters"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise refusals.malformed("prepared statement") from error
    if not isinstance(query, str):
        raise refusals.malformed("prepared statement")
    return query, parameters(given)


def _handle(query: str, values: Parameters) -> bytes:
    return json.dumps({"query": query, "parameters": values.wire}).encode()
