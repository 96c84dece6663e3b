INSERT INTO opt_out (email, list, added_on)
SELECT pg_temp.email(pg_temp.h(i, $3 + 1), i),
       pg_temp.pick(pg_temp.h(i, $3 + 2), '{newsletter,newsletter,consultations,events}'),
       pg_temp.day(i, $5, $4)
FROM generate_series($1::bigint, $2::bigint) AS i
ORDER BY i
