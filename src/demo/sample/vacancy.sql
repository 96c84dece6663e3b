INSERT INTO vacancy (department_id, title, kind, closes_on)
SELECT 1 + a % 8,
       CASE WHEN a / 8 % 4 = 0 THEN pg_temp.pick(a / 32, '{Independent custody visitor,Community volunteer,Reader of the annual report}')
            ELSE pg_temp.pick(a / 32, '{Policy officer,Research analyst,Casework officer,Engagement manager,Finance officer,Commissioning officer,Communications officer}') END,
       CASE WHEN a / 8 % 4 = 0 THEN 'volunteer' ELSE 'post' END,
       pg_temp.working_day(pg_temp.day(v, $5, $4))
FROM generate_series($1::bigint, $2::bigint) AS v
CROSS JOIN LATERAL (SELECT pg_temp.h(v, $3) AS a) AS h
ORDER BY v
