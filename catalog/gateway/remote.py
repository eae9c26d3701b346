"""The Flight SQL face of one session for one certificate: rows pass here too. Decides nothing.

A reader on another machine cannot reach the worker's socket, which has no network and gets none. So it brings
its ticket to the face that gave it, over the same connection or a further one with the same certificate, and
the face fetches the rows from the worker as a reader beside it would. A ticket means a query of this session
or nothing: every other session's worker is out of this face's reach. Which of the session's workers, the
ticket says itself, since a reader of several may come when the query has ended.
"""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.flight as flight

from catalog.errors import CatalogError
from catalog.gateway import refusals
from catalog.gateway.actions import Actions
from catalog.gateway.admission import ID_BYTES, Admission
from catalog.gateway.flight import SessionServer, errors
from catalog.gateway.guard import Route
from catalog.gateway.route import arriving
from catalog.gateway.session import SessionGateway

REUSE: Final = "arrow-flight-reuse-connection://?"  # Flight.proto, FlightEndpoint.location: this connection
NUMBER_BYTES: Final = 4  # of a worker, before the worker's own ticket
TICKET_BYTES: Final = NUMBER_BYTES + ID_BYTES + 16
LOOK: Final = 0.1  # how often it is seen whether the reader has gone [s]
_OPTIONS: Final[list[tuple[str, int | str]]] = [
    ("grpc.use_local_subchannel_pool", 1),  # the same descriptor number is another worker's socket later
]


class RemoteServer(SessionServer):
    """Serves one session to whoever holds one certificate.

    Parameters
    ----------
    route
        For the record.
    location
        Where further connections of the same reader go: `grpc+tls://host:port`.
    holds
        Whether the certificate still stands for the session; asked at every call.
    """

    def __init__(
        self,
        address: str,
        session: SessionGateway,
        actions: Actions,
        *,
        route: Route,
        location: str,
        holds: Callable[[], bool],
    ) -> None:
        self._route, self._location, self._holds = route, location, holds
        super().__init__(address, session, actions)

    def locations(self, admission: Admission) -> list[str]:
        """The network's address for readers that reach it, and this connection for those that do not."""
        return [self._location, REUSE]

    def tickets(self, admission: Admission) -> list[bytes]:
        """The worker's own, and which worker it is."""
        number = admission.generation.to_bytes(NUMBER_BYTES)
        return [number + ticket for ticket in super().tickets(admission)]

    def get_flight_info(self, context: Any, descriptor: Any) -> Any:
        """See `SessionServer`."""
        with self._arriving():
            return super().get_flight_info(context, descriptor)

    def do_put(self, context: Any, descriptor: Any, reader: Any, writer: Any) -> None:
        """See `SessionServer`."""
        with self._arriving():
            super().do_put(context, descriptor, reader, writer)

    def list_actions(self, context: Any) -> Any:
        """See `SessionServer`."""
        with self._arriving():
            return super().list_actions(context)

    def do_action(self, context: Any, action: Any) -> Any:
        """See `SessionServer`."""
        with self._arriving():
            return super().do_action(context, action)

    def do_get(self, context: Any, ticket: Any) -> Any:
        """Metadata listings, and the rows of this session's tickets."""
        with self._arriving():
            given = bytes(ticket.ticket)
            if len(given) != TICKET_BYTES:
                return super().do_get(context, ticket)
            handle = given[NUMBER_BYTES:]
            with errors():
                worker = self._worker(int.from_bytes(given[:NUMBER_BYTES]))
            rows = Rows(worker, lambda: self._session.cancel(_query_id(handle)), context)
            return flight.GeneratorStream(rows.open(handle), rows)

    @contextmanager
    def _arriving(self) -> Iterator[None]:
        with errors():
            if not self._holds():
                raise certificate_ended()
        with arriving(self._route):
            yield

    def _worker(self, number: int) -> int:
        """Descriptor of the socket of one of this session's workers.

        The folder is the worker's to write, so what is there is looked at before it is used.
        """
        folder = self._session.places.session(self._session.identity.session_id) / "data"
        return _socket(folder / f"worker-{number}.sock")


