-- Forty applicants a vacancy, decided on two to eight weeks after it closes; one in
-- twenty is hired, one in six of the others would have been good enough. The odd
-- dates fall among those turned down (rows 1-9) and on the merit list (rows 10-18).
INSERT INTO applicant (vacancy_id, full_name, email, phone, date_of_birth, postcode, cv, answers, ethnicity, gender, disability, outcome, met_merit_criteria, decided_on)
SELECT v.id,
       pg_temp.full_name(b),
       pg_temp.email(b, i),
       CASE WHEN a % 6 > 0 THEN pg_temp.phone(b) END,
       v.closes_on - 6600 - (c % 16000)::integer,
       pg_temp.postcode(b),
       CASE WHEN a / 8 % 12 > 0 THEN
           E'CURRICULUM VITAE\n' || pg_temp.full_name(b) || ', ' || 1 + b % 150 || ' ' || pg_temp.street(b / 150) || ', ' || pg_temp.postcode(b)
           || E'\n' || extract(year FROM v.closes_on) - 1 - c % 9 || ' to date: ' || pg_temp.pick(c, '{"caseworker, a housing association","teaching assistant","analyst, a London borough","shop manager","civil servant","student of criminology","charity fundraiser"}')
           || E'\nDegree in ' || pg_temp.pick(c / 8, '{sociology,law,geography,statistics,English,politics,economics}') || '.' END,
       jsonb_build_object(
           'phone', pg_temp.phone(b),
           'address', 1 + b % 150 || ' ' || pg_temp.street(b / 150) || ', ' || pg_temp.postcode(b),
           'motivation', pg_temp.pick(c / 64, '{"I grew up in ","I have volunteered for years in ","My family runs a business in ","I was a victim of crime in ","I work with young people in "}') || pg_temp.borough(c / 512) || '. I want to give something back.',
           'referee', pg_temp.full_name(c),
           'heard_from', pg_temp.pick(c / 4096, '{our website,a newspaper,a friend,a job board,social media}'),
           'full_time', c / 16384 % 3 > 0),
       pg_temp.pick(c / 32768, '{Asian or Asian British,"Black, Black British, Caribbean or African",Mixed or multiple ethnic groups,White,White,Other ethnic group,prefer not to say}'),
       pg_temp.pick(c / 262144, '{female,male,female,male,another term,prefer not to say}'),
       CASE c / 2097152 % 12 WHEN 0 THEN NULL WHEN 1 THEN true WHEN 2 THEN true ELSE false END,
       o.outcome,
       CASE WHEN o.outcome = 'unsuccessful' THEN o.merit WHEN o.outcome = 'successful' THEN true END,
       CASE WHEN o.outcome <> 'pending' THEN pg_temp.dated(o.odd, d.day, $4, CASE WHEN o.merit THEN 12 ELSE 6 END) END
FROM generate_series($1::bigint, $2::bigint) AS i
JOIN vacancy AS v ON v.id = 1 + (i - 1) * $6 / $5
CROSS JOIN LATERAL (SELECT pg_temp.h(i, $3 + 1) AS a, pg_temp.h(i, $3 + 2) AS b, pg_temp.h(i, $3 + 3) AS c) AS n
CROSS JOIN LATERAL (SELECT pg_temp.working_day(v.closes_on + 16 + (pg_temp.h(v.id, $3 + 4) % 40)::integer) AS day) AS d
CROSS JOIN LATERAL (SELECT
    CASE WHEN i <= 18 THEN pg_temp.odd(1 + (i - 1) % 9) ELSE pg_temp.odd(i) END AS odd,
    CASE WHEN i <= 18 THEN i > 9 ELSE a / 128 % 6 = 0 END AS merit,
    CASE WHEN i <= 18 OR pg_temp.odd(i) IS NOT NULL THEN 'unsuccessful'
         WHEN d.day > $4 OR i % 50 = 0 THEN 'pending'
         WHEN i % 20 = 19 THEN 'successful'
         ELSE 'unsuccessful' END AS outcome) AS o
ORDER BY i
