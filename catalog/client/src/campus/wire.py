"""Calls to the session's gateway: over its local socket, else by Arrow Flight SQL. Knows no frames.

Ctrl-C stops every call, and a gateway that restarts is waited for.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from campus.errors import (
    CampusError,
    ExportRefused,
    QueryFailed,
    QueryRefused,
    cancelled,
    no_gateway,
    outside,
    worker_died,
)
from campus.local import SOCKET, Away, Local, LocalStream
from campus.progress import Progress

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")
STATEMENT: Final = b"type.googleapis.com/arrow.flight.protocol.sql.CommandStatementQuery"
PARTITION: Final = b"campus.partition:"
WITH_VALUES: Final = b"campus.statement:"
UNIX: Final = "grpc+unix://"
REUSE: Final = "arrow-flight-reuse-connection://?"  # Flight.proto: where the ticket came from
RECONNECT_SECONDS: Final = 10.0
AHEAD: Final = 4  # batches read ahead of their user
_OPTIONS: Final[list[tuple[str, int | str]]] = [
    ("grpc.use_local_subchannel_pool", 1),  # a new client really dials anew
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
]


def statement_command(text: str) -> bytes:
    """`Any(CommandStatementQuery(query = text))` in protobuf's wire format."""
    inner = _field(1, text.encode("utf-8", "surrogatepass"))
    return _field(1, STATEMENT) + _field(2, inner)


def _field(number: int, value: bytes) -> bytes:
    head = bytearray([number << 3 | 2])  # wire type 2: length-delimited
    size = len(value)
    while size > 127:
        head.append(size & 127 | 128)
        size >>= 7
    head.append(size)
    return bytes(head) + value


