"""Why a governed statement is refused, and the form that is allowed. Knows no session and reads no tree."""

from __future__ import annotations

from collections.abc import Iterable

from catalog.gateway.governed.plan import Rules
from catalog.gateway.refusals import GatewayError, QueryRefused, short

LISTED = 16


def form(rules: Rules) -> str:
    """The allowed form for one dataset, as SQL with its own names."""
    levels = ", ".join(level.sql.replace('"', "") for level in list(rules.levels)[:LISTED])
    unit = f"count(DISTINCT {rules.unit[0]})" if len(rules.unit) == 1 else f"sum({rules.counted})"
    totals = [f"{f}({m})" for m, functions in rules.measures.items() for f in sorted(functions)]
    figures = ", ".join(["count(*)", *([unit] if len(rules.unit) <= 1 else []), *totals][:LISTED])
    ends = f"GROUP BY <level> ORDER BY … LIMIT …; <level>: {levels}"
    where = "WHERE <level> = | IN | BETWEEN <value> AND …"
    return f"SELECT <level>, {figures} FROM {rules.dataset} {where} {ends}"  # noqa: S608 a message


def only_aggregates(what: str, rules: Rules) -> QueryRefused:
    """A statement over restricted data that has not the one governed form."""
    shown, allowed = short(what, 120), form(rules)
    return QueryRefused(
        "aggregates-only",
        ko=f"'{rules.dataset}'은(는) 제한 데이터라 집계만 물을 수 있습니다. 쓸 수 없는 것: {shown}. "
        f"쓸 수 있는 형태: {allowed}. 더 계산하려면 campus.save(이름, 질의)로 저장한 뒤 그 표를 쓰세요.",
        en=f"'{rules.dataset}' is restricted: only aggregates may be asked. Not allowed: {shown}. "
        f"Allowed form: {allowed}. To compute further, keep the result with campus.save(name, query) "
        "and query that table.",
    )


def nothing_declared(name: str) -> QueryRefused:
    """A restricted table without rules, or another version or variant than the rules are for."""
    return QueryRefused(
        "aggregates-undeclared",
        ko=f"'{short(name)}'은(는) 제한 데이터이고 이 이름으로 물을 수 있는 집계가 정해져 있지 않습니다. "
        "최신 버전의 원래 표 이름으로 물으세요. 그래도 안 되면 데이터 담당자에게 알리세요.",
        en=f"'{short(name)}' is restricted and no aggregates are declared under this name. "
        "Ask the newest version by the dataset's own name; failing that, tell the data steward.",
    )


def no_rows(name: str) -> QueryRefused:
    """Reading restricted rows in parts."""
    return QueryRefused(
        "aggregates-only",
        ko=f"'{short(name)}'은(는) 제한 데이터라 행을 읽을 수 없습니다(campus.table, campus.dask 포함). "
        "campus.sql(...)로 집계를 물으세요. 코드는 합성 쌍둥이 표로 먼저 써 보세요.",
        en=f"Rows of '{short(name)}' cannot be read, by campus.table and campus.dask neither: it is "
        "restricted. Ask for aggregates with campus.sql(...), and try code on its synthetic twin.",
    )


def no_plan(name: str) -> QueryRefused:
    """A plan of restricted rows, which counts them, or a PIVOT whose values they would name."""
    return QueryRefused(
        "aggregates-only",
        ko=f"'{short(name)}'은(는) 제한 데이터라 실행 계획(EXPLAIN)도, 값 목록을 데이터에서 만드는 PIVOT도 "
        "쓸 수 없습니다. 집계를 campus.save(이름, 질의)로 저장한 뒤 그 표에 쓰세요.",
        en=f"'{short(name)}' is restricted: neither its plan (EXPLAIN) nor a PIVOT that takes its values "
        "from the data. Keep an aggregate with campus.save(name, query) and use that table.",
    )


def too_many_groups(count: int, limit: int) -> QueryRefused:
    """More cells than one statement may have."""
    return QueryRefused(
        "aggregates-too-many-groups",
        ko=f"묶음이 너무 많습니다({count:,}개, 한도 {limit:,}개). 더 큰 단위로 묶거나 조건을 좁히세요.",
        en=f"Too many groups ({count:,}, limit {limit:,}). Group by coarser levels, or choose fewer.",
    )


def differs_by_few(minimum: int, earlier: str) -> QueryRefused:
    """Subtracting an earlier answer would show a small group; neither how many nor which is said."""
    return QueryRefused(
        "aggregates-differencing",
        ko=f"이 과제가 이미 받은 결과(질의 {earlier})와 빼면 {minimum}개 미만의 단위가 드러납니다. "
        "앞선 질의와 같은 조건을 쓰거나, 차이가 더 큰 조건을 쓰세요.",
        en=f"Subtracting it from a result this project already has (query {earlier}) would single out fewer "
        f"than {minimum} units. Use the earlier condition, or one that differs by more.",
    )


def scope_changed(name: str) -> QueryRefused:
    """The grant covers other parts of the version than when earlier answers were given."""
    return QueryRefused(
        "aggregates-scope-changed",
        ko=f"'{short(name)}'의 이용 권한 범위가 앞선 결과를 받은 뒤 바뀌어 서로 빼 보는 위험을 따질 수 "
        "없습니다. 다음 버전이 공개되면 다시 물을 수 있습니다. 급하면 데이터 제공기관에 알리세요.",
        en=f"The grant on '{short(name)}' covers other parts than when this project got earlier results, so "
        "differences cannot be judged. Ask again at the next version, or tell the custodian.",
    )


def budget_spent(used: int, asked: int, budget: int) -> QueryRefused:
    """The project's groups of this dataset are used up."""
    return QueryRefused(
        "aggregates-budget",
        ko=f"이 과제가 이 데이터셋에서 받을 수 있는 칸은 {budget:,}개이고 {used:,}개를 받았습니다. "
        f"이 질의에는 {asked:,}개가 더 필요합니다. 더 큰 단위로 묶거나, 앞서 받은 결과를 쓰세요.",
        en=f"This project may have {budget:,} groups of this dataset and has had {used:,}; this query needs "
        f"{asked:,} more. Group by coarser levels, or use the results it has.",
    )


def listed(names: Iterable[str]) -> str:
    """Names in one line of bounded length."""
    return short(", ".join(names), 200)


def not_checked(seconds: float, *, late: bool) -> GatewayError:
    """The groups of an answer could not be counted or compared, so it was not given."""
    if late:
        return GatewayError(
            "check-too-slow",
            ko=f"이 집계를 확인하는 데 {seconds:g}초가 넘게 걸려 멈췄고, 데이터는 내보내지 않았습니다. "
            "더 큰 단위로 묶거나 지역과 기간을 좁혀 다시 실행하세요.",
            en=f"Checking this aggregate took over {seconds:g} seconds and was stopped; no rows were given. "
            "Group by larger units, or choose a smaller area or a shorter period, and run it again.",
        )
    return GatewayError(
        "check-failed",
        ko="이 집계를 확인하지 못해 데이터를 내보내지 않았습니다(메모리 한도일 수 있습니다). "
        "더 큰 단위로 묶어 다시 실행하고, 계속되면 운영자에게 알려 주세요.",
        en="This aggregate could not be checked (perhaps for want of memory), so no rows were given. Group "
        "by larger units and run it again; if it goes on, tell the operator.",
    )
