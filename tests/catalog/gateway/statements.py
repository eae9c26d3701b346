"""Statements: what analysts write, and what attackers write with the reason each must be refused for."""

# ruff: noqa: E501, W291

from __future__ import annotations

from tests.catalog.gateway.analysts import CLAUSES, REPORTS

LEGITIMATE = [*CLAUSES, *REPORTS]  # the answer is that of plain DuckDB

# what the broker answers out of the grants, in place of the engine's catalogue
LISTINGS = """
SHOW TABLES
SHOW ALL TABLES
SHOW TABLES FROM campus
DESCRIBE
SELECT * FROM information_schema.tables
SELECT t.table_name FROM memory.information_schema.tables AS t ORDER BY 1
SELECT table_name, count(*) FROM INFORMATION_SCHEMA.COLUMNS GROUP BY ALL
SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'dong_codes' ORDER BY ordinal_position
SELECT * FROM information_schema.schemata
SELECT * FROM duckdb_tables()
SELECT * FROM duckdb_views()
SELECT unnest(constraint_column_names) FROM duckdb_constraints() WHERE constraint_type = 'UNIQUE'
SELECT index_name, is_unique, table_oid + 1 FROM duckdb_indexes()
SELECT * FROM information_schema.views
SELECT * FROM information_schema.key_column_usage
SELECT * FROM information_schema.table_constraints
SELECT * FROM information_schema.referential_constraints
SELECT table_name FROM duckdb_columns() WHERE data_type = 'DATE'
SELECT count(*) FROM information_schema.tables t JOIN information_schema.columns c USING (table_name)
""".strip().splitlines()