class Gateway:
    """This process's connection; safe to use from several threads, and after a fork."""

    def __init__(self, address: str | None = None) -> None:
        self._given = address
        self._clients: dict[str, Any] = {}
        self._locals: dict[str, Local] = {}
        self._pid = os.getpid()
        self._lock = threading.Lock()

    @property
    def address(self) -> str:
        """Where the broker listens.

        Raises
        ------
        GatewayUnavailable
            This is no session.
        """
        address = self._given or os.environ.get("CAMPUS_GATEWAY", "")
        if not address:
            raise outside()
        return address

    def action(self, name: str, /, **request: Any) -> Any:
        """One JSON action."""
        import pyarrow.flight as flight

        body = json.dumps(request).encode()
        once = name == "campus.export"  # asked twice it would be two requests
        results = self._ask(lambda client: list(client.do_action(flight.Action(name, body))), once=once)
        return json.loads(results[0].body.to_pybytes())

    def query(self, text: str, parameters: Any = None, save_as: str | None = None) -> Stream | LocalStream:
        """Ask for a statement and begin to read it.

        Parameters
        ----------
        parameters
            As `values.wire` makes them.
        save_as
            Keep the rows at the gateway under this name; the stream then gives one row about them.
        """
        if (local := self.local()) is not None:
            return self._near(local, op="query", text=text, parameters=parameters, save_as=save_as)
        if parameters is None and save_as is None:
            return self._begin(statement_command(text))
        request = {"query": text, "parameters": parameters, "save_as": save_as}
        return self._begin(WITH_VALUES + json.dumps(request).encode())

    def partition(self, index: int, **part: Any) -> Stream | LocalStream:
        """Ask for one part of a version (`name`, `snapshot`, `columns`, `where`) and begin to read it."""
        request = {"index": index, **part}
        if (local := self.local()) is not None:
            return self._near(local, op="partition", **request)
        return self._begin(PARTITION + json.dumps(request).encode())

    def local(self) -> Local | None:
        """The gateway's socket for this machine, where there is one."""
        address = self.address
        if not address.startswith(UNIX):
            return None
        path = Path(address.removeprefix(UNIX)).with_name(SOCKET)
        with self._lock:
            known = self._locals.get(address)
            if known is None and path.exists():
                known = self._locals[address] = Local(path, self.far)
        return known

    def far(self, query_id: str) -> Mapping[str, Any]:
        """How far a query is, as its worker last said; nothing where the gateway is not there to say it."""
        import pyarrow.flight as flight

        address = self.address
        action = flight.Action("campus.progress", json.dumps({"query_id": query_id}).encode())
        try:
            (answer,) = self.client(address).do_action(action, flight.FlightCallOptions(timeout=1.0))
            return dict(json.loads(answer.body.to_pybytes()))
        except (flight.FlightError, OSError, ValueError):  # the stream itself says what is wrong
            self.forget(address)
            return {}

    def _near(self, local: Local, **request: Any) -> LocalStream:
        end = time.monotonic() + RECONNECT_SECONDS
        away = False
        while True:
            try:
                stream = local.ask(**request)
            except Away:
                away = True
                if time.monotonic() > end:
                    raise no_gateway() from None
                time.sleep(0.2)
            else:
                if away:
                    _say_reconnected()
                return stream

    def _begin(self, command: bytes) -> Stream:
        import pyarrow.flight as flight

        descriptor = flight.FlightDescriptor.for_command(command)
        info = self._ask(lambda client: client.get_flight_info(descriptor))
        endpoint = info.endpoints[0]
        location = self._best(endpoint.locations)
        facts = json.loads(info.app_metadata or b"{}")
        return Stream(self, location, endpoint.ticket, facts)

    def _best(self, locations: Sequence[Any]) -> str:
        """Where to redeem a ticket: here if it is good here, since no other address may be in reach."""
        found = [location.uri.decode() for location in locations]
        return self.address if not found or REUSE in found else found[0]

    def _ask(self, call: Callable[[Any], T], *, once: bool = False) -> T:
        """Call the broker; where it is away or leaves in the middle, wait for the next one and say so.

        Parameters
        ----------
        once
            Not to be asked again once the broker may have heard it.
        """
        import pyarrow.flight as flight

        address = self.address
        end = time.monotonic() + RECONNECT_SECONDS
        away = False
        while True:
            client = self.client(address)
            try:
                answer = interruptible(lambda client=client: call(client))  # type: ignore[misc]
            except (flight.FlightUnavailableError, flight.FlightCancelledError) as error:
                self.forget(address)
                away = True
                left = isinstance(error, flight.FlightCancelledError)  # by the broker: ours never reach here
                if time.monotonic() > end or (once and left):
                    raise no_gateway() from None
                time.sleep(0.2)
            except flight.FlightError as error:
                raise translated(error) from None
            else:
                if away:
                    _say_reconnected()
                return answer

    def client(self, location: str) -> Any:
        """A client of one address, made once a process."""
        import pyarrow.flight as flight

        with self._lock:
            if self._pid != os.getpid():
                self._pid, self._clients = os.getpid(), {}
            client = self._clients.get(location)
            if client is None:
                client = self._clients[location] = flight.connect(location, generic_options=_OPTIONS)
            return client

    def forget(self, location: str) -> None:
        """Dial anew next time."""
        with self._lock:
            client = self._clients.pop(location, None)
        if client is not None:
            client.close()


