-- Answered within five to sixty days; one in three came in as one of $6 letters.
INSERT INTO foi_request (id, reference, kind, requester_name, requester_email, request_text, received_on, closed_on, outcome, correspondence_id)
SELECT md5($3::text || ':' || i)::uuid,
       'FOI-' || extract(year FROM r.day) || '-' || lpad(i::text, 6, '0'),
       k.kind,
       pg_temp.full_name(b),
       CASE WHEN a % 8 > 0 THEN pg_temp.email(b, i) END,
       CASE WHEN k.kind IN ('freedom of information', 'environmental information')
            THEN 'Please send me, for each of the last three years, the figures that you hold on: '
                 || lower(pg_temp.topic(a / 64)) || ', in ' || pg_temp.borough(a / 2048) || '.'
            ELSE 'I ask to exercise my right (' || k.kind || ') over everything that you hold on me. I was born on '
                 || to_char(date '1950-01-01' + (b % 18000)::integer, 'FMDD FMMonth YYYY') || ' and live at '
                 || 1 + b % 150 || ' ' || pg_temp.street(b / 150) || ', ' || pg_temp.postcode(b) || '.' END,
       r.day,
       e.closed_on,
       CASE WHEN e.closed_on IS NOT NULL THEN pg_temp.pick(a / 65536, '{granted in full,granted in part,refused,information not held,withdrawn}') END,
       CASE WHEN i % 3 = 2 THEN greatest(i * $6 / $5 - c % 8, 1) END
FROM generate_series($1::bigint, $2::bigint) AS i
CROSS JOIN LATERAL (SELECT pg_temp.h(i, $3 + 1) AS a, pg_temp.h(i, $3 + 2) AS b, pg_temp.h(i, $3 + 3) AS c) AS n
CROSS JOIN LATERAL (SELECT pg_temp.day(i, $5, $4) AS day) AS r
CROSS JOIN LATERAL (SELECT pg_temp.pick(a / 16, '{freedom of information,freedom of information,freedom of information,freedom of information,environmental information,subject access,subject access,rectification,erasure,objection}') AS kind) AS k
CROSS JOIN LATERAL (SELECT pg_temp.working_day(r.day + 7 + (c % 54)::integer) AS day) AS d
CROSS JOIN LATERAL (SELECT pg_temp.dated(pg_temp.odd(i), CASE WHEN d.day <= $4 THEN d.day END, $4, 24) AS closed_on) AS e
ORDER BY i
