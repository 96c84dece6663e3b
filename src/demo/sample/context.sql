-- Departments and posts: offices, not people.

INSERT INTO department (name, cost_centre) VALUES
    ('Correspondence and Casework', 'MP101'), ('Information Governance', 'MP102'),
    ('Communications', 'MP103'), ('People and Volunteering', 'MP104'),
    ('Evidence and Insight', 'MP105'), ('Commissioning', 'MP106'),
    ('Oversight', 'MP107'), ('Finance and Audit', 'MP108');

INSERT INTO staff_post (department_id, title, grade)
SELECT d.id, t.title, t.grade
FROM department AS d
CROSS JOIN (VALUES (1, 'Head of team', 'Band 4'), (2, 'Senior officer', 'Band 3'), (3, 'Officer', 'Band 2'),
                   (4, 'Officer', 'Band 2'), (5, 'Support officer', 'Band 1')) AS t (n, title, grade)
ORDER BY d.id, t.n;
