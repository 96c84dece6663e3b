-- A matter for every eight letters of $5. One in 97 is never closed.
INSERT INTO matter (reference, department_id, topic, opened_at, closed_at)
SELECT 'MAT-' || extract(year FROM o.day) || '-' || lpad(k::text, 7, '0'),
       1 + pg_temp.h(k, $3 + 1) % 8,
       pg_temp.topic(pg_temp.h(k, $3 + 2)),
       pg_temp.instant(NULL, o.day, pg_temp.h(k, $3 + 3) / 10 * 10 + 1),
       pg_temp.instant(
           pg_temp.odd(k),
           pg_temp.dated(pg_temp.odd(k), CASE WHEN k % 97 > 0 AND c.day <= $4 THEN c.day END, $4, 96),
           pg_temp.h(k, $3 + 5) / 10 * 10 + 1)
FROM generate_series($1::bigint, $2::bigint) AS k
CROSS JOIN LATERAL (SELECT pg_temp.day(8 * k - 7, $5, $4) AS day) AS o
CROSS JOIN LATERAL (SELECT pg_temp.working_day(o.day + 150 + (pg_temp.h(k, $3 + 4) % 500)::integer) AS day) AS c
ORDER BY k
