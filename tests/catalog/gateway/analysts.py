"""What analysts ask: every clause by itself, and reports in the shape of TPC-H and TPC-DS, written for our data.

The shapes are the benchmarks' (pricing summary, minimum cost supplier, EXISTS and its absence, share of a
market, rollups, ranks in groups, year over year, running sums); the words are our own. A blank line ends one.
"""

# ruff: noqa: E501

from __future__ import annotations

CLAUSES = """
SELECT 1 AS one, 'a' AS two, NULL AS three
SELECT count(*) AS n FROM subway_ridership
SELECT * FROM dong_codes ORDER BY ALL LIMIT 5
FROM dong_codes ORDER BY ALL LIMIT 3
TABLE dong_codes ORDER BY ALL LIMIT 3
SELECT line, sum(boardings) AS s FROM subway_ridership GROUP BY line ORDER BY s DESC, line LIMIT 5
SELECT line, station, avg(alightings) FROM subway_ridership GROUP BY ALL ORDER BY ALL LIMIT 9
SELECT DISTINCT line FROM subway_ridership ORDER BY 1
SELECT DISTINCT ON (line) line, boardings FROM subway_ridership ORDER BY line, boardings
SELECT count(DISTINCT station) FROM subway_ridership WHERE boardings BETWEEN 10 AND 2000
SELECT * FROM subway_ridership WHERE line IN ('line-01', 'line-02') ORDER BY ALL LIMIT 4
SELECT * FROM subway_ridership WHERE line NOT IN ('line-01') AND NOT (boardings < 10) ORDER BY ALL LIMIT 4
SELECT station FROM subway_ridership WHERE station LIKE 'station-0%' OR station ILIKE 'STATION-1%' ORDER BY 1 LIMIT 4
SELECT station FROM subway_ridership WHERE regexp_matches(station, '0[1-3]$') ORDER BY 1 LIMIT 4
SELECT date, boardings FROM subway_ridership WHERE date >= DATE '2026-03-01' ORDER BY ALL LIMIT 4
SELECT date_trunc('month', date) AS m, sum(boardings) FROM subway_ridership GROUP BY m ORDER BY m
SELECT extract(dow FROM date) AS d, count(*) FROM subway_ridership GROUP BY 1 ORDER BY 1
SELECT year(date) * 100 + month(date) AS ym, max(boardings) FROM subway_ridership GROUP BY ym ORDER BY ym
SELECT strftime(date, '%Y/%m/%d') AS d FROM subway_ridership ORDER BY 1 LIMIT 2
SELECT date + INTERVAL 3 DAY AS d FROM subway_ridership ORDER BY 1 LIMIT 2
SELECT CASE WHEN boardings > 5000 THEN 'high' WHEN boardings > 100 THEN 'mid' ELSE 'low' END AS c, count(*) FROM subway_ridership GROUP BY c ORDER BY c
SELECT line, count(*) FILTER (WHERE boardings > 5000) AS busy FROM subway_ridership GROUP BY line HAVING count(*) > 10 ORDER BY ALL
SELECT line, sum(boardings) OVER (PARTITION BY line ORDER BY date, station, boardings ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS r FROM (SELECT * FROM subway_ridership ORDER BY ALL LIMIT 50) ORDER BY ALL
SELECT station, rank() OVER (ORDER BY n DESC, station) AS r FROM (SELECT station, count(*) AS n FROM subway_ridership GROUP BY station) ORDER BY r LIMIT 5
SELECT line, boardings, lag(boardings, 1, 0) OVER w AS before, ntile(4) OVER w AS q FROM (SELECT DISTINCT line, boardings FROM subway_ridership ORDER BY ALL LIMIT 40) WINDOW w AS (ORDER BY line, boardings) ORDER BY ALL
SELECT * FROM (SELECT DISTINCT line, boardings FROM subway_ridership) QUALIFY row_number() OVER (PARTITION BY line ORDER BY boardings DESC) = 1 ORDER BY ALL
SELECT line, percent_rank() OVER (ORDER BY line) AS p FROM (SELECT DISTINCT line FROM subway_ridership) ORDER BY ALL
SELECT a.dong_code, b.gu_name FROM card_sales a JOIN dong_codes b ON a.dong_code = b.dong_code ORDER BY ALL LIMIT 5
SELECT count(*) FROM card_sales JOIN dong_codes USING (dong_code)
SELECT count(*) FROM card_sales LEFT JOIN dong_codes USING (dong_code) WHERE gu_name IS NULL
SELECT count(*) FROM card_sales a SEMI JOIN dong_codes b ON a.dong_code = b.dong_code
SELECT count(*) FROM card_sales a ANTI JOIN dong_codes b ON a.dong_code = b.dong_code
SELECT count(*) FROM dong_codes a CROSS JOIN (SELECT DISTINCT quarter FROM card_sales) b
SELECT count(*) FROM dong_codes a, dong_codes b WHERE a.gu_name = b.gu_name
SELECT count(*) FROM dong_codes a FULL JOIN card_sales b ON a.dong_code = b.dong_code AND b.quarter > 'quarter-50'
WITH busy AS (SELECT line, sum(boardings) AS s FROM subway_ridership GROUP BY line) SELECT * FROM busy WHERE s > (SELECT avg(s) FROM busy) ORDER BY ALL
WITH a AS (SELECT 1 AS x), b AS (SELECT x + 1 AS x FROM a) SELECT * FROM a UNION ALL SELECT * FROM b ORDER BY x
WITH subway_ridership AS (SELECT * FROM subway_ridership WHERE line = 'line-01') SELECT count(*) FROM subway_ridership
WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 10) SELECT sum(n) FROM t
WITH x AS MATERIALIZED (SELECT line FROM subway_ridership) SELECT count(*) FROM x
SELECT line FROM subway_ridership UNION SELECT gu_name FROM dong_codes ORDER BY 1 LIMIT 5
SELECT line FROM subway_ridership INTERSECT SELECT line FROM subway_ridership ORDER BY 1
SELECT line FROM subway_ridership EXCEPT SELECT 'line-01' ORDER BY 1
SELECT 1 AS a, 2 AS b UNION BY NAME SELECT 3 AS b ORDER BY b
SELECT (SELECT max(boardings) FROM subway_ridership) AS m
SELECT gu_name FROM dong_codes d WHERE EXISTS (SELECT 1 FROM card_sales c WHERE c.dong_code = d.dong_code) ORDER BY ALL LIMIT 5
SELECT count(*) FROM subway_ridership WHERE boardings > ALL (SELECT 9000)
SELECT count(*) FROM subway_ridership WHERE (line, part) IN (SELECT 'line-01', 1)
SELECT d.gu_name, s.n FROM (SELECT DISTINCT gu_name FROM dong_codes) d, LATERAL (SELECT count(*) AS n FROM dong_codes x WHERE x.gu_name = d.gu_name) s ORDER BY ALL LIMIT 5
SELECT * EXCLUDE (geometry) FROM gu_boundary ORDER BY ALL LIMIT 3
SELECT * REPLACE (upper(gu_name) AS gu_name) FROM gu_boundary ORDER BY gu_code LIMIT 2
SELECT COLUMNS('gu_.*') FROM gu_boundary ORDER BY ALL LIMIT 2
SELECT min(COLUMNS(* EXCLUDE (geometry))) FROM gu_boundary
SELECT octet_length(geometry) FROM gu_boundary LIMIT 1
VALUES (1, 'a'), (2, 'b')
SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS t(n, c) ORDER BY n
SELECT * FROM range(5) ORDER BY 1
SELECT i, i * i AS sq FROM generate_series(1, 5) g(i) ORDER BY i
SELECT unnest([3, 1, 2]) AS u ORDER BY u
SELECT list_sort(list(DISTINCT line))[1:3] AS l FROM subway_ridership
SELECT list_transform([1, 2, 3], lambda x: x * 2) AS l, [x + 1 FOR x IN [1, 2] IF x > 1] AS c
SELECT list_aggregate([1, 2, 3], 'sum') AS s
SELECT {'a': 1, 'b': 'x'} AS s, MAP {'k': 1} AS m, struct_pack(a := 2).a AS f
SELECT json_extract_string('{"a": {"b": "c"}}', '$.a.b') AS j, '{"a":1}'::JSON->>'a' AS k
SELECT * FROM json_each('{"a": 1, "b": 2}') ORDER BY key
SELECT string_agg(gu_name, ',' ORDER BY gu_name) FROM (SELECT DISTINCT gu_name FROM dong_codes)
SELECT median(boardings), quantile_cont(boardings, 0.9), mode(date) FROM (SELECT * FROM subway_ridership ORDER BY ALL LIMIT 999)
SELECT corr(boardings, alightings), stddev(boardings), regr_slope(boardings, alightings) FROM (SELECT * FROM subway_ridership ORDER BY ALL LIMIT 999)
SELECT arg_max(station, boardings) IS NOT NULL AS known FROM subway_ridership
SELECT line, part, sum(boardings) FROM subway_ridership GROUP BY ROLLUP (line, part) ORDER BY ALL LIMIT 9
SELECT line, part, grouping(line) AS g, count(*) FROM subway_ridership GROUP BY GROUPING SETS ((line), (part), ()) ORDER BY ALL LIMIT 9
PIVOT (SELECT part, line, boardings FROM subway_ridership) ON part IN (1, 2, 3) USING sum(boardings) GROUP BY line ORDER BY line
SELECT * FROM (SELECT gu_name, dong_code FROM dong_codes) PIVOT (count(*) FOR gu_name IN ('gu_name-00', 'gu_name-01')) ORDER BY ALL LIMIT 4
UNPIVOT (SELECT 1 AS a, 2 AS b) ON a, b INTO NAME n VALUE v
DESCRIBE subway_ridership
DESCRIBE SELECT line, sum(boardings) AS s FROM subway_ridership GROUP BY line
SHOW dong_codes
SUMMARIZE dong_codes
SELECT TRY_CAST('x' AS INTEGER) AS a, CAST('2026-01-01' AS DATE) AS b, 3::DECIMAL(10, 2) AS c
SELECT coalesce(NULL, 2) AS a, nullif(1, 1) AS b, greatest(1, 2) AS c, if(true, 1, 2) AS d
SELECT 'Seoul' || '시' AS a, upper('b') AS b, length('한글') AS c, substring('abcdef', 2, 3) AS d, split_part('a-b', '-', 2) AS e
SELECT round(2.567, 1) AS a, floor(2.5) AS b, 7 // 2 AS c, 7 % 2 AS d, 2 ** 3 AS e, -abs(-1) AS f
SELECT "line" AS "노선", sum("boardings") AS "승차" FROM "subway_ridership" AS "지하철" GROUP BY 1 ORDER BY 1 LIMIT 2
select S.Line from SUBWAY_RIDERSHIP s order by 1 limit 1
SELECT subway_ridership.line FROM subway_ridership ORDER BY 1 LIMIT 1
SELECT count(*) FROM campus.subway_ridership
SELECT count(*) FROM memory.campus.subway_ridership
SELECT 1 -- a comment; DROP TABLE x
SELECT /* DROP TABLE x; */ 2 AS a;
SELECT histogram(part) FROM subway_ridership
SELECT a.line FROM subway_ridership a POSITIONAL JOIN subway_ridership b LIMIT 0
SELECT count(*) FROM subway_ridership TABLESAMPLE 100%
SELECT max(x) FROM (SELECT boardings AS x FROM subway_ridership UNION ALL SELECT alightings FROM subway_ridership)
SELECT time_bucket(INTERVAL 7 DAY, date) AS w, sum(boardings) FROM subway_ridership GROUP BY w ORDER BY w LIMIT 3
SELECT line FROM subway_ridership ORDER BY line COLLATE NOCASE DESC LIMIT 1
SELECT date AT TIME ZONE 'Asia/Seoul' AS t FROM subway_ridership ORDER BY 1 LIMIT 1
""".strip().splitlines()

