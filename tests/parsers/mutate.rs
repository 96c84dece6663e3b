//! Changes to a good text that a hand, an editor or a broken disk could make, and worse ones.
//! Deterministic: the same seed changes the same text alike.

/// SplitMix64 (Steele, Lea and Flood, 2014): small, and good enough to choose changes by.
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Less than `most`, which is not 0.
    pub fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.next() % most as u64).unwrap()
    }

    pub fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// Pieces that parsers stumble over.
const ODD: [&str; 40] = [
    "\u{feff}",
    "\0",
    "\u{1b}[31m",
    "\u{202e}",
    "\u{200d}",
    "e\u{301}",
    "👩‍👩‍👧‍👦",
    "ﬀ",
    "İ",
    "\u{2028}",
    "\u{85}",
    "\r",
    "\t",
    "\"",
    "\"\"\"",
    "'",
    "'''",
    "\\",
    "\\u0000",
    "\\uD800",
    "\\U0010FFFF",
    "#",
    "=",
    ".",
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    ",",
    "--",
    "/*",
    ";",
    "$1",
    "$$",
    "E'\\'",
    "\u{fffd}",
    "ß",
    "\u{7f}",
];

/// Numbers at and beyond an edge.
const NUMBERS: [&str; 22] = [
    "0",
    "-1",
    "1",
    "255",
    "256",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551616",
    "-9223372036854775808",
    "1e308",
    "1e999",
    "nan",
    "-inf",
    "0x7f",
    "0o17",
    "0b1",
    "1_000",
    "99999999999999999999999999999999999999",
];

/// Values of every sort, to stand where another is expected.
const VALUES: [&str; 24] = [
    "true",
    "[]",
    "{}",
    "\"\"",
    "\"  \"",
    "[[]]",
    "[{}]",
    "{ a = 1 }",
    "0000-01-01",
    "9999-12-31",
    "2023-02-29",
    "2024-02-29",
    "1979-05-27T07:32:00Z",
    "07:32:00",
    "\"null\"",
    "\"delete\"",
    "\"0 0 0 31 2 *\"",
    "\"9999999999 years\"",
    "\"P1Y\"",
    "\"0 days\"",
    "\"a.b.c.d\"",
    "\"a = id\"",
    "\"1 = 1\"",
    "[\"a\", \"a\"]",
];

/// One change to `text`; `others` are the texts to take pieces from.
pub fn mutate(chance: &mut Chance, text: &str, others: &[String]) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    // Mostly one: more of them are refused for the first.
    for _ in 0..=chance.below(4).saturating_sub(1) {
        bytes = once(chance, &bytes, others);
        // Doubling again and again is one idea, and a slow one.
        bytes.truncate(64_000);
    }
    bytes
}

fn once(chance: &mut Chance, bytes: &[u8], others: &[String]) -> Vec<u8> {
    if bytes.is_empty() {
        return chance.one(others).as_bytes().to_vec();
    }
    let at = chance.below(bytes.len());
    match chance.below(16) {
        0 => {
            let mut changed = bytes.to_vec();
            changed[at] ^= 1 << chance.below(8);
            changed
        }
        1 => bytes[..at].to_vec(),
        2 => {
            let until = (at + 1 + chance.below(40)).min(bytes.len());
            [&bytes[..at], &bytes[until..]].concat()
        }
        3 => {
            let other = chance.one(others).as_bytes();
            let from = chance.below(other.len() + 1);
            [&bytes[..at], &other[from..]].concat()
        }
        4 => inserted(bytes, at, chance.one(&ODD).as_bytes()),
        5 => inserted(bytes, at, chance.one(&NUMBERS).as_bytes()),
        6 => {
            let many = 1 + chance.below(3_000);
            let piece = chance.one(&[
                "a", " ", "\n", "é", "\"", "(", "[", "a.", "1", "NOT ", "{a=",
            ]);
            inserted(bytes, at, piece.repeat(many).as_bytes())
        }
        7..=12 => lines(chance, bytes, others),
        13 => number_for_number(chance, bytes),
        14 => {
            let until = (at + 1 + chance.below(200)).min(bytes.len());
            inserted(bytes, until, &bytes[at..until])
        }
        _ => {
            let length = chance.below(40);
            let any: Vec<u8> = (0..length).map(|_| chance.next() as u8).collect();
            inserted(bytes, at, &any)
        }
    }
}

fn inserted(bytes: &[u8], at: usize, piece: &[u8]) -> Vec<u8> {
    [&bytes[..at], piece, &bytes[at..]].concat()
}

