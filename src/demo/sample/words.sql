-- The vocabulary of the generator, as functions that live as long as the session.
-- Every one is a single expression, so that PostgreSQL inlines it. None is random:
-- a number made of (row, salt) chooses everything.

-- A number from 0 up that depends on the row and the salt alone.
CREATE OR REPLACE FUNCTION pg_temp.h(i bigint, salt bigint) RETURNS bigint IMMUTABLE LANGUAGE sql AS $$
    SELECT hashint8extended(i, salt) & 9223372036854775807
$$;

CREATE OR REPLACE FUNCTION pg_temp.pick(h bigint, words text[]) RETURNS text IMMUTABLE LANGUAGE sql AS $$
    SELECT words[1 + h % cardinality(words)]
$$;

CREATE OR REPLACE FUNCTION pg_temp.first_name(h bigint) RETURNS text IMMUTABLE LANGUAGE sql AS $$
    SELECT pg_temp.pick(h, '{Aaliyah,Abdul,Abigail,Adebayo,Agnieszka,Aisha,Alan,Alice,Amara,Amelia,Amir,Andrew,Anita,Anthony,Arjun,Ayesha,Barbara,Beatriz,Ben,Bukola,Callum,Carlos,Charlotte,Chen,Chidi,Chloe,Christopher,Daniel,David,Deepa,Dmitri,Dorothy,Elena,Ella,Emeka,Emily,Esra,Fatima,Femi,Fiona,Gareth,George,Grace,Hannah,Harpreet,Harry,Hassan,Helen,Ibrahim,Imogen,Isabella,Jack,Jamal,James,Joanna,Joseph,Joyce,Karen,Kwame,Laura,Leila,Linh,Lucy,Maria,Marta,Mehmet,Michael,Miriam,Mohammed,Natasha,Ngozi,Nikolai,Nina,Oliver,Olu,Patrick,Priya,Rachel,Rashid,Rebecca,Ruth,Samira,Sanjay,Sarah,Siobhan,Sofia,Stephen,Tariq,Thomas,Tunde,Usha,Valentina,Victoria,Wei,William,Xin,Yasmin,Yusuf,Zainab,Zoë}')
$$;

CREATE OR REPLACE FUNCTION pg_temp.surname(h bigint) RETURNS text IMMUTABLE LANGUAGE sql AS $$
    SELECT pg_temp.pick(h, '{Adams,Adeyemi,Ahmed,Akhtar,Ali,Allen,Bailey,Baker,Begum,Bell,Bennett,Brown,Campbell,Carter,Chan,Chowdhury,Clarke,Collins,Cooper,Costa,Davies,Demir,Dhillon,Diallo,Edwards,Evans,Fernandes,Fernández,Foster,Francis,Gill,Gomes,Gordon,Green,Hall,Harris,Hill,Hughes,Hussain,Ibrahim,Iqbal,Ivanova,Jackson,James,Johnson,Jones,Joseph,Kaur,Khan,Kelly,King,Kowalska,Kumar,Lee,Lewis,Li,Mahmood,Martin,Mensah,Miah,Mitchell,Mohamed,Moore,Morgan,Morris,Murphy,Nguyen,Novak,Nowak,O''Brien,Ofori,Okafor,Okonkwo,Osman,Owusu,Parker,Patel,Pereira,Petrov,Phillips,Popescu,Price,Rahman,Roberts,Robinson,Rossi,Santos,Scott,Shah,Sharma,Silva,Singh,Smith,Stewart,Taylor,Thomas,Walker,Wang,Williams,Yilmaz}')
$$;

CREATE OR REPLACE FUNCTION pg_temp.full_name(h bigint) RETURNS text IMMUTABLE LANGUAGE sql AS $$
    SELECT pg_temp.first_name(h) || ' ' || pg_temp.surname(h / 128)
$$;

-- Addresses under the names that RFC 2606 sets aside, so that no mail can arrive.
CREATE OR REPLACE FUNCTION pg_temp.email(h bigint, i bigint) RETURNS text IMMUTABLE LANGUAGE sql AS $$
    SELECT translate(lower(pg_temp.first_name(h) || '.' || pg_temp.surname(h / 128)), 'ëá''', 'ea')
        || i || pg_temp.pick(h / 16384, '{@example.com,@example.org,@example.net}')
$$;

