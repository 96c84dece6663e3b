-- Up to two calls to each of the people in survey_sample.sql.
INSERT INTO survey_contact_attempt (campaign, sample_id, attempt_no, attempted_on, result)
SELECT pg_temp.campaign(pg_temp.campaign_no(i, $5), $4),
       pg_temp.sample_no(i, $5),
       n,
       pg_temp.sample_day(i, $5, $4) + 3 * n,
       pg_temp.pick(pg_temp.h(i, $3 + n), '{no answer,refused,completed,wrong number,call back later}')
FROM generate_series($1::bigint, $2::bigint) AS i
CROSS JOIN LATERAL generate_series(1, (pg_temp.h(i, $3) % 3)::integer) AS n
ORDER BY i, n
