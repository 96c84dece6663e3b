-- The assessment ran from September 2020 to July 2021, whatever the day is now.
INSERT INTO capv_participant (full_name, role, borough, email, phone, age_band, ethnicity, gender, recruited_on)
SELECT pg_temp.full_name(b),
       r.role,
       pg_temp.borough(a / 16),
       CASE WHEN r.role <> 'young person' THEN pg_temp.email(b, i) END,
       CASE WHEN r.role = 'parent or carer' THEN pg_temp.phone(b) END,
       CASE WHEN r.role = 'young person' THEN pg_temp.pick(a / 512, '{10-12,13-15,16-17}') ELSE pg_temp.pick(a / 512, '{25-34,35-44,45-54,55-64}') END,
       pg_temp.pick(a / 2048, '{Asian or Asian British,"Black, Black British, Caribbean or African",Mixed or multiple ethnic groups,White,Other ethnic group,prefer not to say}'),
       pg_temp.pick(a / 16384, '{female,male,prefer not to say}'),
       date '2020-09-01' + (300 * (i - 1) / $5)::integer
FROM generate_series($1::bigint, $2::bigint) AS i
CROSS JOIN LATERAL (SELECT pg_temp.h(i, $3 + 1) AS a, pg_temp.h(i, $3 + 2) AS b) AS n
CROSS JOIN LATERAL (SELECT pg_temp.pick(a, '{parent or carer,parent or carer,young person,practitioner}') AS role) AS r
ORDER BY i