-- Ofcom keeps 07700 900000-900999 and 020 7946 0000-0999 for use in drama.
CREATE OR REPLACE FUNCTION pg_temp.phone(h bigint) RETURNS text IMMUTABLE LANGUAGE sql AS $$
    SELECT CASE WHEN h % 4 > 0 THEN '07700 900' ELSE '020 7946 0' END || lpad((h / 4 % 1000)::text, 3, '0')
$$;

-- Well formed: the second half of a postcode never has C, I, K, M, O or V.
CREATE OR REPLACE FUNCTION pg_temp.postcode(h bigint) RETURNS text IMMUTABLE LANGUAGE sql AS $$
    SELECT pg_temp.pick(h, '{BR1,BR3,CR0,CR7,DA5,DA16,E1,E3,E5,E8,E10,E14,E17,EC1V,EC2A,EN1,EN3,HA1,HA3,HA9,IG1,IG11,KT1,KT6,N1,N4,N7,N9,N15,N16,N17,N22,NW1,NW2,NW5,NW6,NW10,RM3,RM7,RM10,SE1,SE5,SE8,SE13,SE15,SE18,SE22,SE25,SM1,SM4,SW2,SW4,SW9,SW11,SW16,SW17,TW3,TW7,TW13,UB1,UB3,UB8,W3,W5,W10,W12,WC1N,WC2B}')
        || ' ' || (h / 71 % 10)
        || substr('ABDEFGHJLNPQRSTUWXYZ', 1 + (h / 710 % 20)::integer, 1)
        || substr('ABDEFGHJLNPQRSTUWXYZ', 1 + (h / 14200 % 20)::integer, 1)
$$;

CREATE OR REPLACE FUNCTION pg_temp.street(h bigint) RETURNS text IMMUTABLE LANGUAGE sql AS $$
    SELECT pg_temp.pick(h, '{Albert,Alma,Beech,Brunswick,Canal,Cedar,Chapel,Church,Clarence,Coronation,Elm,Falcon,Garden,Grove,Hawthorn,Heron,Kingfisher,Lansdowne,Laurel,Linden,Market,Mill,Northfield,Orchard,Park,Priory,Queens,Railway,Rectory,Richmond,Rosebery,St Johns,Station,Sycamore,Temple,Union,Victoria,Wellington,Windmill,York}')
        || ' ' || pg_temp.pick(h / 40, '{Road,Street,Lane,Avenue,Gardens,Terrace,Close,Way}')
$$;

CREATE OR REPLACE FUNCTION pg_temp.borough(h bigint) RETURNS text IMMUTABLE LANGUAGE sql AS $$
    SELECT pg_temp.pick(h, '{Barking and Dagenham,Barnet,Bexley,Brent,Bromley,Camden,Croydon,Ealing,Enfield,Greenwich,Hackney,Hammersmith and Fulham,Haringey,Harrow,Havering,Hillingdon,Hounslow,Islington,Kensington and Chelsea,Kingston upon Thames,Lambeth,Lewisham,Merton,Newham,Redbridge,Richmond upon Thames,Southwark,Sutton,Tower Hamlets,Waltham Forest,Wandsworth,Westminster}')
$$;

CREATE OR REPLACE FUNCTION pg_temp.topic(h bigint) RETURNS text IMMUTABLE LANGUAGE sql AS $$
    SELECT pg_temp.pick(h, '{Use of stop and search,Response time to a burglary,Neighbourhood patrols,Moped theft,Noise from a late licence,Hate crime reporting,Victim support funding,Closure of a front counter,Knife crime prevention,Road safety outside a school,Conduct of an officer,Domestic abuse services,Antisocial behaviour on an estate,Custody visiting,Body-worn video,Policing of a demonstration,Bicycle theft,Community grants,Drug dealing in a stairwell,Youth services}')
$$;

-- The first day of the twelve years that the data covers, and how many days they have.
CREATE OR REPLACE FUNCTION pg_temp.first_day(today date) RETURNS date IMMUTABLE LANGUAGE sql AS $$
    SELECT (today - interval '12 years')::date
$$;

-- The day of row i of n: they arrive in order, evenly over the twelve years.
CREATE OR REPLACE FUNCTION pg_temp.day(i bigint, n bigint, today date) RETURNS date IMMUTABLE LANGUAGE sql AS $$
    SELECT pg_temp.first_day(today) + ((today - pg_temp.first_day(today)) * (i - 1) / greatest(n, 1))::integer
