-- One message in ten became a complaint, one of $6 letters of about the same time.
INSERT INTO social_message (platform, handle, display_name, body, received_at, correspondence_id)
SELECT pg_temp.pick(a, '{X,X,Facebook,Instagram,LinkedIn}'),
       '@' || lower(pg_temp.pick(b, '{Night,London,Real,Just,The,Old,Happy,South,North}') || pg_temp.pick(b / 16, '{Cyclist,Mum,Gardener,Runner,Walker,Baker,Teacher,Reader}')) || b % 9973,
       CASE WHEN a / 8 % 3 > 0 THEN pg_temp.full_name(b / 128) END,
       pg_temp.pick(a / 32, '{"Can somebody tell me who to talk to about ","Not happy at all with ","Is this the right place to ask about ","Thanks for the quick help with ","When will you do something about "}')
           || lower(pg_temp.topic(a / 256)) || pg_temp.pick(a / 8192, '{?," in my street?",". Please ring me",!}')
           || CASE WHEN a / 8192 % 4 = 2 THEN ': ' || pg_temp.phone(b) ELSE '' END,
       pg_temp.instant(pg_temp.odd(i), pg_temp.dated(pg_temp.odd(i), pg_temp.day(i, $5, $4), $4, 3), pg_temp.h(i, $3 + 3)),
       CASE WHEN i % 10 = 0 THEN 1 + (i - 1) * $6 / $5 END
FROM generate_series($1::bigint, $2::bigint) AS i
CROSS JOIN LATERAL (SELECT pg_temp.h(i, $3 + 1) AS a, pg_temp.h(i, $3 + 2) AS b) AS n
ORDER BY i
