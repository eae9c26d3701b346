"""Why a statement is refused: reason code and bilingual sentences. Knows no session and reads no tree."""

from __future__ import annotations

from collections.abc import Iterable

from catalog.errors import CatalogError

LISTED = 12


class QueryRefused(CatalogError):
    """The statement did not pass; nothing ran. The message names the offending thing and what to do."""


class GatewayError(CatalogError):
    """The gateway or a worker could not serve an admitted statement."""


class Restarting(GatewayError):
    """The gateway stops and will be back; asking again is right."""


def _shown(names: Iterable[str]) -> str:
    listed = sorted(names)
    more = f" … (+{len(listed) - LISTED})" if len(listed) > LISTED else ""
    return ", ".join(listed[:LISTED]) + more


def short(text: str, limit: int = 80) -> str:
    """Name as it may be shown in a message: printable and of bounded length."""
    clean = "".join(c if c.isprintable() else "�" for c in text)
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def syntax_error(detail: str) -> QueryRefused:
    """The parser's own words follow the sentence."""
    detail = short(detail, 300)
    return QueryRefused(
        "syntax-error",
        ko=f"SQL 문법 오류입니다: {detail}. 표시된 위치를 고쳐 다시 실행하세요.",
        en=f"SQL syntax error: {detail}. Correct the place shown and run again.",
    )


def not_select(first_word: str) -> QueryRefused:
    """Anything but reading."""
    word = short(first_word.upper(), 20) or "?"
    return QueryRefused(
        "not-select",
        ko=f"{word} 문은 실행할 수 없습니다. 이 관문은 읽기(SELECT, DESCRIBE, EXPLAIN, SHOW TABLES, "
        "SUMMARIZE)만 허용합니다. "
        "결과를 저장하려면 campus.sql(...).df() 로 받아 노트북에서 파일로 저장하세요.",
        en=f"{word} cannot be run. This gateway only reads (SELECT, DESCRIBE, EXPLAIN, SHOW TABLES, "
        "SUMMARIZE). "
        "To keep a result, take it with campus.sql(...).df() and save it from the notebook.",
    )


def one_statement(count: int) -> QueryRefused:
    """Empty text, or statements stacked with semicolons."""
    return QueryRefused(
        "one-statement",
        ko=f"한 번에 한 문장만 실행할 수 있습니다(받은 문장: {count}개). 나누어 실행하세요.",
        en=f"One statement at a time ({count} were sent). Run them one by one.",
    )


def too_long(size: int, limit: int) -> QueryRefused:
    """Sizes in bytes."""
    return QueryRefused(
        "statement-too-long",
        ko=f"SQL 문장이 너무 깁니다({size:,}바이트, 한도 {limit:,}바이트). 값 목록이 길면 조인으로 바꾸세요.",
        en=f"The statement is too long ({size:,} bytes, limit {limit:,}). Join instead of listing values.",
    )


def too_deep() -> QueryRefused:
    """Nesting beyond what is read."""
    return QueryRefused(
        "too-deep",
        ko="SQL 식이 너무 깊게 중첩되어 있습니다. WITH 절로 나누어 쓰세요.",
        en="The statement is nested too deeply. Split it with WITH.",
    )


def table_not_granted(name: str, granted: Iterable[str]) -> QueryRefused:
    """Unknown and ungranted names get the same answer."""
    names = _shown(granted)
    if not names:
        return QueryRefused(
            "table-not-granted",
            ko=f"'{short(name)}' 데이터셋에 대한 이용 권한이 없습니다. 이 프로젝트에는 아직 이용 권한이 "
            "하나도 없습니다. "
            "포털의 데이터 목록에서 이용을 신청하세요.",
            en=f"There is no grant for '{short(name)}'. This project has no grants yet: apply in the "
            "catalogue.",
        )
    return QueryRefused(
        "table-not-granted",
        ko=f"'{short(name)}' 데이터셋에 대한 이용 권한이 없습니다. 읽을 수 있는 데이터셋: {names}. "
        "다른 데이터가 필요하면 포털에서 이용을 신청하세요.",
        en=f"There is no grant for '{short(name)}'. Granted datasets: {names}. "
        "Apply in the portal if you need another.",
    )


def grant_expired(name: str, when: str) -> QueryRefused:
    """The grant lapsed."""
    return QueryRefused(
        "grant-expired",
        ko=f"'{short(name)}' 데이터셋의 이용 권한이 {when}에 만료되었습니다. 포털에서 연장을 신청하세요.",
        en=f"The grant for '{short(name)}' expired at {when}. Ask for an extension in the portal.",
    )


