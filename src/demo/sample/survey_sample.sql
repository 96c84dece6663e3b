INSERT INTO survey_sample (campaign, id, full_name, phone, email, postcode, crime_type, received_on)
SELECT pg_temp.campaign(pg_temp.campaign_no(i, $5), $4),
       pg_temp.sample_no(i, $5),
       pg_temp.full_name(b),
       pg_temp.phone(b),
       CASE WHEN a % 3 > 0 THEN pg_temp.email(b, i) END,
       pg_temp.postcode(b),
       pg_temp.pick(a / 4, '{burglary,robbery,violence,vehicle crime,hate crime,antisocial behaviour}'),
       pg_temp.dated(pg_temp.odd(i), pg_temp.sample_day(i, $5, $4), $4, 36)
FROM generate_series($1::bigint, $2::bigint) AS i
CROSS JOIN LATERAL (SELECT pg_temp.h(i, $3 + 1) AS a, pg_temp.h(i, $3 + 2) AS b) AS n
ORDER BY i