class Stream:
    """Batches of one query, read ahead by a thread so that Ctrl-C is heard at once."""

    def __init__(self, gateway: Gateway, location: str, ticket: Any, facts: Mapping[str, Any]) -> None:
        self.facts = facts
        self._gateway, self._location, self._ticket = gateway, location, ticket
        self._reader: Any = None
        self._stopped = threading.Event()  # by this side
        self._over = threading.Event()  # by itself
        self._items: queue.Queue[Any] = queue.Queue(AHEAD)
        self._received = 0
        self._progress = Progress(lambda: gateway.far(str(facts.get("query_id", ""))))
        threading.Thread(target=self._pump, daemon=True).start()
        self.schema: pa.Schema = self._next()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The batches, once."""
        while (batch := self._next()) is not None:
            yield batch

    def cancel(self) -> None:
        """Stop the query; what has not been read is gone."""
        if self._over.is_set() or self._stopped.is_set():
            return
        self._stopped.set()
        with contextlib.suppress(Exception):
            if self._reader is not None:
                self._reader.cancel()
        with contextlib.suppress(CampusError):
            self._gateway.action("campus.cancel", query_id=self.facts.get("query_id", ""))

    def settle(self) -> None:
        """Take the progress away: enough is read for now."""
        self._progress.close()

    def abandon(self) -> None:
        """Stop the query without waiting; for a result nobody will read."""
        if not self._over.is_set():
            threading.Thread(target=self.cancel, daemon=True).start()

    def _next(self) -> Any:
        try:
            item = self._wait()
        except KeyboardInterrupt:
            self._progress.close()
            self.cancel()
            raise
        if hasattr(item, "num_rows"):
            self._received += item.num_rows
        if item is None or isinstance(item, BaseException):
            self._progress.close()
            self._items.put(item)  # asked again, it says the same again
        if isinstance(item, BaseException):
            raise item
        return item

    def _wait(self) -> Any:
        """The next item; while it takes long, what is known of the query is shown."""
        if threading.current_thread() is not threading.main_thread():
            return self._items.get()
        while True:
            try:
                return self._items.get(timeout=self._progress.patience)
            except queue.Empty:
                self._progress.look(self._received)

    def _pump(self) -> None:
        import pyarrow as pa
        import pyarrow.flight as flight

        last: CampusError | None = None
        try:
            client = self._gateway.client(self._location)
            self._reader = client.do_get(self._ticket)
            self._put(self._reader.schema)
            while not self._stopped.is_set():
                self._put(self._reader.read_chunk().data)
        except StopIteration:
            self._over.set()
        except flight.FlightUnavailableError:
            self._gateway.forget(self._location)
            last = worker_died()
        except (flight.FlightError, pa.ArrowException, OSError) as error:
            last = translated(error, streaming=True)
        self._put(cancelled() if self._stopped.is_set() else last, last=True)

    def _put(self, item: Any, *, last: bool = False) -> None:
        while True:
            try:
                self._items.put(item, timeout=0.2)
            except queue.Full:
                if self._stopped.is_set() and not last:
                    return
                if self._stopped.is_set():
                    with contextlib.suppress(queue.Empty):
                        self._items.get_nowait()
                continue
            return


def _say_reconnected() -> None:
    sys.stderr.write("데이터 관문에 다시 연결했습니다. / Reconnected to the data gateway.\n")


def interruptible(call: Callable[[], T]) -> T:
    """Run a blocking call so that Ctrl-C ends the wait; only the main thread is ever interrupted."""
    if threading.current_thread() is not threading.main_thread():
        return call()
    box: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()

    def work() -> None:
        try:
            box.put((True, call()))
        except BaseException as error:
            box.put((False, error))

    threading.Thread(target=work, daemon=True).start()
    good, value = box.get()
    if not good:
        raise value
    return value  # type: ignore[no-any-return]


def translated(error: Exception, *, streaming: bool = False) -> CampusError:
    """The gateway's own words, which travel as JSON beside the status."""
    import pyarrow.flight as flight

    try:
        detail = json.loads(getattr(error, "extra_info", b"") or b"")
        reason, ko, en = str(detail["reason"]), str(detail["ko"]), str(detail["en"])
    except (ValueError, KeyError, TypeError):
        if streaming:
            return worker_died()
        text = str(error)[:300]
        return QueryFailed("unexpected", ko=f"관문에서 예상하지 못한 오류가 났습니다: {text}", en=text)
    if isinstance(error, flight.FlightUnauthorizedError):
        return QueryRefused(reason, ko=ko, en=en)
    return QueryFailed(reason, ko=ko, en=en)


def export_refused(error: CampusError) -> ExportRefused:
    """The same words, as an error of exporting."""
    return ExportRefused(error.reason, ko=error.ko, en=error.en)