/// A line deleted, doubled, moved, brought in from another file, or given another value.
fn lines(chance: &mut Chance, bytes: &[u8], others: &[String]) -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> = bytes
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect();
    let at = chance.below(lines.len());
    let to = chance.below(lines.len());
    match chance.below(7) {
        0 => {
            lines.remove(at);
        }
        1 => lines.insert(to, lines[at].clone()),
        2 => lines.swap(at, to),
        3 => {
            let other: Vec<&str> = chance.one(others).lines().collect();
            if !other.is_empty() {
                lines.insert(at, chance.one(&other).as_bytes().to_vec());
            }
        }
        4 => {
            // The value of one key to another.
            let value = value_of(&lines[at]).map(<[u8]>::to_vec);
            if let (Some(value), Some(key)) = (value, key_of(&lines[to])) {
                lines[to] = [key, b"= ", &value].concat();
            }
        }
        5 => {
            if let Some(key) = key_of(&lines[at]) {
                lines[at] = [key, b"= ", chance.one(&VALUES).as_bytes()].concat();
            }
        }
        _ => {
            // Another text between the same quotes.
            let other = chance.one(others);
            let pieces: Vec<&str> = other.split('"').skip(1).step_by(2).collect();
            if let (Some(key), false) = (key_of(&lines[at]), pieces.is_empty()) {
                lines[at] = [key, b"= \"", chance.one(&pieces).as_bytes(), b"\""].concat();
            }
        }
    }
    lines.join(&b'\n')
}

fn key_of(line: &[u8]) -> Option<&[u8]> {
    let equals = line.iter().position(|byte| *byte == b'=')?;
    Some(&line[..equals])
}

fn value_of(line: &[u8]) -> Option<&[u8]> {
    let equals = line.iter().position(|byte| *byte == b'=')?;
    Some(&line[equals + 1..])
}

fn number_for_number(chance: &mut Chance, bytes: &[u8]) -> Vec<u8> {
    let starts: Vec<usize> = (0..bytes.len())
        .filter(|at| bytes[*at].is_ascii_digit() && (*at == 0 || !bytes[at - 1].is_ascii_digit()))
        .collect();
    if starts.is_empty() {
        return bytes.to_vec();
    }
    let start = *chance.one(&starts);
    let length = bytes[start..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    [
        &bytes[..start],
        chance.one(&NUMBERS).as_bytes(),
        &bytes[start + length..],
    ]
    .concat()
}

/// Bytes without a plan.
pub fn noise(chance: &mut Chance) -> Vec<u8> {
    let length = chance.below(400);
    (0..length).map(|_| chance.next() as u8).collect()
}

/// Nested or repeated `times` over, in each way that one of our parsers has a rule for.
pub fn deep(times: usize) -> Vec<String> {
    let wrap = |open: &str, middle: &str, close: &str| {
        format!("{}{middle}{}", open.repeat(times), close.repeat(times))
    };
    vec![
        format!("a = {}", wrap("[", "1", "]")),
        format!("a = {}", wrap("[", "", "")),
        format!("a = {}", wrap("{ a = ", "1", " }")),
        format!("{}a = 1", "a.".repeat(times)),
        format!("[{}a]\nb = 1", "a.".repeat(times)),
        format!("[[{}a]]\nb = 1", "a.".repeat(times)),
        format!("class = {}", wrap("[{ stages = ", "[]", "}]")),
        format!("a = \"{}\"", "\\u00e9".repeat(times)),
        format!("a = \"\"\"{}\"\"\"", "\n".repeat(times)),
        "[[class]]\n".repeat(times),
        "[schedule]\n".repeat(times),
        "a\n".repeat(times),
        (0..times).map(|n| format!("a{n} = {n}\n")).collect(),
        "#".repeat(times),
        "\u{feff}".repeat(times),
    ]
}

/// The same for conditions.
pub fn deep_conditions(times: usize) -> Vec<String> {
    let wrap = |open: &str, middle: &str, close: &str| {
        format!("{}{middle}{}", open.repeat(times), close.repeat(times))
    };
    vec![
        wrap("(", "a", ")"),
        wrap("(", "", ""),
        wrap("NOT ", "a", ""),
        wrap("- ", "1", "") + " = b",
        wrap("+ ", "1", "") + " = b",
        wrap("CAST(", "a", " AS text)") + " = 'x'",
        wrap("lower(", "a", ")") + " = 'x'",
        wrap("coalesce(a, ", "b", ")"),
        format!("a{} = 'x'", "::text".repeat(times)),
        format!("a{}", " IS NOT NULL".repeat(times)),
        format!("a{}", " = b".repeat(times)),
        format!("a{}", " + 1".repeat(times)) + " = 2",
        format!("a{}", " || 'b'".repeat(times)) + " = 'c'",
        format!("a{}", " AND b".repeat(times)),
        format!("a{}", " OR b AND c".repeat(times)),
        format!("a IN (1{})", ", 1".repeat(times)),
        format!("a = '{}'", "''".repeat(times)),
        format!("a = '{}", "'".repeat(times)),
        format!("a = \"{}\"", "\"\"".repeat(times)),
        format!("a{}", " -> 'b'".repeat(times)) + " IS NULL",
        format!("a BETWEEN {} b AND c", "a BETWEEN b AND ".repeat(times)),
        wrap("CASE WHEN ", "a", " THEN b END"),
        wrap("EXISTS (SELECT ", "1", ")"),
        wrap("ARRAY[", "1", "]"),
        format!("a = {}", "9".repeat(times)),
        format!("a = 1{}", "e9".repeat(times)),
        wrap("a(", "", ")"),
        wrap("INTERVAL ", "'1'", ""),
        wrap("a NOT ", "IN (1)", ""),
        wrap("$a$", "", ""),
        wrap("/*", "a", "*/"),
    ]
}