def file_not_allowed(name: str) -> QueryRefused:
    """A table name that is a path or an address."""
    return QueryRefused(
        "file-not-allowed",
        ko=f"파일이나 주소('{short(name)}')는 SQL로 읽을 수 없습니다. 데이터셋 이름을 쓰세요: "
        "campus.datasets(). "
        "자신의 파일은 pandas로 여세요.",
        en=f"Files and addresses ('{short(name)}') cannot be read by SQL. Use a dataset's name: "
        "campus.datasets(). Open your own files with pandas.",
    )


def function_not_allowed(name: str) -> QueryRefused:
    """Not on the reviewed list."""
    return QueryRefused(
        "function-not-allowed",
        ko=f"함수 '{short(name)}' 은(는) 허용 목록에 없습니다. 다른 함수로 바꾸거나 데이터를 받은 뒤 "
        "pandas로 계산하세요.",
        en=f"Function '{short(name)}' is not on the allow-list. Use another, or compute it in pandas "
        "afterwards.",
    )


def table_function_not_allowed(name: str) -> QueryRefused:
    """FROM f(...)."""
    return QueryRefused(
        "table-function-not-allowed",
        ko=f"테이블 함수 '{short(name)}' 은(는) 쓸 수 없습니다. FROM 에는 데이터셋 이름이나 range, "
        "generate_series, "
        "unnest, json_each, json_tree 만 쓸 수 있습니다.",
        en=f"Table function '{short(name)}' cannot be used. FROM takes dataset names, range, "
        "generate_series, "
        "unnest, json_each or json_tree.",
    )


def type_not_allowed(name: str) -> QueryRefused:
    """A type that is not the engine's own."""
    return QueryRefused(
        "type-not-allowed",
        ko=f"'{short(name)}' 은(는) 알 수 없는 자료형입니다. INTEGER, DOUBLE, VARCHAR, DATE 등 기본 "
        "자료형을 쓰세요.",
        en=f"'{short(name)}' is no built-in type. Use INTEGER, DOUBLE, VARCHAR, DATE and the like.",
    )


def syntax_not_allowed(what: str) -> QueryRefused:
    """Default deny: a part of the language that nobody has reviewed."""
    return QueryRefused(
        "syntax-not-allowed",
        ko=f"이 SQL 구문({short(what)})은 아직 지원하지 않습니다. 다른 형태로 쓰거나 데이터를 받아 "
        "pandas로 계산하세요.",
        en=f"This SQL syntax ({short(what)}) is not supported yet. Write it another way, or compute it in "
        "pandas.",
    )


def parameters_mismatch(asked: Iterable[str], given: Iterable[str]) -> QueryRefused:
    """Placeholders and values that are not the same."""
    want, have = ", ".join(f"${n}" for n in sorted(asked)), ", ".join(f"${n}" for n in sorted(given))
    return QueryRefused(
        "parameters-mismatch",
        ko=f"질의의 매개변수({short(want) or '없음'})와 주어진 값({short(have) or '없음'})이 다릅니다. "
        "campus.sql(질의, [값, …]) 은 ? 를, campus.sql(질의, {'이름': 값}) 은 $이름 을 채웁니다.",
        en=f"The statement asks for {short(want) or 'no parameters'}, and got {short(have) or 'none'}. "
        "campus.sql(query, [value, …]) fills ?, and campus.sql(query, {'name': value}) fills $name.",
    )


def time_travel() -> QueryRefused:
    """AT (VERSION => …)."""
    return QueryRefused(
        "time-travel",
        ko='AT (VERSION/TIMESTAMP) 절은 쓸 수 없습니다. 과거 판은 FROM "데이터셋@판번호" 로 읽습니다. '
        "판 번호: campus.versions('데이터셋').",
        en='AT (VERSION/TIMESTAMP) cannot be used. Read an earlier version as FROM "dataset@version"; '
        "versions: campus.versions('dataset').",
    )


def no_version(name: str, version: int, known: Iterable[str]) -> QueryRefused:
    """A version the dataset does not have."""
    listed = list(known)[:LISTED]
    return QueryRefused(
        "no-version",
        ko=f"'{short(name)}' 데이터셋에 {version} 판이 없습니다. 있는 판(새것부터): {', '.join(listed)}.",
        en=f"'{short(name)}' has no version {version}. Versions, newest first: {', '.join(listed)}.",
    )


