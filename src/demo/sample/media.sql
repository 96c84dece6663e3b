-- Every form of $6 covers the first of its three; one form in twenty is used again
-- three years later; some crowd scenes needed none. One consent in forty was withdrawn.
INSERT INTO media (kind, event_name, people_shown, captured_at, consent_form_id, consent_withdrawn_at, path)
SELECT k.kind,
       pg_temp.pick(g.h, '{Community safety forum,Youth summit,Town hall meeting,Passing-out parade,Volunteer awards,Neighbourhood walk,Launch of the police and crime plan,Custody visitors'' conference}') || ', ' || pg_temp.borough(g.h / 8),
       CASE WHEN f.form IS NOT NULL THEN pg_temp.full_name(pg_temp.h(f.form, $3 + 4)) END,
       c.captured_at,
       f.form,
       CASE WHEN f.form IS NOT NULL AND i % 40 = 11 THEN pg_temp.instant(NULL, least(d.day + 20 + (a % 600)::integer, $4), 1) END,
       CASE WHEN c.captured_at >= '1990-01-01' THEN to_char(c.captured_at AT TIME ZONE 'Europe/London', 'YYYY/MM') ELSE 'undated' END
           || '/' || k.stem || lpad(i::text, 6, '0') || k.ending
FROM generate_series($1::bigint, $2::bigint) AS i
CROSS JOIN LATERAL (SELECT pg_temp.h(i, $3 + 1) AS a, pg_temp.h(i, $3 + 2) AS b) AS n
CROSS JOIN LATERAL (SELECT pg_temp.h((i + 2) / 3, $3 + 3) AS h) AS g
CROSS JOIN LATERAL (SELECT pg_temp.day(i - (i - 1) % 3, $5, $4) AS day) AS d
CROSS JOIN LATERAL (SELECT pg_temp.instant(pg_temp.odd(i), pg_temp.dated(pg_temp.odd(i), d.day, $4, 48), b) AS captured_at) AS c
CROSS JOIN LATERAL (SELECT CASE WHEN i % 60 = 0 THEN greatest((i + 2) / 3 - $6 / 4, 1)
                                WHEN i % 15 = 0 THEN NULL
                                ELSE (i + 2) / 3 END AS form) AS f
CROSS JOIN LATERAL (VALUES ('photo', 'img_', '.jpg', 0, 15), ('video', 'vid_', '.mp4', 16, 18), ('audio', 'aud_', '.m4a', 19, 19)) AS k (kind, stem, ending, low, high)
WHERE a % 20 BETWEEN k.low AND k.high
ORDER BY i
