-- Seven letters in ten belong to one of $6 matters, opened up to four months before.
-- One letter of each matter is sure to (i % 8 = 4), so that none is empty. The odd
-- dates are those of letters without a matter, every eighth of the first 72; the odd
-- closing dates are those of the matters.
INSERT INTO correspondence (case_id, channel, subject, sender_name, sender_email, sender_phone, postcode, body, received_at, closed_at)
SELECT m.id,
       pg_temp.pick(a, '{email,email,email,email,email,email,web form,web form,letter,telephone}'),
       pg_temp.pick(a / 16, '{Complaint,Enquiry,Follow-up,Request for a meeting,Thank you,Concern}')
           || ': ' || coalesce(m.topic, pg_temp.topic(a / 256)),
       pg_temp.full_name(b),
       CASE WHEN a % 10 < 8 THEN pg_temp.email(b, i) END,
       CASE WHEN a / 4096 % 3 = 0 THEN pg_temp.phone(b) END,
       CASE WHEN a / 4096 % 2 = 0 THEN pg_temp.postcode(b) END,
       pg_temp.pick(c, '{"Dear Sir or Madam,","Dear Deputy Mayor,","Good morning,","To whom it may concern,","Hello,"}')
           || E'\n\n'
           || pg_temp.pick(c / 8, '{"I have lived here for many years and I am writing about something that worries my neighbours and me.","I wrote to you last month and have not had an answer.","My daughter was upset by what happened and asked me to write.","I run a small shop and I see this every day.","I should like to know what is being done about the following.","Thank you for your letter, which raises a further question.","I was there myself when it happened.","I am the secretary of our tenants'' association."}')
           || ' It concerns ' || pg_temp.street(b / 64) || ' in ' || pg_temp.borough(c / 64) || '. '
           || pg_temp.pick(c / 2048, '{"It has become worse since the summer.","The officers were polite but could not tell us more.","Nobody came for two hours after we telephoned.","We were told that there is no money for it.","I enclose what I have written down so far.","There are children living in the house.","It is the third time this year."}')
           || ' '
           || pg_temp.pick(c / 16384, '{"Please tell me who is responsible.","Could somebody telephone me?","I should be grateful for a reply in writing.","I ask that this be treated as a formal complaint.","I do not need an answer, but you ought to know.","May I come and see you?"}')
           || E'\n\nYours faithfully,\n' || pg_temp.full_name(b),
       CASE WHEN r.case_no IS NULL
            THEN pg_temp.instant(o.odd, pg_temp.dated(o.odd, r.day, $4, 96), d)
            ELSE pg_temp.instant(NULL, r.day, d) END,
       m.closed_at
FROM generate_series($1::bigint, $2::bigint) AS i
CROSS JOIN LATERAL (SELECT
    pg_temp.h(i, $3 + 1) AS a, pg_temp.h(i, $3 + 2) AS b,
    pg_temp.h(i, $3 + 3) AS c, pg_temp.h(i, $3 + 4) AS d,
    pg_temp.h(i, $3 + 5) % ($5 * 120 / 4383 + 1) AS lag) AS n
CROSS JOIN LATERAL (SELECT
    CASE WHEN i % 8 = 4 THEN NULL
         WHEN i > 72 THEN pg_temp.odd(i)
         WHEN i % 8 = 1 THEN pg_temp.odd((i + 7) / 8) END AS odd) AS o
CROSS JOIN LATERAL (SELECT
    pg_temp.day(i, $5, $4) AS day,
    CASE WHEN o.odd IS NOT NULL THEN NULL
         WHEN i % 8 = 4 THEN (i + 7) / 8
         WHEN a / 65536 % 10 < 7 THEN least(greatest((i - lag + 7) / 8, 1), $6)
    END AS case_no) AS r
LEFT JOIN matter AS m ON m.id = r.case_no
ORDER BY i