$$;

-- The Friday before a weekend: offices close their files on working days.
CREATE OR REPLACE FUNCTION pg_temp.working_day(day date) RETURNS date IMMUTABLE LANGUAGE sql AS $$
    SELECT day - greatest(extract(isodow FROM day)::integer - 5, 0)
$$;

-- Real data is untidy. The first nine rows of a table, and one in 4001 after
-- them, have a date that somebody will stumble over: its number says which.
CREATE OR REPLACE FUNCTION pg_temp.odd(i bigint) RETURNS integer IMMUTABLE LANGUAGE sql AS $$
    SELECT CASE WHEN i <= 9 THEN i WHEN i % 4001 = 0 THEN 1 + i / 4001 % 9 END::integer
$$;

-- The date of a row: its ordinary one, or the odd one. `months` back from today
-- lie the days around which something usually happens to records of its kind.
CREATE OR REPLACE FUNCTION pg_temp.dated(odd integer, ordinary date, today date, months integer) RETURNS date IMMUTABLE LANGUAGE sql AS $$
    SELECT CASE odd
        WHEN 1 THEN NULL                                    -- never filled in
        WHEN 2 THEN '-infinity'                             -- "since always"
        WHEN 3 THEN '1900-01-01'                            -- a spreadsheet's zero
        WHEN 4 THEN '1970-01-01'                            -- an epoch's zero
        WHEN 5 THEN today + 400                             -- a mistyped year
        WHEN 6 THEN (today - months * interval '1 month')::date - 1
        WHEN 7 THEN (today - months * interval '1 month')::date
        WHEN 8 THEN (today - months * interval '1 month')::date + 1
        WHEN 9 THEN CASE WHEN today >= '2024-02-29' THEN date '2024-02-29' ELSE ordinary END
        ELSE ordinary
    END
$$;

-- An instant on that day, in London: mostly in waking hours, one in ten at any
-- time, and around midnight where the day is an odd one near its end.
CREATE OR REPLACE FUNCTION pg_temp.instant(odd integer, day date, h bigint) RETURNS timestamptz IMMUTABLE LANGUAGE sql AS $$
    SELECT (day + CASE
        WHEN odd = 6 THEN time '23:59:59.999999'
        WHEN odd IN (7, 8) THEN time '00:00'
        WHEN h % 10 = 0 THEN time '00:00' + (h / 10 % 86400) * interval '1 second'
        ELSE time '07:00' + (h / 10 % 50400) * interval '1 second'
    END) AT TIME ZONE 'Europe/London'
$$;

-- Surveys: two series, a campaign each quarter, 96 campaigns in twelve years.
CREATE OR REPLACE FUNCTION pg_temp.campaign_no(i bigint, n bigint) RETURNS bigint IMMUTABLE LANGUAGE sql AS $$
    SELECT (i - 1) * 96 / greatest(n, 1)
$$;

CREATE OR REPLACE FUNCTION pg_temp.campaign_start(c bigint, today date) RETURNS date IMMUTABLE LANGUAGE sql AS $$
    SELECT (date_trunc('quarter', today::timestamp) - (47 - c / 2) * interval '3 months')::date
$$;

CREATE OR REPLACE FUNCTION pg_temp.campaign(c bigint, today date) RETURNS text IMMUTABLE LANGUAGE sql AS $$
    SELECT CASE WHEN c % 2 = 0 THEN 'USS-' ELSE 'TDS-' END
        || extract(year FROM pg_temp.campaign_start(c, today)) || '-Q' || extract(quarter FROM pg_temp.campaign_start(c, today))
$$;

-- The number of row i of n within its campaign, from 1.
CREATE OR REPLACE FUNCTION pg_temp.sample_no(i bigint, n bigint) RETURNS integer IMMUTABLE LANGUAGE sql AS $$
    SELECT (i - (pg_temp.campaign_no(i, n) * n + 95) / 96)::integer
$$;

CREATE OR REPLACE FUNCTION pg_temp.sample_day(i bigint, n bigint, today date) RETURNS date IMMUTABLE LANGUAGE sql AS $$
    SELECT least(pg_temp.campaign_start(pg_temp.campaign_no(i, n), today) + (10 + i % 5 * 14)::integer, today - (i % 5)::integer)
$$;