HOSTILE = {
    "table-not-granted": """
SELECT * FROM lіving_population
SELECT * FROM "living_population"."living_population"
SELECT * FROM CAMPUS."LIVING_POPULATION"
SELECT * FROM "dong_codes"";DROP TABLE x;--"
WITH "memory.campus.living_population" AS (SELECT 1) SELECT * FROM memory.campus.living_population
WITH campus AS (SELECT 1 AS living_population) SELECT * FROM campus.living_population
WITH t(x) AS (SELECT 1) SELECT * FROM t JOIN LATERAL (SELECT * FROM living_population WHERE hour = t.x) ON true
SELECT * FROM (SUMMARIZE living_population)
SELECT * FROM (SHOW living_population)
SELECT CASE WHEN (SELECT count(*) FROM living_population) > 0 THEN 1 ELSE 1 / 0 END
SELECT TRY((SELECT max(total) FROM living_population))
SELECT * FROM duckdb_tables
SELECT * FROM information_schema."tables "
SELECT * FROM information_schema.columns c, living_population
SELECT * FROM living_population
SELECT * FROM LIVING_POPULATION
SELECT * FROM "living_population"
SELECT * FROM campus.living_population
SELECT * FROM memory.campus.living_population
SELECT * FROM memory.main.subway_ridership
SELECT * FROM main.subway_ridership
SELECT * FROM subway_ridership, living_population
SELECT * FROM subway_ridership s JOIN living_population p ON s.date = p.date
SELECT (SELECT max(total) FROM living_population)
SELECT 1 WHERE EXISTS (FROM living_population)
SELECT 1 FROM dong_codes WHERE dong_code IN (SELECT dong_code FROM living_population)
WITH living_population AS (SELECT * FROM living_population) SELECT * FROM living_population
WITH x AS (SELECT * FROM living_population) SELECT 1
WITH a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a
WITH a AS (SELECT 1 UNION ALL SELECT * FROM living_population) SELECT * FROM a
WITH RECURSIVE r AS (SELECT * FROM r UNION ALL SELECT 1) SELECT * FROM r
WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n FROM r, living_population) SELECT * FROM r
SELECT * FROM (WITH t AS (SELECT 1) SELECT * FROM t) a, t
(WITH t AS (SELECT 1) SELECT * FROM t) UNION ALL SELECT * FROM t
SELECT * FROM (SELECT * FROM (SELECT * FROM living_population))
SELECT 1 UNION ALL SELECT total FROM living_population
SELECT 1 ORDER BY (SELECT max(total) FROM living_population)
SELECT 1 LIMIT (SELECT 1 FROM living_population)
SELECT sum(boardings) OVER (ORDER BY (SELECT 1 FROM living_population)) FROM subway_ridership
SELECT line FROM subway_ridership GROUP BY line HAVING count(*) > (SELECT 1 FROM living_population)
SELECT line FROM subway_ridership QUALIFY row_number() OVER () > (SELECT 1 FROM living_population)
SELECT CASE WHEN true THEN (SELECT 1 FROM living_population) END
SELECT list_transform([1], lambda x: (SELECT max(total) FROM living_population))
SELECT [x FOR x IN [1] IF EXISTS (FROM living_population)]
SELECT * FROM range((SELECT count(*) FROM living_population))
SELECT * FROM unnest((SELECT list(total) FROM living_population))
SELECT * FROM dong_codes, LATERAL (SELECT * FROM living_population)
PIVOT living_population ON hour IN (1, 2) USING sum(total)
PIVOT living_population ON hour USING sum(total)
WITH q AS (FROM living_population) PIVOT q ON hour USING count(*)
WITH q AS (FROM living_population) PIVOT dong_codes ON gu_name USING count(*)
SELECT * FROM (PIVOT dong_codes ON gu_name USING count(*)) a, living_population b
EXPLAIN SELECT * FROM living_population
EXPLAIN ANALYZE SELECT * FROM living_population
EXPLAIN (FORMAT json) SELECT * FROM dong_codes, living_population
EXPLAIN ANALYZE PIVOT living_population ON hour
/* hello */ explain FROM LIVING_POPULATION
UNPIVOT living_population ON total INTO NAME n VALUE v
SELECT * FROM living_population PIVOT (sum(total) FOR hour IN (1))
DESCRIBE living_population
DESCRIBE SELECT * FROM living_population
SUMMARIZE living_population
SHOW living_population
SELECT * FROM (DESCRIBE living_population)
TABLE living_population
FROM living_population
SELECT * FROM system.information_schema.tables
SELECT * FROM information_schema.character_sets
SELECT * FROM information_schema.constraint_column_usage
SELECT * FROM pg_catalog.pg_class
SELECT * FROM pg_class
SELECT * FROM sqlite_master
SELECT * FROM duckdb_tables
SELECT * FROM duckdb_settings
SELECT * FROM system.main.duckdb_views
SELECT * FROM temp.main.x
SELECT * FROM "subway_ridership " 
SELECT * FROM subway_ridership.line
SELECT * FROM subway_ridership s, s.line
SELECT * FROM dong_codes d, d.gu_name
SELECT * FROM ｓｕｂｗａｙ＿ｒｉｄｅｒｓｈｉｐ
SELECT * FROM lıving_population
""",
    "file-not-allowed": """
SELECT * FROM '/etc/passwd'
SELECT * FROM '/data/living_population/x.parquet'
SELECT * FROM "/data/living_population/x.parquet"
SELECT * FROM 'x.csv'
SELECT * FROM 'x.PARQUET'
SELECT * FROM '*.parquet'
SELECT * FROM 'https://example.com/x'
SELECT * FROM 's3://bucket/key.parquet'
SELECT * FROM 'C:\\Windows\\x'
SELECT * FROM dong_codes JOIN 'x.json' j ON true
WITH t AS (FROM 'x.parquet') SELECT 1
SUMMARIZE 'x.parquet'
DESCRIBE '/etc/passwd'
""",
    "table-function-not-allowed": """
SELECT * FROM duckdb_tables(1)
SELECT * FROM duckdb_columns() WITH ORDINALITY
SELECT * FROM duckdb_functions()
SELECT * FROM duckdb_memory()
SELECT * FROM read_parquet('/data/living_population/*.parquet')
SELECT * FROM READ_PARQUET(['x'])
SELECT * FROM parquet_scan('x')
SELECT * FROM parquet_metadata('x')
SELECT * FROM parquet_schema('x')
SELECT * FROM parquet_kv_metadata('x')
SELECT * FROM parquet_file_metadata('x')
SELECT * FROM parquet_bloom_probe('x', 'a', 1)
SELECT * FROM read_csv('/etc/passwd')
SELECT * FROM read_csv_auto('/etc/passwd')
SELECT * FROM sniff_csv('/etc/passwd')
SELECT * FROM read_json('/etc/passwd')
SELECT * FROM read_ndjson_objects('/etc/passwd')
SELECT * FROM read_text('/proc/self/environ')
SELECT * FROM read_blob('/proc/self/mem')
SELECT * FROM read_duckdb('x')
SELECT * FROM glob('/**')
SELECT * FROM query('SELECT 1')
SELECT * FROM query_table('living_population')
SELECT * FROM query_table(['living_population'])
SELECT * FROM duckdb_sequences()
SELECT * FROM duckdb_settings()
SELECT * FROM duckdb_secrets()
SELECT * FROM duckdb_logs()
SELECT * FROM duckdb_variables()
SELECT * FROM duckdb_external_file_cache()
SELECT * FROM pragma_table_info('living_population')
SELECT * FROM pragma_show('living_population')
SELECT * FROM pragma_storage_info('living_population')
SELECT * FROM seq_scan('living_population')
SELECT * FROM pandas_scan(1)
SELECT * FROM arrow_scan(1, 2, 3)
SELECT * FROM arrow_scan_dumb(1, 2, 3)
SELECT * FROM python_map_function(1)
SELECT * FROM json_execute_serialized_sql('{}')
SELECT * FROM histogram(living_population, total)
SELECT * FROM histogram_values(living_population, total)
SELECT * FROM duckdb_logs_parsed('x')
SELECT * FROM summary((SELECT 1))
SELECT * FROM test_all_types()
SELECT * FROM enable_logging('QueryLog', storage := 'file')
SELECT * FROM truncate_duckdb_logs()
SELECT * FROM checkpoint()
SELECT * FROM force_checkpoint()
SELECT * FROM which_secret('x', 'y')
SELECT * FROM dong_codes, LATERAL read_text('/etc/passwd')
WITH t AS (FROM read_text('/etc/passwd')) SELECT * FROM t
SELECT (SELECT content FROM read_text('/etc/passwd'))
SELECT * FROM range(5), glob('*')
SELECT * FROM create_external_resource('x')
""",
    "function-not-allowed": """
SELECT getenv('HOME')
SELECT current_setting('temp_directory')
SELECT getvariable('x')
SELECT stats(line) FROM subway_ridership
SELECT current_query()
SELECT nextval('s')
SELECT setseed(0.5)
SELECT write_log('x')
SELECT error('x')
SELECT sleep_ms(100000)
SELECT pg_sleep(100)
SELECT json_serialize_plan('SELECT * FROM living_population')
SELECT json_serialize_sql('SELECT 1')
SELECT json_deserialize_sql('{}')
SELECT pg_get_viewdef(1)
SELECT "pg_get_viewdef"(1)
SELECT PG_GET_VIEWDEF(1)
SELECT read_text('/etc/passwd')
SELECT main.sum(1)
SELECT * FROM main.range(5)
SELECT system.main.sum(1)
SELECT pg_catalog.pg_get_viewdef(1)
SELECT 'x'.getenv()
SELECT list_aggregate([1], 'combine_aggr')
SELECT list_aggregate([1], 'su' || 'm')
SELECT list_aggregate([1], (SELECT 'sum'))
SELECT list_transform(['HOME'], lambda x: getenv(x))
SELECT finalize(1)
SELECT combine(1, 2)
SELECT vector_type(line) FROM subway_ridership
SELECT create_sort_key(line, 'ASC') FROM subway_ridership
SELECT __internal_decompress_string(1)
SELECT get_block_size('memory')
SELECT txid_current()
SELECT in_search_path('a', 'b')
SELECT no_such_function(1)
SELECT sum(getvariable('x')) OVER () FROM dong_codes
SELECT no_such_window(1) OVER ()
SELECT version()
SELECT current_schemas(true)
SELECT has_table_privilege('x', 'y')
SELECT hive_partition_component('x', 'y')
""",
    "not-select": """
PREPARE p AS SELECT * FROM living_population
EXECUTE living_population
CREATE TEMP MACRO dong_codes() AS TABLE FROM read_text('/etc/passwd')
CREATE OR REPLACE TEMP TABLE dong_codes AS SELECT 1
ATTACH ':memory:' AS campus
EXPLAIN COPY (SELECT 1) TO '/tmp/x'
EXPLAIN ANALYZE CREATE TABLE x AS SELECT 1
EXPLAIN ATTACH '/tmp/x.db'
EXPLAIN EXPLAIN SELECT 1
INSERT INTO dong_codes VALUES (1)
UPDATE dong_codes SET gu_name = 'x'
DELETE FROM dong_codes
CREATE TABLE x AS SELECT * FROM dong_codes
CREATE VIEW x AS SELECT 1
CREATE MACRO f() AS TABLE SELECT 1
CREATE OR REPLACE VIEW campus.dong_codes AS SELECT 1
DROP VIEW campus.dong_codes
ALTER TABLE dong_codes ADD COLUMN x INT
COPY dong_codes TO '/tmp/x.parquet'
COPY (SELECT 1) TO '/dev/stdout'
COPY dong_codes FROM '/etc/passwd'
EXPORT DATABASE '/tmp/x'
IMPORT DATABASE '/tmp/x'
ATTACH '/tmp/x.db'
DETACH memory
USE campus
SET enable_external_access = true
RESET lock_configuration
PRAGMA database_list
PRAGMA enable_logging
INSTALL httpfs
LOAD httpfs
CALL pragma_version()
CHECKPOINT
VACUUM
BEGIN
COMMIT
PREPARE p AS SELECT 1
EXECUTE p(1)
DEALLOCATE p
CREATE SECRET s (TYPE s3)
CREATE SEQUENCE s
CREATE TYPE t AS ENUM ('a')
TRUNCATE dong_codes
COMMENT ON TABLE dong_codes IS 'x'
SET VARIABLE x = (SELECT max(total) FROM living_population)
FORCE CHECKPOINT
""",
    "one-statement": """
EXPLAIN SELECT 1; SELECT 2
SELECT 1; SELECT 2
SELECT 1; SELECT * FROM living_population
;
-- nothing
""",
    "explain-unsupported": """
EXPLAIN (FORMAT html) SELECT 1
EXPLAIN (FORMAT graphviz, ANALYZE) SELECT 1
EXPLAIN (ANALYZE, STATEMENT) SELECT 1
""",
    "show-not-allowed": """
SHOW DATABASES
SHOW VARIABLES
""",
    "pivot-needs-values": """
PIVOT subway_ridership ON line IN (SELECT line FROM subway_ridership) USING sum(boardings)
FROM dong_codes PIVOT (count(*) FOR gu_name IN some_enum)
PIVOT dong_codes ON gu_name IN campus_pivot_0, dong_code USING count(*)
PIVOT dong_codes ON gu_name IN campus_pivot_0, dong_code IN campus_pivot_0 USING count(*)
""",
    "parameters-mismatch": """
SELECT ?
SELECT $1
SELECT * FROM dong_codes WHERE gu_name = $name
""",
    "time-travel": """
SELECT * FROM dong_codes AT (VERSION => 1)
SELECT * FROM dong_codes AT (TIMESTAMP => now())
""",
    "type-not-allowed": """
SELECT CAST(1 AS no_such_type)
SELECT 1::regclass
SELECT 1::campus.thing
""",
    "syntax-error": """
SELECT
SELEC 1
SELECT * FROM
SELECT 'a
WITH SELECT 1
""",
}


def hostile() -> list[tuple[str, str]]:
    """(reason, statement) of every hostile statement."""
    return [(reason, s) for reason, text in HOSTILE.items() for s in text.strip("\n").splitlines() if s]
