INSERT INTO capv_outcome (participant_id, measure, score_before, score_after, recorded_on)
SELECT p.id, m.measure, 10 + (a % 20)::integer, CASE WHEN a / 32 % 4 > 0 THEN 5 + (a / 128 % 20)::integer END, p.recruited_on + 28
FROM capv_participant AS p
CROSS JOIN (VALUES (1, 'family conflict'), (2, 'wellbeing')) AS m (n, measure)
CROSS JOIN LATERAL (SELECT pg_temp.h(p.id, $3 + m.n) AS a) AS h
WHERE p.id BETWEEN $1 AND $2 AND p.role <> 'practitioner'
ORDER BY p.id, m.n
