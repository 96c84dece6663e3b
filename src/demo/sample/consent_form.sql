-- One form for every three of the $6 things that were captured, signed on the day of the first.
INSERT INTO consent_form (signatory_name, signatory_role, signed_on, scan_path)
SELECT pg_temp.full_name(pg_temp.h(f, $3 + 1)),
       pg_temp.pick(pg_temp.h(f, $3 + 2), '{participant,participant,parent or guardian,speaker}'),
       pg_temp.day(3 * f - 2, $6, $4),
       'consent/' || extract(year FROM pg_temp.day(3 * f - 2, $6, $4)) || '/form_' || lpad(f::text, 6, '0') || '.pdf'
FROM generate_series($1::bigint, $2::bigint) AS f
ORDER BY f