REPORTS = """
SELECT line, part, sum(boardings) AS total, sum(alightings) AS out, avg(boardings) AS mean, count(*) AS n
FROM subway_ridership WHERE date <= DATE '2026-12-01' - INTERVAL '90' DAY
GROUP BY line, part ORDER BY line, part LIMIT 50

SELECT d.gu_name, c.industry_code, c.sales_amount FROM card_sales c, dong_codes d
WHERE c.dong_code = d.dong_code AND c.sales_amount = (
  SELECT min(x.sales_amount) FROM card_sales x WHERE x.industry_code = c.industry_code AND x.sales_amount > 100)
ORDER BY ALL LIMIT 20

SELECT c.quarter, sum(c.sales_amount * (1 - c.sales_count / 100000.0)) AS revenue, min(d.gu_name) AS gu
FROM card_sales c JOIN dong_codes d USING (dong_code) JOIN gu_boundary g ON g.gu_code = d.gu_code
WHERE d.gu_name <> 'gu_name-03' GROUP BY c.quarter ORDER BY revenue DESC, c.quarter LIMIT 10

SELECT quarter, count(*) AS orders FROM card_sales c
WHERE sales_amount >= 500 AND EXISTS (
  SELECT * FROM dong_codes d WHERE d.dong_code = c.dong_code AND d.gu_name < 'gu_name-50')
GROUP BY quarter ORDER BY quarter

SELECT g.gu_name, sum(c.sales_amount) AS revenue FROM card_sales c, dong_codes d, gu_boundary g
WHERE c.dong_code = d.dong_code AND d.gu_code = g.gu_code AND c.quarter BETWEEN 'quarter-10' AND 'quarter-40'
GROUP BY g.gu_name ORDER BY revenue DESC, g.gu_name

SELECT sum(sales_amount * 0.05) AS lost FROM card_sales
WHERE weekday_amount > weekend_amount AND sales_amount BETWEEN 1000 AND 7000 AND sales_count < 9000

SELECT supplier, customer, year, sum(volume) AS revenue FROM (
  SELECT d1.gu_name AS supplier, d2.gu_name AS customer, length(c.quarter) AS year, c.sales_amount AS volume
  FROM card_sales c, dong_codes d1, dong_codes d2
  WHERE c.dong_code = d1.dong_code AND d1.dong_name = d2.dong_name
    AND ((d1.gu_name = 'gu_name-01' AND d2.gu_name = 'gu_name-01') OR d1.gu_name = 'gu_name-02')) AS shipping
GROUP BY supplier, customer, year ORDER BY supplier, customer, year

SELECT quarter, sum(CASE WHEN gu_name = 'gu_name-07' THEN amount ELSE 0 END) / sum(amount) AS share
FROM (SELECT c.quarter, c.sales_amount AS amount, d.gu_name FROM card_sales c JOIN dong_codes d USING (dong_code)) t
GROUP BY quarter HAVING sum(amount) > 0 ORDER BY quarter LIMIT 20

SELECT d.gu_name, year(s.date) AS y, sum(s.boardings) - sum(s.alightings) AS net
FROM subway_ridership s JOIN (SELECT DISTINCT gu_name FROM dong_codes) d
  ON replace(d.gu_name, 'gu_name', 'line') = s.line
GROUP BY ALL ORDER BY ALL LIMIT 30

SELECT d.dong_code, d.dong_name, sum(c.sales_amount) AS lost FROM dong_codes d
LEFT JOIN card_sales c ON c.dong_code = d.dong_code AND c.quarter = 'quarter-11'
GROUP BY ALL ORDER BY lost DESC NULLS LAST, 1, 2 LIMIT 20

SELECT industry_code, sum(sales_amount) AS value FROM card_sales GROUP BY industry_code
HAVING sum(sales_amount) > (SELECT sum(sales_amount) * 0.0103 FROM card_sales) ORDER BY value DESC, 1

SELECT part, sum(CASE WHEN line IN ('line-01', 'line-02') THEN 1 ELSE 0 END) AS high,
  sum(CASE WHEN line NOT IN ('line-01', 'line-02') THEN 1 ELSE 0 END) AS low
FROM subway_ridership WHERE boardings < alightings + 1 GROUP BY part ORDER BY part

SELECT n, count(*) AS dongs FROM (
  SELECT d.dong_code, count(c.quarter) AS n FROM dong_codes d LEFT OUTER JOIN card_sales c
    ON d.dong_code = c.dong_code AND c.industry_name NOT LIKE '%-1%' GROUP BY d.dong_code) AS counted(dong, n)
GROUP BY n ORDER BY dongs DESC, n DESC

SELECT 100.00 * sum(CASE WHEN industry_name LIKE '%-0%' THEN sales_amount ELSE 0 END) / sum(sales_amount) AS share
FROM card_sales

WITH revenue(dong, total) AS (SELECT dong_code, sum(sales_amount) FROM card_sales GROUP BY dong_code)
SELECT d.dong_code, d.gu_name, r.total FROM dong_codes d, revenue r
WHERE d.dong_code = r.dong AND r.total = (SELECT max(total) FROM revenue) ORDER BY ALL

SELECT industry_code, count(DISTINCT dong_code) AS dongs FROM card_sales
WHERE industry_code <> 'industry_code-05' AND dong_code NOT IN (
  SELECT dong_code FROM dong_codes WHERE gu_name LIKE '%-9%' AND dong_code IS NOT NULL)
GROUP BY industry_code ORDER BY dongs DESC, industry_code LIMIT 15

SELECT sum(c.sales_amount) / 7.0 AS yearly FROM card_sales c
WHERE c.sales_count < (SELECT 0.2 * avg(x.sales_count) FROM card_sales x WHERE x.dong_code = c.dong_code)

SELECT quarter, dong_code, sum(sales_amount) AS s FROM card_sales
WHERE quarter IN (SELECT quarter FROM card_sales GROUP BY quarter HAVING sum(sales_count) > 250000)
GROUP BY quarter, dong_code ORDER BY s DESC, 1, 2 LIMIT 100

SELECT sum(sales_amount) FROM card_sales c, dong_codes d WHERE
  (c.dong_code = d.dong_code AND d.gu_name = 'gu_name-12' AND c.sales_count BETWEEN 1 AND 4000)
  OR (c.dong_code = d.dong_code AND d.gu_name = 'gu_name-23' AND c.sales_count BETWEEN 10 AND 9000)

SELECT gu_name FROM dong_codes WHERE dong_code IN (
  SELECT dong_code FROM card_sales o WHERE sales_amount > (
    SELECT 0.5 * sum(sales_amount) / 100 FROM card_sales i WHERE i.dong_code = o.dong_code))
GROUP BY gu_name ORDER BY gu_name LIMIT 25

SELECT c1.dong_code, count(*) AS waits FROM card_sales c1
WHERE c1.quarter = 'quarter-21' AND EXISTS (SELECT 1 FROM card_sales c2
    WHERE c2.dong_code = c1.dong_code AND c2.sales_amount <> c1.sales_amount)
  AND NOT EXISTS (SELECT 1 FROM card_sales c3
    WHERE c3.dong_code = c1.dong_code AND c3.sales_amount > 9999 AND c3.quarter < c1.quarter)
GROUP BY c1.dong_code ORDER BY waits DESC, 1 LIMIT 10

SELECT substring(dong_code, 11, 2) AS code, count(*) AS n, sum(sales_amount) AS balance FROM card_sales
WHERE substring(dong_code, 11, 1) IN ('1', '3') AND sales_amount > (
  SELECT avg(sales_amount) FROM card_sales WHERE sales_amount > 0)
GROUP BY code ORDER BY code

WITH customer_total AS (
  SELECT dong_code, industry_code, sum(sales_amount) AS total FROM card_sales GROUP BY dong_code, industry_code)
SELECT dong_code FROM customer_total a WHERE total > (
  SELECT avg(total) * 1.0001 FROM customer_total b WHERE a.industry_code = b.industry_code)
ORDER BY dong_code LIMIT 10

SELECT part, dayofweek(date) AS day, sum(boardings) AS total FROM subway_ridership WHERE month(date) = 11
GROUP BY part, day ORDER BY total DESC, 1, 2 LIMIT 12

WITH weekly AS (
  SELECT week(date) AS w, line,
    sum(boardings) FILTER (WHERE dayofweek(date) = 0) AS sun, sum(boardings) FILTER (WHERE dayofweek(date) = 6) AS sat
  FROM subway_ridership GROUP BY w, line)
SELECT a.line, a.w, round(a.sun / b.sun, 2) AS sun, round(a.sat / b.sat, 2) AS sat
FROM weekly a JOIN weekly b ON a.line = b.line AND a.w = b.w - 26 ORDER BY ALL LIMIT 20

SELECT channel, industry_code, sum(sales) AS sales FROM (
  SELECT 'weekday' AS channel, industry_code, weekday_amount AS sales FROM card_sales
  UNION ALL SELECT 'weekend', industry_code, weekend_amount FROM card_sales
  UNION ALL SELECT 'night', industry_code, time_21_24_amount FROM card_sales) AS x
GROUP BY ROLLUP (channel, industry_code) ORDER BY ALL LIMIT 40

SELECT quarter, industry_code, sum(sales_amount) AS s,
  100.0 * sum(sales_amount) / sum(sum(sales_amount)) OVER (PARTITION BY quarter) AS ratio
FROM card_sales WHERE quarter < 'quarter-04' GROUP BY quarter, industry_code ORDER BY ALL LIMIT 30

WITH v AS (
  SELECT line, year(date) AS y, month(date) AS m, sum(boardings) AS s,
    avg(sum(boardings)) OVER (PARTITION BY line, year(date)) AS mean,
    rank() OVER (PARTITION BY line ORDER BY year(date), month(date)) AS rn
  FROM subway_ridership GROUP BY line, y, m)
SELECT v.line, v.y, v.m, v.s, before.s AS psum, later.s AS nsum FROM v
JOIN v before ON v.line = before.line AND v.rn = before.rn + 1
JOIN v later ON v.line = later.line AND v.rn = later.rn - 1
WHERE abs(v.s - v.mean) / v.mean > 0.02 ORDER BY v.s - v.mean, v.line, v.m LIMIT 20

SELECT dong_code, item_sk, rnk FROM (
  SELECT dong_code, industry_code AS item_sk, avg(sales_amount) AS m,
    rank() OVER (PARTITION BY dong_code ORDER BY avg(sales_amount) DESC, industry_code) AS rnk
  FROM card_sales GROUP BY dong_code, industry_code) ranked WHERE rnk < 3 ORDER BY ALL LIMIT 40

SELECT quarter, cume_sales, max(cume_sales) OVER (ORDER BY quarter ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
FROM (SELECT quarter, sum(sum(sales_amount)) OVER (ORDER BY quarter) AS cume_sales FROM card_sales GROUP BY quarter)
ORDER BY quarter

SELECT count(*) FROM (
  SELECT DISTINCT dong_code, quarter FROM card_sales WHERE sales_amount > 9000
  INTERSECT SELECT DISTINCT dong_code, quarter FROM card_sales WHERE sales_count > 9000) hot

SELECT count(*) FROM (
  (SELECT DISTINCT dong_code FROM card_sales) EXCEPT (SELECT DISTINCT dong_code FROM dong_codes WHERE gu_name > 'gu_name-60'))

SELECT bucket, count(*) AS n FROM (
  SELECT CASE WHEN sales_count BETWEEN 1 AND 20 THEN 1 WHEN sales_count BETWEEN 21 AND 4000 THEN 2 ELSE 3 END AS bucket
  FROM card_sales) GROUP BY bucket ORDER BY bucket

SELECT (SELECT count(*) FROM card_sales WHERE sales_count < 1000) AS morning,
  (SELECT count(*) FROM card_sales WHERE sales_count >= 1000) AS evening

SELECT gu_name, sum(mon_amount) AS mon, sum(tue_amount) AS tue, sum(wed_amount) AS wed, sum(thu_amount) AS thu,
  sum(fri_amount) AS fri, sum(sat_amount) AS sat, sum(sun_amount) AS sun
FROM card_sales JOIN dong_codes USING (dong_code) GROUP BY gu_name ORDER BY gu_name LIMIT 10

SELECT industry_code, grouping(industry_code) + grouping(quarter) AS lochierarchy, sum(sales_amount) AS total,
  rank() OVER (PARTITION BY grouping(industry_code) + grouping(quarter) ORDER BY sum(sales_amount) DESC,
    industry_code NULLS FIRST, quarter NULLS FIRST) AS r
FROM card_sales GROUP BY CUBE (industry_code, quarter) QUALIFY r <= 3 ORDER BY ALL

WITH RECURSIVE days(d) AS (
  SELECT DATE '2026-01-01' UNION ALL SELECT d + 1 FROM days WHERE d < DATE '2026-01-31')
SELECT strftime(d, '%Y-%m-%d') AS day, coalesce(sum(s.boardings), 0) AS total
FROM days LEFT JOIN subway_ridership s ON s.date = days.d GROUP BY ALL ORDER BY ALL

WITH RECURSIVE walk(node, depth, path) AS (
  SELECT 1, 0, [1] UNION ALL
  SELECT node * 2 + k, depth + 1, list_append(path, node * 2 + k) FROM walk, range(2) r(k) WHERE depth < 3)
SELECT depth, count(*) AS n, max(len(path)) AS longest FROM walk GROUP BY depth ORDER BY depth

SELECT a.date, a.line, a.boardings, b.boardings AS before FROM (
  SELECT date, line, sum(boardings) AS boardings FROM subway_ridership GROUP BY ALL) a
ASOF JOIN (SELECT date + 30 AS date, line, sum(boardings) AS boardings FROM subway_ridership GROUP BY ALL) b
  ON a.line = b.line AND a.date >= b.date ORDER BY a.line, a.date LIMIT 25

SELECT date, total, avg(total) OVER (ORDER BY date RANGE BETWEEN INTERVAL 6 DAY PRECEDING AND CURRENT ROW) AS week
FROM (SELECT date, sum(boardings) AS total FROM subway_ridership GROUP BY date) ORDER BY date LIMIT 40

SELECT line, first_value(station) OVER w AS best, last_value(station) OVER w AS worst, nth_value(station, 2) OVER w AS second
FROM (SELECT line, station, sum(boardings) AS s FROM subway_ridership GROUP BY ALL)
WINDOW w AS (PARTITION BY line ORDER BY s DESC, station ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
ORDER BY ALL LIMIT 10

SELECT line, cume_dist() OVER (ORDER BY line) AS c, dense_rank() OVER (ORDER BY length(line)) AS d,
  lead(line, 1, 'none') OVER (ORDER BY line) AS after FROM (SELECT DISTINCT line FROM subway_ridership) ORDER BY line LIMIT 9

PIVOT dong_codes ON gu_name USING count(*) GROUP BY sido_name ORDER BY sido_name

PIVOT subway_ridership ON part USING sum(boardings) AS b, max(alightings) AS a GROUP BY line ORDER BY line

PIVOT (SELECT line, part, month(date) AS m, boardings FROM subway_ridership) ON m USING sum(boardings) GROUP BY line ORDER BY line

PIVOT (SELECT line, part, boardings FROM subway_ridership WHERE part < 3) ON part, line IN ('line-01', 'line-02')
USING sum(boardings)

WITH q AS (SELECT quarter, industry_code, sales_amount FROM card_sales WHERE quarter < 'quarter-03')
PIVOT q ON quarter USING sum(sales_amount) GROUP BY industry_code ORDER BY industry_code

SELECT * FROM (PIVOT (SELECT gu_name, dong_code FROM dong_codes) ON upper(gu_name) USING count(dong_code)) p

WITH p AS (PIVOT card_sales ON quarter USING sum(sales_amount) GROUP BY industry_code)
SELECT count(*) AS industries, sum("quarter-00") AS first FROM p

PIVOT (SELECT part, line FROM subway_ridership) ON part + 1 USING count(*) GROUP BY line ORDER BY line LIMIT 5

UNPIVOT (SELECT quarter, sum(mon_amount) AS mon, sum(tue_amount) AS tue FROM card_sales GROUP BY quarter)
ON mon, tue INTO NAME day VALUE amount ORDER BY ALL LIMIT 10

SELECT * FROM (SELECT quarter, sum(male_amount) AS male, sum(female_amount) AS female FROM card_sales GROUP BY quarter)
UNPIVOT (amount FOR sex IN (male, female)) ORDER BY ALL LIMIT 10

SELECT d.gu_name, top.industry_code, top.s FROM (SELECT DISTINCT gu_name FROM dong_codes ORDER BY 1 LIMIT 5) d,
LATERAL (SELECT c.industry_code, sum(c.sales_amount) AS s FROM card_sales c JOIN dong_codes x USING (dong_code)
  WHERE x.gu_name = d.gu_name GROUP BY c.industry_code ORDER BY s DESC, c.industry_code LIMIT 2) top ORDER BY ALL

SELECT to_json({'line': line, 'n': count(*)}) AS j FROM subway_ridership GROUP BY line ORDER BY line LIMIT 3

SELECT list(struct_pack(q := quarter, s := s) ORDER BY quarter) AS l FROM (
  SELECT quarter, sum(sales_amount) AS s FROM card_sales GROUP BY quarter ORDER BY quarter LIMIT 4)

SELECT unnest(l) AS x FROM (SELECT list_filter(list(DISTINCT part ORDER BY part), lambda v: v % 2 = 0) AS l FROM subway_ridership)

SELECT approx_count_distinct(line) > 50 AS many, approx_quantile(boardings, 0.5) > 0 AS some FROM subway_ridership

SELECT count(*) > 0 AS some FROM (SELECT * FROM subway_ridership USING SAMPLE 10% (bernoulli, 42))

SELECT count(*) FROM (SELECT * FROM card_sales USING SAMPLE reservoir(50 ROWS) REPEATABLE (7))

SELECT line, count(*) AS n FROM subway_ridership WHERE date BETWEEN '2026-02-01' AND '2026-02-28' AND boardings IS NOT NULL
GROUP BY 1 HAVING bool_or(part = 1) ORDER BY n DESC, 1 LIMIT 5 OFFSET 3

SELECT bit_count(part) AS b, part & 3 AS a, part << 1 AS s, xor(part, 1) AS x FROM (SELECT DISTINCT part FROM subway_ridership) ORDER BY ALL

SELECT sum(DISTINCT part) AS s, product(part + 1) FILTER (WHERE part < 5) AS p, kurtosis(part) AS k, entropy(part) AS e
FROM (SELECT DISTINCT part FROM subway_ridership)

FROM card_sales SELECT dong_code, max_by(industry_code, sales_amount) IS NOT NULL AS k GROUP BY ALL ORDER BY ALL LIMIT 5

SELECT dong_code[1:4] AS head, regexp_extract(dong_code, '([0-9]+)$', 1)::INT AS n, dong_code SIMILAR TO '.*[05]' AS five
FROM dong_codes ORDER BY ALL LIMIT 6
""".strip().split("\n\n")
