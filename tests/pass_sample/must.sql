-- What a pass of 23 November 2026 must do to the sample organisation, written by hand
-- from the published notices: no statement of the program's is used. The tables are read
-- as they were (schema `was`); what must go is written down before the pass (`must`).

CREATE SCHEMA must;

-- Every record that must go, with the day it is counted from and its last day. A minimum
-- goes after its last day, a maximum on it. Nothing before 1990 is believed.

-- 8 years from the closing of the matter; from the receipt, where there is no matter.
CREATE TABLE must.correspondence AS
SELECT id, trigger_on, (trigger_on + interval '8 years')::date AS last_day
FROM (SELECT id, (CASE WHEN closed_at IS NOT NULL THEN closed_at
                       WHEN case_id IS NULL THEN received_at
                  END AT TIME ZONE 'Europe/London')::date AS trigger_on
      FROM was.correspondence) AS c
WHERE trigger_on >= '1990-01-01' AND (trigger_on + interval '8 years')::date < '2026-11-23';

-- 2 years from the closing of the request.
CREATE TABLE must.foi_request AS
SELECT id, closed_on AS trigger_on, (closed_on + interval '2 years')::date AS last_day
FROM was.foi_request
WHERE closed_on >= '1990-01-01' AND (closed_on + interval '2 years')::date < '2026-11-23';

-- At most 4 years from the day it was taken; at once, and without a last day, where consent was
-- withdrawn before that.
CREATE TABLE must.media AS
SELECT id, trigger_on, CASE WHEN past THEN (trigger_on + interval '4 years')::date END AS last_day
FROM (SELECT *, coalesce(trigger_on >= '1990-01-01' AND (trigger_on + interval '4 years')::date <= '2026-11-23', false) AS past
        FROM (SELECT id, (captured_at AT TIME ZONE 'Europe/London')::date AS trigger_on,
                     consent_withdrawn_at IS NOT NULL AS withdrawn FROM was.media) AS m) AS m
WHERE past OR withdrawn;

-- 6 months from the decision, 12 for whoever met the criteria; nobody who was hired.
CREATE TABLE must.applicant AS
SELECT id, decided_on AS trigger_on, (decided_on + kept)::date AS last_day, class
FROM (SELECT id, decided_on, outcome,
             CASE WHEN met_merit_criteria THEN interval '12 months' ELSE interval '6 months' END AS kept,
             CASE WHEN met_merit_criteria THEN 'applicants-merit-list' ELSE 'applicants-unsuccessful' END AS class
      FROM was.applicant) AS a
WHERE outcome = 'unsuccessful' AND decided_on >= '1990-01-01' AND (decided_on + kept)::date < '2026-11-23';

-- At most 3 years from the receipt of the sample.
CREATE TABLE must.survey_sample AS
SELECT campaign, id, received_on AS trigger_on, (received_on + interval '3 years')::date AS last_day
FROM was.survey_sample
WHERE received_on >= '1990-01-01' AND (received_on + interval '3 years')::date <= '2026-11-23';

-- 3 months from the receipt of the message.
CREATE TABLE must.social_message AS
SELECT id, trigger_on, (trigger_on + interval '3 months')::date AS last_day
FROM (SELECT id, (received_at AT TIME ZONE 'Europe/London')::date AS trigger_on FROM was.social_message) AS m
WHERE trigger_on >= '1990-01-01' AND (trigger_on + interval '3 months')::date < '2026-11-23';

-- What goes with them.

CREATE TABLE must.attachment AS
SELECT a.id, a.correspondence_id, c.trigger_on, c.last_day
FROM was.attachment AS a JOIN must.correspondence AS c ON c.id = a.correspondence_id;

CREATE TABLE must.case_note AS
SELECT n.correspondence_id, n.note_no, c.trigger_on, c.last_day
FROM was.case_note AS n JOIN must.correspondence AS c ON c.id = n.correspondence_id;

CREATE TABLE must.foi_exchange AS
SELECT e.id, e.foi_request_id, r.trigger_on, r.last_day
FROM was.foi_exchange AS e JOIN must.foi_request AS r ON r.id = e.foi_request_id;

