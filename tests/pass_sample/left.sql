-- What must be left after the pass, from what was and what must go.

CREATE SCHEMA remain;

CREATE VIEW remain.correspondence AS
SELECT * FROM was.correspondence WHERE id NOT IN (SELECT id FROM must.correspondence);

CREATE VIEW remain.attachment AS
SELECT * FROM was.attachment WHERE correspondence_id NOT IN (SELECT id FROM must.correspondence);

CREATE VIEW remain.case_note AS
SELECT * FROM was.case_note WHERE correspondence_id NOT IN (SELECT id FROM must.correspondence);

CREATE VIEW remain.foi_request AS
SELECT id, reference, kind, requester_name, requester_email, request_text, received_on, closed_on, outcome,
       CASE WHEN correspondence_id NOT IN (SELECT id FROM must.correspondence) THEN correspondence_id END AS correspondence_id
FROM was.foi_request WHERE id NOT IN (SELECT id FROM must.foi_request);

CREATE VIEW remain.foi_exchange AS
SELECT * FROM was.foi_exchange WHERE foi_request_id NOT IN (SELECT id FROM must.foi_request);

CREATE VIEW remain.media AS
SELECT * FROM was.media WHERE id NOT IN (SELECT id FROM must.media);

CREATE VIEW remain.consent_form AS
SELECT * FROM was.consent_form WHERE id NOT IN (SELECT id FROM must.consent_form);

-- The postcodes of the sample are well formed, so that what stands before the blank is
-- the outward half.
CREATE VIEW remain.applicant AS
SELECT * FROM was.applicant WHERE id NOT IN (SELECT id FROM must.applicant)
UNION ALL
SELECT id, vacancy_id, '[redacted]', NULL, NULL, make_date(extract(year FROM date_of_birth)::integer, 1, 1),
       split_part(postcode, ' ', 1), NULL, answers - 'phone' - 'address' - 'motivation' - 'referee',
       ethnicity, gender, disability, outcome, met_merit_criteria, decided_on
FROM was.applicant WHERE id IN (SELECT id FROM must.applicant);

CREATE VIEW remain.survey_sample AS
SELECT * FROM was.survey_sample WHERE (campaign, id) NOT IN (SELECT campaign, id FROM must.survey_sample);

CREATE VIEW remain.survey_contact_attempt AS
SELECT * FROM was.survey_contact_attempt
WHERE (campaign, sample_id) NOT IN (SELECT campaign, id FROM must.survey_sample);

CREATE VIEW remain.social_message AS
SELECT id, platform, handle, display_name, body, received_at,
       CASE WHEN correspondence_id NOT IN (SELECT id FROM must.correspondence) THEN correspondence_id END AS correspondence_id
FROM was.social_message WHERE id NOT IN (SELECT id FROM must.social_message);

-- Nothing of these may change.
CREATE VIEW remain.capv_participant AS TABLE was.capv_participant;
CREATE VIEW remain.capv_interview AS TABLE was.capv_interview;
CREATE VIEW remain.capv_outcome AS TABLE was.capv_outcome;
CREATE VIEW remain.opt_out AS TABLE was.opt_out;
CREATE VIEW remain.matter AS TABLE was.matter;
CREATE VIEW remain.vacancy AS TABLE was.vacancy;
CREATE VIEW remain.department AS TABLE was.department;
CREATE VIEW remain.staff_post AS TABLE was.staff_post;
