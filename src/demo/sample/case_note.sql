-- One to three notes on half of the letters that belong to a matter.
INSERT INTO case_note (correspondence_id, note_no, written_by, written_at, note)
SELECT c.id, n,
       1 + a % 40,
       c.received_at + n * interval '2 days',
       pg_temp.pick(a / 64, '{"Acknowledged.","Spoke to the sender, who is content with the answer so far.","Passed to the borough for its view.","Draft reply with the head of team.","Sender telephoned again and was upset.","Answer received from the borough, to be worked into the reply.","Reply sent."}')
FROM correspondence AS c
CROSS JOIN LATERAL generate_series(1, 1 + (pg_temp.h(c.id, $3) / 2 % 3)::integer) AS n
CROSS JOIN LATERAL (SELECT pg_temp.h(c.id, $3 + n) AS a) AS h
WHERE c.id BETWEEN $1 AND $2 AND c.case_id IS NOT NULL AND pg_temp.h(c.id, $3) % 2 = 0
ORDER BY c.id, n
