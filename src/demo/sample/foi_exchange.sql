-- What was written to and fro: one to three messages about each request, whose
-- keys are those of foi_request.sql ($6 is its salt).
INSERT INTO foi_exchange (foi_request_id, direction, sent_on, body)
SELECT md5($6::text || ':' || i)::uuid,
       CASE WHEN n % 2 = 1 THEN 'out' ELSE 'in' END,
       pg_temp.day(i, $5, $4) + n * 4,
       CASE n WHEN 1 THEN 'Thank you for your request, which we received and will answer within twenty working days.'
              WHEN 2 THEN 'Thank you. To narrow it down: I mean the figures for ' || pg_temp.borough(pg_temp.h(i, $3 + 1)) || '. ' || pg_temp.full_name(pg_temp.h(i, $6 + 2))
              ELSE 'Our answer is attached. You may ask for an internal review within forty working days.' END
FROM generate_series($1::bigint, $2::bigint) AS i
CROSS JOIN LATERAL generate_series(1, 1 + (pg_temp.h(i, $3) % 3)::integer) AS n
ORDER BY i, n
