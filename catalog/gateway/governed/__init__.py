"""Statements over restricted datasets: groups of enough units, or nothing (제한 데이터의 집계)."""
