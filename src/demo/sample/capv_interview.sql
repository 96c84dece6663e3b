INSERT INTO capv_interview (participant_id, kind, held_on, transcript)
SELECT p.id,
       CASE WHEN n = 1 THEN 'survey' ELSE 'interview' END,
       p.recruited_on + n * 14,
       CASE WHEN n = 1 THEN 'How often in the last month? ' || pg_temp.pick(a, '{never,once or twice,every week,every day}') || '.'
            ELSE 'Interviewer: how did it begin? ' || p.full_name || ': ' || pg_temp.pick(a, '{"It was after the school closed.","With shouting, and then a door was broken.","I would rather talk about what helped.","When we moved to a smaller flat."}') END
FROM capv_participant AS p
CROSS JOIN LATERAL generate_series(1, 1 + (pg_temp.h(p.id, $3) % 3)::integer) AS n
CROSS JOIN LATERAL (SELECT pg_temp.h(p.id, $3 + n) AS a) AS h
WHERE p.id BETWEEN $1 AND $2
ORDER BY p.id, n
