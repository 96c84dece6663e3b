#!/usr/bin/env python3
"""Verifies a ledger of retentiond by docs/LEDGER.md alone; it shares no line with the program.

    verify_ledger.py PUBLISHED_FOLDER|EXPORT.jsonl --key FILE [--checkpoint FILE]...
    verify_ledger.py --proof FILE.tlog-proof --entry HEX --key FILE
    verify_ledger.py --self-test [LEDGER.md]

Prints one JSON object. Exit code: 0 OK and anchored, 3 OK and unanchored, 1 anything else.
"""
import argparse, base64, binascii, datetime, hashlib, hmac, json, pathlib, re, sys
from struct import pack, unpack


class Bad(Exception):
    """Something is not what it should be."""


class Newer(Exception):
    """Written by a newer program: reported, and not guessed at."""


class Unreadable(Exception):
    """Not the shape of a published log or an export at all."""


def need(holds, what):
    if not holds:
        raise Bad(what)


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def unbase64(text):
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Bad("it is not base64")
    need(base64.b64encode(raw).decode() == text, "base64 of another spelling")
    return raw


# Ed25519, RFC 8032, section 5.1: points as (X, Y, Z, T).
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def plus(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(number, p):
    total = (0, 1, 1, 0)
    while number:
        if number & 1:
            total = plus(total, p)
        p, number = plus(p, p), number >> 1
    return total


def point(raw):
    y = int.from_bytes(raw, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if y >= P or (x * x - x2) % P or (x == 0 and sign):
        return None
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


BASE = point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def signed(public, message, signature):
    a, r, s = point(public), point(signature[:32]), int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or a is None or r is None or s >= L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    left, right = times(s, BASE), plus(r, times(k, a))
    return not any((left[i] * right[2] - right[i] * left[2]) % P for i in (0, 1))


class Reader:
    """Bytes from the front, and none left over at the end."""

    def __init__(self, raw):
        self.raw, self.at = raw, 0

    def more(self):
        return self.at < len(self.raw)

    def take(self, number):
        self.at += number
        need(self.at <= len(self.raw), "it ends too early")
        return self.raw[self.at - number:self.at]

    def byte(self):
        return self.take(1)[0]

    def varint(self):
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                need((byte or shift == 7) and value < 2**64, "a number of another spelling")
                return value
            need(shift < 70, "a number that is too long")

    def signed(self):
        value = self.varint()
        return (value >> 1) ^ -(value & 1)

    def bytes(self):
        return self.take(self.varint())

    def text(self):
        return utf8(self.bytes())


def named(text):
    """The name of a schema, a table or a column."""
    need(0 < len(text.encode()) <= 63 and not re.search("[\0-\x1f\x7f-\x9f]", text), "it is no name")
    return text


def utf8(raw):
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise Bad("a text is not UTF-8")


def varint(value):
    out = b""
    while value > 0x7F:
        out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
    return out + bytes([value])


ACTIONS = """flagged anonymised deleted unlinked refused failed quarantined file-removed file-kept
    hold-placed hold-released hold-expired kept approved approval-revoked handed-on instructed
    instruction-withdrawn erasure-requested erasure-fulfilled erasure-withdrawn erasure-returned return-known processor-instructed processor-confirmed paused resumed operator-changed run-started run-finished schedule-in-force limit-reached limits-lifted
    verified key-changed origin-changed details-dropped replayed erased""".split()
TAGS = "id at action class table run schedule file plan actor count manifest parent detail".split()


def decode_entry(raw):
    need(raw.startswith(b"retentiond entry v"), "it is no entry")
    if not raw.startswith(b"retentiond entry v1\n"):
        raise Newer
    fields, reader, last = {}, Reader(raw[20:]), 0
    while reader.more():
        tag = reader.byte()
        need(tag > last, "the fields are out of order")
        if tag > len(TAGS):
            raise Newer
        fields[TAGS[tag - 1]], last = reader.bytes(), tag
    entry = {}
    for name in TAGS:  # in their order: an action that is not known ends it
        need(name in fields or name not in ("id", "at", "action", "actor", "count"), "a field is gone")
        if name in fields:
            reader = Reader(fields[name])
            entry[name] = field(name, reader)
            need(not reader.more(), "bytes left over in a field")
    return entry


def field(name, reader):
    if name in ("id", "at", "run"):
        value = unpack(">q", reader.take(8))[0]
        need(name != "at" or -262_143 <= year_of(value) <= 262_142, "it is no instant")
        return value
    if name == "count":
        return unpack(">Q", reader.take(8))[0]
    if name in ("schedule", "file", "plan", "manifest"):
        return reader.take(32)
    if name in ("table", "parent"):
        return named(reader.text()), named(reader.text())
    if name == "detail":
        pairs = []
        while reader.more():
            pairs.append((reader.text(), reader.text()))
        words = [word.encode() for word, _ in pairs]
        need(pairs and all(a < b for a, b in zip(words, words[1:])), "the detail's order")
        return dict(pairs)
    text = utf8(reader.take(len(reader.raw)))
    if name == "action" and text not in ACTIONS:
        raise Newer
    need(name != "class" or re.fullmatch(r"(?=.{1,60}$)[a-z][a-z0-9]*(-[a-z0-9]+)*", text), "no class")
    return text


# Manifests. A record is (key, trigger, last day, parent's key); a key a list of (name, value).
def unpack_manifest(raw):
    reader = Reader(raw)
    need(reader.take(3) == b"rdm", "it is no manifest")
    if reader.byte() != 1:
        raise Newer
    number = reader.varint()
    need(number <= 2**24, "too many records")
    columns, flag = read_columns(reader), reader.byte()
    need(flag in (0, 1), "neither parents nor none")
    parents = read_columns(reader) if flag else None
    records, key, parent, trigger0, distance = [], {}, {}, 0, None
    for _ in range(number):
        key = read_key(reader, columns, key)
        t = reader.varint()
        t, e = t >> 1, t & 1
        trigger = trigger0 + (((t - 1) >> 1) ^ -((t - 1) & 1)) if t else None
        expected = last = trigger + distance if t and distance is not None else None
        if e:
            value = reader.varint()
            start = next((day for day in (expected, trigger) if day is not None), 0)
            last = start + (((value - 1) >> 1) ^ -((value - 1) & 1)) if value else None
            need(last != expected, "a last day of another spelling")
        need(all(day is None or -2**31 <= day < 2**31 for day in (trigger, last)), "no day")
        if t:
            trigger0, distance = trigger, None if last is None else last - trigger
        if flag:
            parent = read_key(reader, parents, parent)
        records.append((list(key.items()), trigger, last, list(parent.items()) if flag else None))
    need(not reader.more(), "bytes left over after the records")
    return records


def read_columns(reader):
    number = reader.varint()
    need(1 <= number <= 32, "the number of columns")
    columns = []
    for _ in range(number):
        kind = reader.byte()
        if kind > 2:
            raise Newer
        need(kind > 0, "a kind of column that is none")
        columns.append((named(reader.text()), kind))
    need(len(dict(columns)) == number, "a column twice")
    return columns


UUID = re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def read_key(reader, columns, before):
    key = {}
    for name, kind in columns:
        if kind == 1:
            value = before.get(name, 0) + reader.signed()
            key[name] = (value + 2**63) % 2**64 - 2**63
            continue
        old, shared = before.get(name, "").encode(), reader.varint()
        if shared == 0:
            digits = reader.take(16).hex()
            new = "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])).encode()
            need(new != old, "a text of another spelling")
        else:
            need(shared - 1 <= min(len(old), 255), "more is shared than there is")
            new = old[:shared - 1] + reader.bytes()
            same = 0
            while same < min(len(old), len(new), 255) and old[same] == new[same]:
                same += 1
            need(same == shared - 1 and len(new) <= 65535, "a text of another spelling")
            need(new == old or not UUID.fullmatch(new), "a UUID of another spelling")
        key[name] = utf8(new)
    return key


def value_bytes(value):
    need(type(value) is str or type(value) is int and -2**63 <= value < 2**63, "no value of a key")
    return pack(">Bq", 1, value) if isinstance(value, int) else b"\x02" + length(value)


def length(text):
    return varint(len(text.encode())) + text.encode()


def canonical(record):
    def key(columns):
        return varint(len(columns)) + b"".join(length(name) + value_bytes(v) for name, v in columns)

    def day(value):
        return b"\0" if value is None else pack(">Bi", 1, value)

    columns, trigger, last, parent = record
    return key(columns) + day(trigger) + day(last) + (b"\0" if parent is None else b"\1" + key(parent))


def record_leaf(seed, index, record):
    salt = hmac.new(seed, pack(">Q", index), "sha256").digest()
    return sha(b"\0\1", salt, canonical(record))


def manifest_root(seed, records):
    tree = Tree()
    for index, record in enumerate(records):
        tree.push(record_leaf(seed, index, record))
    return tree.root()


def bloom(seed, records):
    bits = bytearray(-(-10 * len(records) // 8))
    secret = hmac.new(seed, b"retentiond filter v1", "sha256").digest()
    for key, _, _, _ in records:
        h = sha(secret, varint(len(key)), *(value_bytes(value) for _, value in key))
        a, b = unpack(">QQ", h[:16])
        for i in range(7):
            bit = (a + i * (b | 1)) % 2**64 % (8 * len(bits))
            bits[bit // 8] |= 1 << bit % 8
    return b"\7" + bits


class Tree:
    """RFC 6962, section 2.1, as the perfect subtrees that the leaves so far consist of."""

    def __init__(self):
        self.size, self.parts = 0, []

    def push(self, leaf):
        self.parts.append(leaf)
        self.size += 1
        for _ in range((self.size & -self.size).bit_length() - 1):
            right = self.parts.pop()
            self.parts.append(sha(b"\1", self.parts.pop(), right))

    def root(self):
        if not self.parts:
            return sha()
        total = self.parts[-1]
        for part in self.parts[-2::-1]:
            total = sha(b"\1", part, total)
        return total


# Keys and checkpoints. A key is (name, id, public key).
def read_key_line(line):
    parts = line.split("+", 2)
    need(len(parts) == 3, "it is no key")
    name, raw = parts[0], unbase64(parts[2])
    need(name and not re.search(r"\s", name) and len(raw) == 33 and raw[0] == 1, "it is no key")
    need(sha(name.encode(), b"\n", raw)[:4].hex() == parts[1], "the key's id is another")
    return name, sha(name.encode(), b"\n", raw)[:4], raw[1:]


def read_note(note):
    """Size, root, origin, the text that was signed, signatures as (name, bytes)."""
    text, blank, block = note.rpartition("\n\n")
    lines = text.split("\n")
    need(blank and len(lines) == 3 and block.endswith("\n"), "it is no checkpoint")
    need(lines[0] and re.fullmatch(r"0|[1-9][0-9]{0,19}", lines[1]), "it is no checkpoint")
    root, signatures = unbase64(lines[2]), []
    need(len(root) == 32, "it is no checkpoint")
    for line in block[:-1].split("\n"):
        parts = line.split(" ")
        need(len(parts) == 3 and parts[0] == "\u2014" and parts[1], "it is no signature")
        signatures.append((parts[1], unbase64(parts[2])))
        need(len(signatures[-1][1]) > 4, "it is no signature")
    return int(lines[1]), root, lines[0], (text + "\n").encode(), signatures


def check_note(note, keys):
    size, root, origin, text, signatures = read_note(note)
    by = 0
    for name, raw in signatures:
        for key in keys:
            if key[:2] == (name, raw[:4]):
                need(signed(key[2], text, raw[4:]), "a wrong signature of a known key")
                by += name == origin
    need(by, "no known key has signed it")
    return size, root


def key_change(detail):
    """The two keys of a key-changed entry; None if the old one was lost."""
    old, new, signature = (detail.get(word) for word in ("old", "new", "signature"))
    need(old and new, "it is a change of keys that is none")
    if old == "lost" and signature is None:
        return read_key_line(new) and None
    text = "retentiond key change v1\n%s\n%s\n" % (old, new)
    need(signature, "it is a change of keys that is none")
    pair = read_key_line(old), read_key_line(new)
    need(signed(pair[0][2], text.encode(), unbase64(signature)), "the old key did not sign the change")
    return pair


class Audit:
    """Takes the sealed entries in order, then answers."""

    def __init__(self, keys, kept):
        self.keys, self.kept, self.notes = set(keys), kept, list(kept)
        self.tree, self.roots, self.leaves, self.records = Tree(), {}, 0, 0
        self.faults, self.unread, self.links, self.missing, self.dropped = [], [], [], [], set()
        self.loose = False  # whether an entry without a place is wrong by itself

    def entry(self, place, leaf, manifests):
        """`manifests` are functions of the entry that answer (seed, records) or raise."""
        self.roots[self.tree.size] = self.tree.root()
        self.tree.push(sha(b"\0", leaf))
        if place != self.tree.size - 1:
            self.faults.append(self.tree.size - 1)
            return
        self.alone(place, leaf, manifests)

    def alone(self, place, leaf, manifests):
        """An entry by itself; `place` is None where it is not sealed yet."""
        try:
            entry = decode_entry(leaf)
            if place is None:
                pass
            elif entry["action"] == "key-changed":
                self.links.append(key_change(entry.get("detail", {})))
            elif entry["action"] == "details-dropped":
                self.dropped.add(entry.get("detail", {}).get("year"))
            need(len(manifests) <= ("manifest" in entry), "a manifest too many")
            if "manifest" in entry and not manifests and place is not None:
                self.missing.append((place, str(year_of(entry["at"]))))
            for manifest in manifests:
                seed, records = manifest(entry)
                need(len(seed) == 32 and len(records) == entry["count"], "the number of records")
                need(manifest_root(seed, records) == entry["manifest"], "the manifest's root")
                self.records += len(records) if place is not None else 0
        except Bad:
            if place is None:
                self.loose = True
            else:
                self.faults.append(place)
        except Newer:
            if place is not None:
                self.unread.append(place)

    def conclude(self):
        size = self.tree.size
        self.roots[size] = self.tree.root()
        self.faults += [place for place, year in self.missing if year not in self.dropped]
        for _ in self.links:  # an old key leads to the next, and never back
            for link in self.links:
                if link and link[0] in self.keys:
                    self.keys.add(link[1])
        shorter = forked = forged = False
        for note in self.notes:
            try:
                at, root = check_note(note, self.keys)
                shorter |= at > size
                forked |= at <= size and self.roots[at] != root
            except Bad:
                forged = True
        verdict, bad = "OK", None
        if self.faults or self.loose:
            verdict, bad = "TAMPERED", min(self.faults, default=None)
        elif shorter:
            verdict, bad = "TRUNCATED", size
        elif forked:
            verdict, bad = "FORKED", min(self.unread, default=None)
        elif forged:
            verdict = "TAMPERED"
        elif self.unread or not self.keys and self.notes:
            verdict, bad = "INCOMPLETE", min(self.unread, default=None)
        root = base64.b64encode(self.roots[size]).decode()
        anchored = verdict == "OK" and bool(self.kept)
        return {"verdict": verdict, "anchored": anchored, "size": size, "root": root,
                "records": self.records, "first_bad": bad}


def year_of(at):
    """The year in UTC of microseconds since 1970; Python's own dates end in the year 9999."""
    cycles, rest = divmod(at // 86_400_000_000 - 10_957, 146_097)  # 400 years from 2000 on
    return (datetime.date(2000, 1, 1) + datetime.timedelta(rest)).year + 400 * cycles


def from_hex(text):
    if not isinstance(text, str) or not re.fullmatch(r"([0-9a-fA-F]{2})*", text):
        raise Unreadable("it is not hexadecimal")
    return bytes.fromhex(text)


def read_text(path):
    try:
        return pathlib.Path(path).read_bytes().decode()
    except UnicodeDecodeError:
        raise Unreadable("it is not UTF-8")


def lines_of(path):
    text = read_text(path)
    return text[:-1].split("\n") if text.endswith("\n") else text.split("\n") if text else []


def read_object(line, names):
    try:
        found = json.loads(line)
    except ValueError:
        raise Unreadable("a line is no JSON")
    if not isinstance(found, dict) or not names <= set(found):
        raise Unreadable("a line is not one of a published log")
    place = found["entry"]
    if place is not None and (type(place) is not int or not 0 <= place < 2**64):
        raise Unreadable("a line names no place")
    return found


def segments(folder, size):
    """(first place, first place of the next file, file), in the order of places."""
    files = sorted(p for p in folder.glob("*.jsonl") if re.fullmatch(r"\d{20}", p.stem))
    firsts = [int(path.stem) for path in files] + [size]
    return [(a, min(b, size), path) for a, b, path in zip(firsts, firsts[1:], files) if a < size]


def verify_folder(folder, keys, kept):
    audit = Audit(keys, kept)
    newest, size = folder / "checkpoint", 0
    if newest.exists():
        audit.notes.append(read_text(newest))
        try:
            size = read_note(audit.notes[-1])[0]
        except Bad:
            raise Unreadable("checkpoint is none")
    for path in sorted((folder / "checkpoints").glob("*")):
        audit.notes.append(read_text(path))
    manifests = {}
    for year in sorted((folder / "manifests").glob("*")):
        for first, _, path in segments(year, size):
            for line in lines_of(path):
                found = read_object(line, {"entry", "seed", "records"})
                seed, raw = from_hex(found["seed"]), from_hex(found["records"])

                def manifest(entry, year=year.name, seed=seed, raw=raw):
                    need(str(year_of(entry["at"])) == year, "it lies in another year")
                    return seed, unpack_manifest(raw)

                manifests.setdefault(found["entry"], []).append(manifest)
    for first, end, path in segments(folder / "entries", size):
        for line in lines_of(path):
            found = read_object(line, {"entry", "leaf"})
            leaf = from_hex(found["leaf"])
            if found["entry"] < end:
                audit.entry(found["entry"], leaf, manifests.pop(found["entry"], []))
    audit.faults += [place for place in manifests if place < audit.tree.size]
    return audit.conclude()


def day_of(text):
    if text is None:
        return None
    found = re.fullmatch(r"day (-?\d+)", text)
    if found:
        return int(found[1])
    found = re.fullmatch(r"([+-]\d{5,}|-?\d{4})-(\d\d)-(\d\d)", text)
    need(found, "it is no day")
    year, month, day = map(int, found.groups())
    try:
        date = datetime.date(2000 + year % 400, month, day)
    except ValueError:
        raise Bad("it is no day")
    return (date - datetime.date(1970, 1, 1)).days + (year // 400 - 5) * 146_097


def verify_export(path, keys, kept):
    audit = Audit(keys, kept)
    for line in lines_of(path):
        found = read_object(line, {"entry", "leaf"})
        manifests = []
        if found.get("seed") is not None and found.get("records") is not None:
            def manifest(_, seed=found["seed"], records=found["records"]):
                try:
                    seed = from_hex(seed)
                except Unreadable:
                    raise Bad("its seed is not hexadecimal")
                return seed, [(list(r["key"].items()), day_of(r.get("trigger")),
                               day_of(r.get("last_day")), r.get("parent") and list(r["parent"].items()))
                              for r in records]
            manifests = [manifest]
        leaf = from_hex(found["leaf"])
        if found["entry"] is not None:
            audit.entry(found["entry"], leaf, manifests)
        else:  # that it is there changes nothing
            audit.alone(None, leaf, manifests)
    return audit.conclude()


def check_proof(proof, leaf, keys):
    head, blank, note = proof.partition("\n\n")
    lines = head.split("\n")
    need(blank and lines.pop(0) == "c2sp.org/tlog-proof@v1", "it is no proof")
    if lines and lines[0].startswith("extra "):
        unbase64(lines.pop(0)[6:])
    need(lines and re.fullmatch(r"index (0|[1-9]\d{0,19})", lines[0]), "it names no place")
    place, path = int(lines[0][6:]), [unbase64(line) for line in lines[1:]]
    size, root = check_note(note, keys)
    need(place < size and all(len(h) == 32 for h in path), "it proves nothing of this log")
    node, last, total = place, size - 1, sha(b"\0", leaf)  # RFC 9162, section 2.1.3.2
    for other in path:
        need(last, "the path is too long")
        if node & 1 or node == last:
            total = sha(b"\1", other, total)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            total = sha(b"\1", total, other)
        node, last = node >> 1, last >> 1
    need(last == 0 and total == root, "the path leads to another root")
    return {"verdict": "OK", "anchored": True, "size": size, "root": base64.b64encode(root).decode(),
            "entry": place, "action": decode_entry(leaf)["action"]}


def self_test(page):
    """The vectors at the end of the page, read from it."""
    blocks = re.findall(r"```\n(.*?)```", page[page.index("## Test vectors"):], re.S)

    def hexes(text):  # what stands in columns of hexadecimal, without the words beside it
        return bytes.fromhex("".join(re.findall(r"^((?:[0-9a-f]{2,} )*[0-9a-f]{2,})(?=  |$)", text, re.M)))

    def value_of(block, name):
        return bytes.fromhex(re.search(name + r" +([0-9a-f]+)$", block, re.M)[1])

    start, deletion, leaf, first, second, keys, proof = blocks
    raw = hexes(start.partition("leaf")[0])
    assert decode_entry(raw) == {"id": 1, "at": 1795312801000000, "action": "run-started",
                                 "actor": "service", "count": 0}
    assert sha(b"\0", raw) == value_of(start, "leaf")
    entry = decode_entry(hexes(deletion))
    assert entry["table"] == ("public", "correspondence") and entry["detail"] == {"batch": "1"}
    assert (entry["id"], entry["count"], entry["run"], entry["plan"]) == (17, 3, 7, b"3" * 32)
    assert sha(b"\0", hexes(deletion)) == hexes(leaf)

    seed, day = bytes(range(32)), day_of
    records = unpack_manifest(hexes(first.partition("canonical")[0]))
    assert records == [([("id", 42)], day("2015-03-01"), day("2023-03-01"), None),
                       ([("id", 45)], day("2015-03-02"), day("2023-03-02"), None),
                       ([("id", 40)], None, None, None)]
    assert canonical(records[0]) == value_of(first, "canonical bytes of record 0")
    assert hmac.new(seed, bytes(8), "sha256").digest() == value_of(first, "salt of record 0")
    assert record_leaf(seed, 0, records[0]) == value_of(first, "leaf of record 0")
    assert manifest_root(seed, records) == value_of(first, "root") == entry["manifest"]
    assert bloom(seed, records) == value_of(first, "filter")
    assert unpack_manifest(bytes.fromhex("72646d0100010102696400")) == [] and bloom(seed, []) == b"\7"
    records = unpack_manifest(hexes(second.partition("root")[0]))
    parent = [("parent_id", "6f2c1b1e-0c5b-4b8e-9d5e-2f0a4f6f0001")]
    assert records[0] == ([("campaign", 2), ("ref", "A-001")], day("2024-02-29"), day("2025-02-28"), parent)
    assert records[2] == ([("campaign", -3), ("ref", "\u00e9")], day("2024-03-01"), day("2025-03-01"),
                          [("parent_id", "not-a-uuid")])
    assert records[3] == ([("campaign", -3), ("ref", "")], day("2024-02-28"), None,
                          [("parent_id", "not-a-uuid too")])
    assert manifest_root(seed, records) == value_of(second, "root")
    assert bloom(seed, records) == value_of(second, "filter")
    old, new, signature = keys.split()
    assert key_change({"old": old, "new": new, "signature": signature}) == \
        (read_key_line(old), read_key_line(new))
    assert check_proof(proof, hexes(deletion), [read_key_line(old)])["entry"] == 1
    for wrong in (hexes(deletion), [read_key_line(new)]), (raw, [read_key_line(old)]):
        try:
            assert not check_proof(proof, *wrong)
        except Bad:
            pass


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("log", nargs="?", type=pathlib.Path)
    parser.add_argument("--key", type=pathlib.Path, help="public keys, name+id+key, a line each")
    parser.add_argument("--checkpoint", type=pathlib.Path, action="append", default=[])
    parser.add_argument("--proof", type=pathlib.Path)
    parser.add_argument("--entry", help="the entry's bytes in hexadecimal")
    parser.add_argument("--self-test", nargs="?", type=pathlib.Path, metavar="LEDGER.md",
                        const=pathlib.Path(__file__).parent.parent / "docs" / "LEDGER.md")
    given = parser.parse_args()
    if given.self_test:
        self_test(given.self_test.read_text(encoding="utf-8"))
        print(json.dumps({"verdict": "OK", "self_test": True}))
        return 0
    try:
        keys = [read_key_line(line) for line in read_text(given.key).splitlines() if line]
        if given.proof:
            found = check_proof(read_text(given.proof), from_hex(given.entry), keys)
        else:
            verify = verify_folder if given.log.is_dir() else verify_export
            found = verify(given.log, keys, [read_text(path) for path in given.checkpoint])
    except (Bad, Newer, Unreadable, KeyError, TypeError, AttributeError) as error:
        verdict = {Bad: "TAMPERED", Newer: "INCOMPLETE"}.get(type(error), "UNREADABLE")
        found = {"verdict": verdict, "anchored": False, "what": str(error)}
    print(json.dumps(found))
    return 1 if found["verdict"] != "OK" else 0 if found["anchored"] else 3


if __name__ == "__main__":
    sys.exit(main())