CREATE TABLE must.survey_contact_attempt AS
SELECT t.campaign, t.sample_id, t.attempt_no, s.trigger_on, s.last_day
FROM was.survey_contact_attempt AS t JOIN must.survey_sample AS s ON s.campaign = t.campaign AND s.id = t.sample_id;

-- A form goes with the last picture that names it.
CREATE TABLE must.consent_form AS
SELECT id FROM was.consent_form AS f
WHERE EXISTS (SELECT FROM was.media AS m WHERE m.consent_form_id = f.id)
  AND NOT EXISTS (SELECT FROM was.media AS m
                  WHERE m.consent_form_id = f.id AND m.id NOT IN (SELECT id FROM must.media));

-- What stays, and forgets which letter it came from.

CREATE TABLE must.unlink_foi_request AS
SELECT r.id, r.correspondence_id, c.trigger_on, c.last_day
FROM was.foi_request AS r JOIN must.correspondence AS c ON c.id = r.correspondence_id
WHERE r.id NOT IN (SELECT id FROM must.foi_request);

CREATE TABLE must.unlink_social_message AS
SELECT m.id, m.correspondence_id, c.trigger_on, c.last_day
FROM was.social_message AS m JOIN must.correspondence AS c ON c.id = m.correspondence_id
WHERE m.id NOT IN (SELECT id FROM must.social_message);

-- Every line that the ledger must have, except those of the forms: which of the pictures
-- that shared one is named as its parent is not laid down.
CREATE TABLE must.line AS
SELECT * FROM (
    SELECT 'deleted' AS action, 'communications' AS class, 'public.correspondence' AS table_name,
           jsonb_build_object('id', id) AS key, trigger_on, last_day, NULL::jsonb AS parent
    FROM must.correspondence
    UNION ALL
    SELECT 'deleted', 'communications', 'public.attachment', jsonb_build_object('id', id),
           trigger_on, last_day, jsonb_build_object('id', correspondence_id)
    FROM must.attachment
    UNION ALL
    SELECT 'deleted', 'communications', 'public.case_note',
           jsonb_build_object('correspondence_id', correspondence_id, 'note_no', note_no),
           trigger_on, last_day, jsonb_build_object('id', correspondence_id)
    FROM must.case_note
    UNION ALL
    SELECT 'unlinked', 'communications', 'public.foi_request', jsonb_build_object('id', id),
           trigger_on, last_day, jsonb_build_object('id', correspondence_id)
    FROM must.unlink_foi_request
    UNION ALL
    SELECT 'unlinked', 'communications', 'public.social_message', jsonb_build_object('id', id),
           trigger_on, last_day, jsonb_build_object('id', correspondence_id)
    FROM must.unlink_social_message
    UNION ALL
    SELECT 'deleted', 'foi-requests', 'public.foi_request', jsonb_build_object('id', id), trigger_on, last_day, NULL
    FROM must.foi_request
    UNION ALL
    SELECT 'deleted', 'foi-requests', 'public.foi_exchange', jsonb_build_object('id', id),
           trigger_on, last_day, jsonb_build_object('id', foi_request_id)
    FROM must.foi_exchange
    UNION ALL
    SELECT 'deleted', 'photos-videos', 'public.media', jsonb_build_object('id', id), trigger_on, last_day, NULL
    FROM must.media
    UNION ALL
    SELECT 'anonymised', class, 'public.applicant', jsonb_build_object('id', id), trigger_on, last_day, NULL
    FROM must.applicant
    UNION ALL
    SELECT 'deleted', 'survey-samples', 'public.survey_sample', jsonb_build_object('campaign', campaign, 'id', id),
           trigger_on, last_day, NULL
    FROM must.survey_sample
    UNION ALL
    SELECT 'deleted', 'survey-samples', 'public.survey_contact_attempt',
           jsonb_build_object('campaign', campaign, 'sample_id', sample_id, 'attempt_no', attempt_no),
           trigger_on, last_day, jsonb_build_object('campaign', campaign, 'id', sample_id)
    FROM must.survey_contact_attempt
    UNION ALL
    SELECT 'deleted', 'social-dms', 'public.social_message', jsonb_build_object('id', id), trigger_on, last_day, NULL
    FROM must.social_message
) AS lines;
