"""Every error a notebook may see, Korean first, English under it. Knows no wire.

CampusError
├── QueryRefused         the statement is not allowed; nothing ran
├── QueryFailed          it was allowed, but could not be finished
├── GatewayUnavailable   the gateway does not answer
├── ExportRefused        the request to take results out was not accepted
└── UsageError           a call that cannot be meant
"""

from __future__ import annotations

from collections.abc import Iterable


class CampusError(Exception):
    """Something a person can act on.

    Attributes
    ----------
    reason
        Stable code in kebab case.
    ko, en
        What was wrong and what to do.
    """

    def __init__(self, reason: str, *, ko: str, en: str) -> None:
        super().__init__(f"{ko}\n{en}")
        self.reason = reason
        self.ko = ko
        self.en = en

    def __reduce__(self) -> tuple[object, ...]:  # Dask carries errors between processes
        return _again, (type(self), self.reason, self.ko, self.en)

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows instead of a traceback."""
        return [f"{type(self).__name__} [{self.reason}]", self.ko, self.en]


class QueryRefused(CampusError):
    """The statement is not allowed; nothing ran."""


class QueryFailed(CampusError):
    """The statement was allowed, but could not be finished."""


class GatewayUnavailable(CampusError):
    """The gateway does not answer."""


class ExportRefused(CampusError):
    """The request to take results out was not accepted."""


class UsageError(CampusError):
    """A call that cannot be meant."""


def _again(kind: type[CampusError], reason: str, ko: str, en: str) -> CampusError:
    return kind(reason, ko=ko, en=en)


def outside() -> GatewayUnavailable:
    """Not in a session."""
    return GatewayUnavailable(
        "no-session",
        ko="Campus 분석 세션 안에서만 쓸 수 있습니다. 포털에서 세션을 시작한 뒤 그 노트북에서 실행하세요.",
        en="This works inside a Campus session only. Start one from the portal and run it there.",
    )


def no_gateway() -> GatewayUnavailable:
    """It did not come back in time."""
    return GatewayUnavailable(
        "gateway-unavailable",
        ko="데이터 관문에 연결할 수 없습니다. 다시 시작하는 중일 수 있으니 잠시 뒤 다시 실행하세요.",
        en="The data gateway does not answer. It may be restarting: run again in a moment.",
    )


def cancelled() -> QueryFailed:
    """By this side."""
    return QueryFailed("cancelled", ko="질의가 취소되었습니다.", en="The query was cancelled.")


def no_geometry(columns: Iterable[str]) -> UsageError:
    """No column of shapes among these."""
    names = ", ".join(columns)
    return UsageError(
        "no-geometry",
        ko=f"공간 정보 열이 없습니다. 있는 열: {names}. "
        "경계 데이터셋의 geometry 열을 함께 고르거나 geo(column=…, crs=…) 로 지정하세요.",
        en=f"There is no geometry column among {names}. "
        "Select a boundary dataset's geometry, or name it: geo(column=…, crs=…).",
    )


def worker_died() -> QueryFailed:
    """The stream broke without a word."""
    return QueryFailed(
        "worker-died",
        ko="질의를 처리하던 작업자가 중단되었습니다(메모리 한도 초과이거나 관문이 다시 시작된 경우). "
        "다시 실행하세요. 되풀이되면 필요한 열과 행만 고르거나 집계를 먼저 하세요.",
        en="The worker running this query ended (out of memory, or the gateway restarted). Run it again; "
        "if it happens again, select fewer columns and rows, or aggregate first.",
    )