def too_many_versions(limit: int) -> QueryRefused:
    """More earlier versions in one statement than are mounted at once."""
    return QueryRefused(
        "too-many-versions",
        ko=f"한 문장에서 과거 판은 {limit}개까지 읽을 수 있습니다. 나누어 실행하세요.",
        en=f"One statement may read {limit} earlier versions. Split it.",
    )


def pivot_needs_values() -> QueryRefused:
    """A PIVOT whose columns depend on the data in a way that cannot be asked for separately."""
    return QueryRefused(
        "pivot-needs-values",
        ko="이 형태의 PIVOT 에는 값 목록이 필요합니다: PIVOT 표 ON 열 IN ('값1', '값2') USING sum(값). "
        "값을 모르면 먼저 SELECT DISTINCT 로 확인하세요.",
        en="A PIVOT of this form needs its list of values: PIVOT t ON c IN ('a', 'b') USING sum(v). "
        "Find the values with SELECT DISTINCT first.",
    )


def explain_unsupported() -> QueryRefused:
    """EXPLAIN with options that are not offered, or whose answer would be saved."""
    return QueryRefused(
        "explain-unsupported",
        ko="EXPLAIN 은 EXPLAIN [ANALYZE] [(FORMAT TEXT 또는 JSON)] 뒤에 조회문을 쓰는 형태만 됩니다. "
        "결과를 campus.save 로 저장할 수는 없습니다.",
        en="EXPLAIN takes the form EXPLAIN [ANALYZE] [(FORMAT TEXT or JSON)] before a reading statement. "
        "Its answer cannot be kept with campus.save.",
    )


def show_not_allowed(what: str) -> QueryRefused:
    """SHOW of anything but the granted tables."""
    return QueryRefused(
        "show-not-allowed",
        ko=f"SHOW {short(what)} 은(는) 쓸 수 없습니다. SHOW TABLES 나 campus.datasets() 를 쓰세요.",
        en=f"SHOW {short(what)} cannot be used. Use SHOW TABLES or campus.datasets().",
    )


def parser_failed() -> QueryRefused:
    """The parser's sandbox died or took too long on this statement."""
    return QueryRefused(
        "parser-failed",
        ko="SQL 해석기가 이 문장을 처리하지 못했습니다(너무 복잡하거나 시간 초과). 문장을 나누어 다시 "
        "시도하세요.",
        en="The parser could not handle this statement (too complex, or out of time). Split it and try "
        "again.",
    )


def canonical_mismatch() -> QueryRefused:
    """The engine's own text of the tree reads differently from the tree that was checked."""
    return QueryRefused(
        "canonical-mismatch",
        ko="이 문장은 검사한 뜻 그대로 다시 쓸 수 없어 실행하지 않았습니다. 더 단순한 형태로 써 주세요.",
        en="This statement could not be rewritten exactly as it was checked, so it did not run. Simplify it.",
    )


def too_many_queries(limit: int, running: int) -> QueryRefused:
    """Queries of one session that run or wait, and how many of them run at once."""
    return QueryRefused(
        "too-many-queries",
        ko=f"이 분석 세션에는 끝나지 않은 질의가 이미 {limit}개 있습니다(동시 실행 {running}개, 나머지는 "
        "차례를 기다림). 하나가 끝나거나 취소된 뒤 다시 시도하세요.",
        en=f"This session has {limit} queries that have not ended ({running} run at once, the rest wait "
        "their turn). Wait for one to end, or cancel it.",
    )


def record_unavailable() -> GatewayError:
    """No record, no rows."""
    return GatewayError(
        "record-unavailable",
        ko="감사 기록을 남길 수 없어 데이터를 내보내지 않았습니다. 잠시 뒤 다시 실행하고, 계속되면 "
        "운영자에게 알려 주세요.",
        en="The access log cannot be written, so no rows were given. Try again shortly; if it goes on, "
        "tell the operator.",
    )


def worker_unavailable() -> GatewayError:
    """No worker could be started."""
    return GatewayError(
        "worker-unavailable",
        ko="질의 작업자를 시작하지 못했습니다. 잠시 뒤 다시 실행하고, 계속되면 운영자에게 알려 주세요.",
        en="The query worker could not be started. Try again shortly; if it goes on, tell the operator.",
    )


