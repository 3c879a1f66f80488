//! The JSON Schema of the job file, made from the tables of keys that the reader uses, so that an editor and `drover
//! lint` can never disagree about a key.

use serde_json::{Map, Value, json};

use crate::read::FILE;
use crate::reader::keys::{Described, Level, Others, Shape};

/// The schema (draft-07), with a description at every key.
pub fn schema() -> Value {
    let mut schema = object(&FILE);
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    schema["title"] = json!("Drover job file");
    schema
}

fn object(level: &'static dyn Level) -> Value {
    let mut properties = Map::new();
    for key in level.keys() {
        properties.insert(key.name.to_owned(), property(&key));
    }
    let required: Vec<&str> = level.keys().filter(|key| key.required).map(|key| key.name).collect();
    let mut schema = json!({"type": "object", "description": level.about(), "properties": properties});
    match level.others() {
        Others::Refused => schema["additionalProperties"] = json!(false),
        Others::Extensions => {
            schema["additionalProperties"] = json!(false);
            schema["patternProperties"] = json!({"^x-": {"description": "A place for anchors; not read."}});
        }
        Others::Taken(other) => schema["additionalProperties"] = shape(other),
    }
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

fn property(key: &Described) -> Value {
    let mut schema = shape(key.shape);
    schema["description"] = json!(key.about);
    schema
}

/// The schema of a value. Wherever `${{ }}` is substituted a text with it is valid too.
fn shape(shape: &Shape) -> Value {
    match shape {
        Shape::Text | Shape::Name => json!({"type": "string"}),
        Shape::Script => json!({"type": "string", "minLength": 1}),
        Shape::Scalar => json!({"type": ["string", "number", "boolean"]}),
        Shape::Flag => or_template(json!({"type": "boolean"})),
        Shape::Switch => or_template(json!({"enum": ["on", "off", true, false]})),
        Shape::Whole(min, max) => or_template(json!({"type": "integer", "minimum": min, "maximum": max})),
        Shape::Number => or_template(json!({"type": "number", "exclusiveMinimum": 0})),
        Shape::Duration => or_template(json!({"type": "string", "pattern": DURATION})),
        Shape::Size => or_template(json!({"anyOf": [
            {"type": "string", "pattern": "^[0-9]*\\.?[0-9]+ ?([bkmgtBKMGT]|[kmgtKMGT][iI]?[bB])?$"},
            {"type": "integer"},
        ]})),
        Shape::Choice(words) => or_template(json!({"enum": words})),
        Shape::Empty => json!({"anyOf": [{"type": "null"}, {"type": "object", "maxProperties": 0}]}),
        Shape::List(item) => json!({"type": "array", "items": self::shape(item)}),
        Shape::OneOrMany(item) => json!({"anyOf": [self::shape(item), {"type": "array", "items": self::shape(item)}]}),
        Shape::Map(value) => json!({"type": "object", "additionalProperties": self::shape(value)}),
        Shape::Object(level) => object(*level),
        Shape::AnyOf(shapes) => json!({"anyOf": shapes.iter().map(self::shape).collect::<Vec<_>>()}),
    }
}

const DURATION: &str = "^([0-9]*\\.?[0-9]+ ?(us|µs|ms|s|m|min|h|d))+$";

fn or_template(schema: Value) -> Value {
    json!({"anyOf": [schema, {"type": "string", "pattern": "\\$\\{\\{.*\\}\\}"}]})
}
