-- Two letters in five have one to three attachments.
INSERT INTO attachment (correspondence_id, file_name, media_type, size_bytes, extracted_text)
SELECT i,
       pg_temp.pick(a, '{letter,photo,statement,receipt,scan,diary,report}') || '-' || n || f.ending,
       f.media_type,
       4096 + a / 8 % 900000,
       CASE WHEN f.ending <> '.jpg' THEN 'Statement of ' || pg_temp.full_name(pg_temp.h(i, $3 + 2)) || ', ' || pg_temp.postcode(a / 64) || '.' END
FROM generate_series($1::bigint, $2::bigint) AS i
CROSS JOIN LATERAL generate_series(1, CASE WHEN pg_temp.h(i, $3) % 5 < 2 THEN 1 + pg_temp.h(i, $3) / 5 % 3 ELSE 0 END) AS n
CROSS JOIN LATERAL (SELECT pg_temp.h(i, $3 + 2 + n) AS a) AS h
CROSS JOIN LATERAL (VALUES ('.pdf', 'application/pdf', 0), ('.jpg', 'image/jpeg', 1), ('.docx', 'application/vnd.openxmlformats-officedocument.wordprocessingml.document', 2)) AS f (ending, media_type, k)
WHERE f.k = a / 4096 % 3
ORDER BY i, n