class Rows:
    """Batches of one query, from its worker to its reader; the query ends when the reader has gone."""

    def __init__(self, worker: int, cancel: Callable[[], object], context: Any) -> None:
        self._worker = worker
        self._client = flight.connect(f"grpc+unix:///proc/self/fd/{worker}", generic_options=_OPTIONS)
        self._watch = _Watch(context, cancel)
        self._reader: Any = None

    def open(self, handle: bytes) -> pa.Schema:
        """Redeem the ticket; returns when the first rows are on their way."""
        try:
            self._reader = self._client.do_get(flight.Ticket(handle))
            schema: pa.Schema = self._reader.schema
        except flight.FlightError as error:
            self._end()
            raise _again(error) from None
        return schema

    def __iter__(self) -> Rows:
        return self

    def __next__(self) -> pa.RecordBatch:
        try:
            batch: pa.RecordBatch = self._reader.read_chunk().data
        except StopIteration:
            self._end()
            raise
        except (flight.FlightError, pa.ArrowException) as error:
            self._end()
            raise _again(error) from None
        return batch

    def close(self) -> None:
        """Let go; a query that was not read to its end is cancelled."""
        self._watch.hang_up()
        self._client.close()
        if self._worker >= 0:
            os.close(self._worker)
            self._worker = -1

    def _end(self) -> None:
        """The worker has said the last word, so there is nothing to cancel: it may be another reader's."""
        self._watch.over()
        self.close()

    __del__ = close  # the server drops its stream before it ends the call, read to the end or not


class _Watch:
    """Looks whether a reader is still there; knows the call's context only while the call lasts."""

    def __init__(self, context: Any, cancel: Callable[[], object]) -> None:
        self._lock = threading.Lock()
        self._context, self._cancel = context, cancel
        self._done = threading.Event()
        threading.Thread(target=self._look, daemon=True).start()

    def over(self) -> None:
        """It ended by itself."""
        with self._lock:
            self._context = None
        self._done.set()

    def hang_up(self) -> None:
        """Nobody reads any more."""
        with self._lock:
            known, self._context = self._context, None
        self._done.set()
        if known is not None:
            self._cancel()

    def _look(self) -> None:
        while not self._done.wait(LOOK):
            with self._lock:
                gone = self._context is not None and self._context.is_cancelled()
            if gone:
                self.hang_up()


def certificate_ended() -> CatalogError:
    """The certificate was good when the connection began, and is no more."""
    return refusals.QueryRefused(
        "certificate-ended",
        ko="이 연결의 인증서는 더 이상 유효하지 않습니다(세션 종료, 취소 또는 만료). 운영자에게 새 인증서를 "
        "요청하세요.",
        en="The certificate of this connection holds no longer (the session ended, or it was revoked or ran "
        "out). Ask the operator for a new one.",
    )


def unknown_ticket() -> CatalogError:
    """A ticket of another session, one that was used or ran out, or none at all."""
    return refusals.QueryRefused(
        "unknown-ticket",
        ko="이 티켓은 쓸 수 없습니다: 이미 썼거나, 기한이 지났거나, 이 세션의 것이 아닙니다. 질의를 다시 "
        "실행하세요.",
        en="This ticket is not good: it was used, ran out, or is not this session's. Run the query again.",
    )


def _query_id(handle: bytes) -> str:
    return handle[:ID_BYTES].hex()


def _socket(path: Path) -> int:
    """Descriptor of a socket's name, no link followed."""
    try:
        found = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        raise unknown_ticket() from None
    except OSError as error:
        raise refusals.worker_unavailable() from error
    if not stat.S_ISSOCK(os.fstat(found).st_mode):
        os.close(found)
        raise refusals.worker_unavailable()
    return found


def _again(error: Exception) -> Exception:
    """The worker's own words for the reader, without what this side's client adds to them."""
    said = str(error).partition(". gRPC client debug context")[0]
    if isinstance(error, flight.FlightUnavailableError):
        return flight.FlightUnavailableError(said)
    with contextlib.suppress(TypeError):
        return type(error)(said, getattr(error, "extra_info", b"") or b"")
    return flight.FlightServerError(said)
