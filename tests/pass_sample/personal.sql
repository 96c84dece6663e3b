-- Whatever of the sample would tell who somebody is or what they wrote.
SELECT DISTINCT needle FROM (
    SELECT unnest(ARRAY[sender_name, sender_email, sender_phone, postcode, subject, left(body, 80), right(body, 40)]) FROM was.correspondence
    UNION ALL SELECT unnest(ARRAY[file_name, extracted_text]) FROM was.attachment
    UNION ALL SELECT note FROM was.case_note
    UNION ALL SELECT unnest(ARRAY[reference, requester_name, requester_email, request_text]) FROM was.foi_request
    UNION ALL SELECT body FROM was.foi_exchange
    UNION ALL SELECT unnest(ARRAY[event_name, people_shown, path]) FROM was.media
    UNION ALL SELECT unnest(ARRAY[signatory_name, signatory_role, scan_path]) FROM was.consent_form
    UNION ALL SELECT unnest(ARRAY[full_name, email, phone, postcode, cv, ethnicity, date_of_birth::text,
                                  answers ->> 'address', answers ->> 'motivation', answers ->> 'referee']) FROM was.applicant
    UNION ALL SELECT unnest(ARRAY[full_name, email, phone, postcode]) FROM was.survey_sample
    UNION ALL SELECT unnest(ARRAY[full_name, email, phone]) FROM was.capv_participant
    UNION ALL SELECT transcript FROM was.capv_interview
    UNION ALL SELECT unnest(ARRAY[handle, display_name, body]) FROM was.social_message
    UNION ALL SELECT email FROM was.opt_out
) AS t (needle)
WHERE length(needle) > 5
