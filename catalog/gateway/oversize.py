"""Refusals of a statement for what it would need: columns, memory. Knows no session and reads no tree."""

from __future__ import annotations

from typing import Final

from catalog.gateway.refusals import GatewayError, QueryRefused

MOST_COLUMNS: Final = 5000  # of a result; the engine holds a piece of each at once
MEMORY: Final = "memory-limit"  # as the worker says it of a query


def too_many_columns(count: int) -> QueryRefused:
    """More columns in one SELECT than are made at once."""
    return QueryRefused(
        "too-many-columns",
        ko=f"한 SELECT 에 열이 {count:,}개입니다(한도 {MOST_COLUMNS:,}개). 열을 나누어 여러 번 질의하거나, "
        "넓은 표 대신 긴 표(UNPIVOT)로 받으세요.",
        en=f"One SELECT has {count:,} columns (limit {MOST_COLUMNS:,}). Ask for them in several queries, or "
        "take a long table (UNPIVOT) instead of a wide one.",
    )


def statement_memory() -> QueryRefused:
    """The parser, or whoever walks the tree, ran out of memory on this statement."""
    return QueryRefused(
        MEMORY,
        ko="이 문장을 해석하는 데 허용된 것보다 많은 메모리가 필요합니다. 열과 값 목록을 줄이거나 "
        "문장을 나누어 실행하세요.",
        en="Reading this statement needs more memory than allowed. List fewer columns and values, or split "
        "it.",
    )


def gateway_memory() -> GatewayError:
    """The gateway itself ran out of memory on the way."""
    return GatewayError(
        MEMORY,
        ko="데이터 관문의 메모리가 부족해 질의를 중단했습니다. 문장을 줄이거나 잠시 뒤 다시 실행하고, "
        "계속되면 운영자에게 알려 주세요.",
        en="The data gateway ran short of memory, so the query was stopped. Shorten it or try again shortly; "
        "if it goes on, tell the operator.",
    )