def session_closed() -> GatewayError:
    """The gateway does not know this session any more."""
    return GatewayError(
        "session-closed",
        ko="이 분석 세션은 종료되었습니다. 포털에서 세션을 다시 시작하세요.",
        en="This session has ended. Start it again from the portal.",
    )


def internal(incident: str) -> GatewayError:
    """Anything unforeseen: a number instead of details."""
    return GatewayError(
        "internal",
        ko=f"관문 내부 오류입니다. 운영자에게 사건 번호 {incident} 를 알려 주세요.",
        en=f"Internal error of the gateway. Tell the operator incident {incident}.",
    )


def restarting() -> Restarting:
    """This gateway is being stopped; the next one knows the session."""
    return Restarting(
        "gateway-restarting",
        ko="데이터 관문이 다시 시작하고 있습니다. 잠시 뒤 다시 실행하세요.",
        en="The data gateway is restarting. Run it again in a moment.",
    )


def snapshot_changed(name: str) -> QueryRefused:
    """A part of a version that is no longer the newest."""
    return QueryRefused(
        "snapshot-changed",
        ko=f"읽는 동안 '{short(name)}' 데이터셋의 새 판이 공개되었습니다. campus.dask(...) 부터 다시 "
        "실행하세요.",
        en=f"A new version of '{short(name)}' was published meanwhile. Run campus.dask(...) again.",
    )


def no_partition(name: str, index: int, count: int) -> QueryRefused:
    """A part that does not exist."""
    return QueryRefused(
        "no-partition",
        ko=f"'{short(name)}' 데이터셋은 {count}개 부분으로 나뉩니다. {index}번 부분은 없습니다.",
        en=f"'{short(name)}' has {count} parts; there is no part {index}.",
    )


def no_column(name: str, column: str, known: Iterable[str]) -> QueryRefused:
    """A column that the dataset does not have."""
    return QueryRefused(
        "no-column",
        ko=f"'{short(name)}' 데이터셋에 '{short(column)}' 열이 없습니다. 있는 열: {_shown(known)}.",
        en=f"'{short(name)}' has no column '{short(column)}'. Columns: {_shown(known)}.",
    )


def not_a_condition(where: str) -> QueryRefused:
    """Text that is more, or other, than one condition."""
    return QueryRefused(
        "not-a-condition",
        ko=f"where 에는 조건 하나만 쓸 수 있습니다: {short(where)}. "
        "예: where=\"line = '2호선' AND boardings > 0\". 그 밖의 질의는 campus.sql(...) 로 쓰세요.",
        en=f"where takes one condition: {short(where)}. "
        "Such as where=\"line = '2호선' AND boardings > 0\". For anything else use campus.sql(...).",
    )


def malformed(what: str) -> QueryRefused:
    """A request that is no request."""
    return QueryRefused(
        "malformed-request",
        ko=f"요청을 이해할 수 없습니다: {short(what)}. campus 패키지나 표준 Flight SQL 드라이버를 쓰세요.",
        en=f"The request is not understood: {short(what)}. Use the campus package or a Flight SQL driver.",
    )


def mixed_code_systems(one: tuple[str, str], other: tuple[str, str]) -> QueryRefused:
    """An equality of (column, code system) pairs that mean different things."""
    (a, first), (b, second) = one, other
    gu = {first, second} == {"KOSTAT-gu-5", "MOIS-gu-5"}
    ko = "같은 숫자가 서로 다른 구를 뜻하는 코드가 다섯 개(11110, 11140, 11170, 11200, 11230) 있습니다. "
    en = "Five codes (11110, 11140, 11170, 11200, 11230) name different gu in the two systems. "
    return QueryRefused(
        "mixed-code-systems",
        ko=f"코드 체계가 다른 두 열은 이을 수 없습니다: {short(a)} ({short(first)}), {short(b)} "
        f"({short(second)}). {ko if gu else ''}dong_codes 데이터셋을 거쳐 잇거나, 노트북에서 "
        f"campus.codes.crosswalk('{short(first)}', '{short(second)}') 로 바꾼 뒤 이으세요.",
        en=f"Columns of different code systems cannot be joined: {short(a)} ({short(first)}) and "
        f"{short(b)} ({short(second)}). {en if gu else ''}Join through the dataset dong_codes, or convert "
        f"in the notebook with campus.codes.crosswalk('{short(first)}', '{short(second)}') first.",
    )
