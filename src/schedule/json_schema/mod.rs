//! The JSON Schema (draft 7) of the schedule file, for editors that complete and check it.
//!
//! Made from the tables of keys that the reader knows (`read/keys.rs`) and the words that
//! the types have, so that it can neither lag behind nor run ahead; only each key's
//! description and shape are written here, in `properties`. It says what an editor can
//! see at once. The reader says the rest: names of zones, days of months, conditions.

mod properties;

use serde_json::{Map, Value, json};

use super::read;

/// The keys of each kind of table in the file: its name, the keys that are read, and those
/// that belong to the format and are refused for now.
pub fn tables() -> impl Iterator<
    Item = (
        &'static str,
        &'static [&'static str],
        &'static [&'static str],
    ),
> {
    read::key_tables()
}

/// Known keys without a description here, as `table.key`. Must be none.
#[must_use]
pub fn undescribed() -> Vec<String> {
    tables()
        .flat_map(|(table, known, _)| known.iter().map(move |key| (table, *key)))
        .filter(|(table, key)| properties::property(table, key).is_none())
        .map(|(table, key)| format!("{table}.{key}"))
        .collect()
}

/// The schema as it is committed: `config/retention.schema.json`.
#[must_use]
pub fn text() -> String {
    format!("{:#}\n", document())
}

/// The schema.
#[must_use]
pub fn document() -> Value {
    let mut file = object("file", &["schedule", "class"]);
    let head = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "The retention schedule of retentiond",
        "description": "How long each kind of record is kept, and what happens to it then. The manual is docs/SCHEDULE.md.",
    });
    if let (Some(file), Value::Object(head)) = (file.as_object_mut(), head) {
        let body = std::mem::take(file);
        file.extend(head);
        file.extend(body);
    }
    file
}

/// One table: every known key, nothing else.
fn object(table: &str, required: &[&str]) -> Value {
    let known = tables()
        .find(|(name, ..)| *name == table)
        .map_or(&[][..], |(_, known, _)| known);
    let properties: Map<String, Value> = known
        .iter()
        .filter_map(|key| {
            let (description, shape) = properties::property(table, key)?;
            let mut property = Map::new();
            property.insert("description".to_owned(), description.into());
            if let Value::Object(shape) = shape {
                property.extend(shape);
            }
            Some(((*key).to_owned(), Value::Object(property)))
        })
        .collect();
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": required,
        "properties": properties,
    })
}

/// A `[[class]]`, with what its disposal, or its processor, asks for and forbids.
fn class() -> Value {
    let mut class = object("class", &["id", "title", "disposal", "authority"]);
    let disposal = |word: &str| json!({ "properties": { "disposal": { "const": word } }, "required": ["disposal"] });
    let none_of = |keys: &[&str]| {
        let any: Vec<Value> = keys
            .iter()
            .map(|key| json!({ "required": [key] }))
            .collect();
        json!({ "not": { "anyOf": any } })
    };
    let mut retaining = none_of(read::not_with_retain());
    retaining["required"] = json!(["owner", "reason"]);
    let mut disposing = none_of(&["review_on"]);
    disposing["required"] = json!(["trigger", "period"]);
    let rows = json!({
        "required": ["table"],
        "allOf": [
            { "if": disposal("retain"), "then": retaining, "else": disposing },
            { "if": disposal("anonymise"), "then": { "required": ["anonymise"] }, "else": none_of(&["anonymise"]) },
            { "if": disposal("flag"), "then": none_of(&["dependants", "files", "erasure"]) },
        ],
    });
    let about_rows: Vec<&str> = read::not_with_processor().collect();
    let mut elsewhere = none_of(&about_rows);
    elsewhere["properties"] =
        json!({ "disposal": { "const": "delete" }, "gate": { "enum": ["none", "instruction"] } });
    elsewhere["dependencies"] =
        json!({ "trigger": ["period"], "period": ["trigger"], "limit": ["period"] });
    elsewhere["anyOf"] = json!([
        { "required": ["period"] },
        { "properties": { "gate": { "const": "instruction" } }, "required": ["gate"] },
    ]);
    class["if"] = json!({ "required": ["processor"] });
    class["then"] = elsewhere;
    class["else"] = rows;
    class
}
