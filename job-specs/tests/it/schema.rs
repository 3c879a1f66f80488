//! The JSON Schema agrees with the reader.

use job_specs::schema;
use serde_json::Value;

/// Whether a value is valid, for the part of JSON Schema that ours uses.
fn is_valid(schema: &Value, value: &Value) -> bool {
    let Some(rules) = schema.as_object() else { return true };
    rules.iter().all(|(rule, given)| match rule.as_str() {
        "type" => types(given).iter().any(|name| has_type(name, value)),
        "enum" => given.as_array().unwrap().contains(value),
        "anyOf" => given.as_array().unwrap().iter().any(|one| is_valid(one, value)),
        "pattern" => value
            .as_str()
            .is_none_or(|text| regex::Regex::new(given.as_str().unwrap()).unwrap().is_match(text)),
        "items" => value
            .as_array()
            .is_none_or(|items| items.iter().all(|item| is_valid(given, item))),
        "required" => value.as_object().is_none_or(|map| {
            given
                .as_array()
                .unwrap()
                .iter()
                .all(|key| map.contains_key(key.as_str().unwrap()))
        }),
        "minimum" => value.as_i64().is_none_or(|number| number >= given.as_i64().unwrap()),
        "maximum" => value.as_i64().is_none_or(|number| number <= given.as_i64().unwrap()),
        "exclusiveMinimum" => value.as_f64().is_none_or(|number| number > given.as_f64().unwrap()),
        "minLength" => value.as_str().is_none_or(|text| !text.is_empty()),
        "maxProperties" => value.as_object().is_none_or(|map| map.is_empty()),
        "properties" => value.as_object().is_none_or(|map| {
            map.iter()
                .all(|(key, value)| given.get(key).is_none_or(|schema| is_valid(schema, value)))
        }),
        "additionalProperties" => value.as_object().is_none_or(|map| {
            map.iter()
                .filter(|(key, _)| !is_named(rules, key))
                .all(|(_, value)| match given {
                    Value::Bool(allowed) => *allowed,
                    schema => is_valid(schema, value),
                })
        }),
        "patternProperties" | "description" | "$schema" | "title" => true,
        other => panic!("the test does not know the rule {other}"),
    })
}

fn is_named(rules: &serde_json::Map<String, Value>, key: &str) -> bool {
    let named = rules
        .get("properties")
        .is_some_and(|properties| properties.get(key).is_some());
    named || (rules.contains_key("patternProperties") && key.starts_with("x-"))
}

fn types(given: &Value) -> Vec<&str> {
    match given {
        Value::String(name) => vec![name],
        names => names
            .as_array()
            .unwrap()
            .iter()
            .map(|name| name.as_str().unwrap())
            .collect(),
    }
}

fn has_type(name: &str, value: &Value) -> bool {
    match name {
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        other => panic!("the test does not know the type {other}"),
    }
}

fn yaml(text: &str) -> Value {
    serde_yaml::from_str(text).unwrap()
}

#[test]
fn the_examples_are_valid() {
    for example in crate::story::examples() {
        assert!(is_valid(&schema(), &yaml(&example.text)), "{}", example.name);
    }
}

#[test]
fn mistakes_are_not_valid() {
    for text in [
        "{}",
        "jobs: {t: {image: i}}",
        "jobs: {t: {image: i, steps: [x], imgae: y}}",
        "jobs: {t: {image: i, steps: x}}",
        "jobs: {t: {image: i, steps: [x], timeout: 10}}",
        "jobs: {t: {image: i, steps: [{run: x, shell: zsh}]}}",
        "jobs: {t: {image: i, steps: [x], services: {s: {image: i, ports: 80}}}}",
        "{jobs: {t: {image: i, steps: [x]}}, on: pushed}",
    ] {
        assert!(!is_valid(&schema(), &yaml(text)), "{text}");
    }
}

#[test]
fn every_key_is_described() {
    fn walk(schema: &Value, path: &str) {
        if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
            for (key, value) in properties {
                let about = value.get("description").and_then(Value::as_str).unwrap_or_default();
                assert!(about.len() > 8 && about.ends_with('.'), "{path}.{key}: {about:?}");
            }
        }
        match schema {
            Value::Object(map) => map
                .iter()
                .for_each(|(key, value)| walk(value, &format!("{path}.{key}"))),
            Value::Array(items) => items.iter().for_each(|item| walk(item, path)),
            _ => {}
        }
    }
    walk(&schema(), "$");
}
