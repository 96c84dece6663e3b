-- Foreign keys and indexes of the sample organisation.

ALTER TABLE staff_post ADD FOREIGN KEY (department_id) REFERENCES department (id);
ALTER TABLE matter     ADD FOREIGN KEY (department_id) REFERENCES department (id);
ALTER TABLE vacancy    ADD FOREIGN KEY (department_id) REFERENCES department (id);

ALTER TABLE correspondence ADD FOREIGN KEY (case_id) REFERENCES matter (id);
ALTER TABLE attachment ADD FOREIGN KEY (correspondence_id) REFERENCES correspondence (id) ON DELETE CASCADE;
ALTER TABLE case_note  ADD FOREIGN KEY (correspondence_id) REFERENCES correspondence (id);
ALTER TABLE case_note  ADD FOREIGN KEY (written_by) REFERENCES staff_post (id);

ALTER TABLE foi_request  ADD FOREIGN KEY (correspondence_id) REFERENCES correspondence (id) ON DELETE SET NULL;
ALTER TABLE foi_exchange ADD FOREIGN KEY (foi_request_id) REFERENCES foi_request (id);

ALTER TABLE media ADD FOREIGN KEY (consent_form_id) REFERENCES consent_form (id);

ALTER TABLE applicant ADD FOREIGN KEY (vacancy_id) REFERENCES vacancy (id);

ALTER TABLE survey_contact_attempt ADD FOREIGN KEY (campaign, sample_id) REFERENCES survey_sample (campaign, id);

ALTER TABLE capv_interview ADD FOREIGN KEY (participant_id) REFERENCES capv_participant (id) ON DELETE CASCADE;
ALTER TABLE capv_outcome   ADD FOREIGN KEY (participant_id) REFERENCES capv_participant (id);

ALTER TABLE social_message ADD FOREIGN KEY (correspondence_id) REFERENCES correspondence (id) ON DELETE SET NULL;

-- Each foreign key that a primary key does not already serve. (case_note.written_by
-- and the context tables refer to rows that are never deleted.)
CREATE INDEX correspondence_case        ON correspondence (case_id);
CREATE INDEX attachment_correspondence  ON attachment (correspondence_id);
CREATE INDEX foi_request_correspondence ON foi_request (correspondence_id);
CREATE INDEX foi_exchange_request       ON foi_exchange (foi_request_id);
CREATE INDEX media_consent_form         ON media (consent_form_id);
CREATE INDEX applicant_vacancy          ON applicant (vacancy_id);
CREATE INDEX capv_interview_participant ON capv_interview (participant_id);
CREATE INDEX social_message_correspondence ON social_message (correspondence_id);

-- The dates that people search by. foi_request.closed_on has none: the table is
-- small, and its owners never asked for one. A scan of it is cheap, and a checker
-- of schedules has something to remark on.
CREATE INDEX correspondence_closed   ON correspondence (closed_at);
CREATE INDEX correspondence_received ON correspondence (received_at);
CREATE INDEX media_captured          ON media (captured_at);
CREATE INDEX media_withdrawn         ON media (id) WHERE consent_withdrawn_at IS NOT NULL;
CREATE INDEX applicant_decided       ON applicant (decided_on);
CREATE INDEX survey_sample_received  ON survey_sample (received_on);
CREATE INDEX social_message_received ON social_message (received_at);
