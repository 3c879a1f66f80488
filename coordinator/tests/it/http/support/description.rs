//! The description of a forge's API as the forge publishes it: whether a request is one of it, and what is answered.

use reqwest::Method;
use serde_json::{Map, Value, json};

/// OpenAPI 3 (GitHub) or Swagger 2 (Forgejo).
pub struct Description(Value);

impl Description {
    /// Reads the file that a variable of the environment names.
    pub fn named_by(variable: &str) -> Description {
        let path = std::env::var(variable)
            .unwrap_or_else(|_| panic!("name the published description in {variable} (`cargo xtask test` does)"));
        Description(serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
    }

    /// What is wrong with a request; `None`: nothing.
    pub fn fault(&self, method: &Method, path: &str, body: &Value) -> Option<String> {
        let Some(operation) = self.operation(method, path) else {
            return Some(format!("there is no {method} {path}"));
        };
        let Some(schema) = self.body_schema(operation).map(|schema| self.whole(schema)) else {
            return (!body.is_null()).then(|| format!("{method} {path} takes no body"));
        };
        let strange = body.as_object().into_iter().flat_map(Map::keys);
        let strange: Vec<_> = strange
            .filter(|key| schema["properties"].get(key.as_str()).is_none())
            .collect();
        if !strange.is_empty() {
            return Some(format!("{method} {path} knows no {strange:?}"));
        }
        let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
        compiler.add_resource("body.json", schema).unwrap();
        let compiled = compiler.compile("body.json", &mut schemas).unwrap();
        let fault = schemas.validate(body, compiled).err()?;
        Some(format!("{method} {path}: {fault}"))
    }

    /// The status and body of the answer of a request that is done.
    pub fn answer(&self, method: &Method, path: &str) -> (u16, Value) {
        let responses = &self.operation(method, path).expect("it was checked")["responses"];
        let good = responses
            .as_object()
            .unwrap()
            .iter()
            .find(|(status, _)| status.starts_with('2'));
        let (status, response) = good.expect("some answer is good");
        let response = self.resolved(response);
        let content = &response["content"]["application/json"];
        let example = content["examples"].as_object().and_then(|all| all.values().next());
        let body = match example {
            Some(example) => self.resolved(example)["value"].clone(),
            None => self.made(response.get("schema").unwrap_or(&content["schema"]), 0),
        };
        (status.parse().unwrap(), body)
    }

    /// The operation whose path fits; literal segments before those that stand for anything.
    fn operation(&self, method: &Method, path: &str) -> Option<&Value> {
        let path = path.split('?').next()?;
        let path = path
            .strip_prefix(self.0["basePath"].as_str().unwrap_or(""))
            .unwrap_or(path);
        let fits = |template: &str| {
            let (have, want): (Vec<_>, Vec<_>) = (path.split('/').collect(), template.split('/').collect());
            have.len() == want.len() && have.iter().zip(&want).all(|(a, b)| a == b || b.starts_with('{'))
        };
        let paths = self.0["paths"]
            .as_object()?
            .iter()
            .filter(|(template, _)| fits(template));
        let (_, item) = paths.min_by_key(|(template, _)| template.matches('{').count())?;
        item.get(method.as_str().to_ascii_lowercase())
    }

    fn body_schema<'a>(&'a self, operation: &'a Value) -> Option<&'a Value> {
        let openapi = operation.pointer("/requestBody/content/application~1json/schema");
        let swagger = operation["parameters"].as_array().into_iter().flatten();
        let swagger = swagger.map(|parameter| self.resolved(parameter));
        let mut swagger = swagger
            .filter(|parameter| parameter["in"] == "body")
            .map(|parameter| &parameter["schema"]);
        openapi.or_else(|| swagger.next())
    }

    fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value.get("$ref").and_then(Value::as_str) {
            Some(reference) => self.resolved(self.0.pointer(reference.trim_start_matches('#')).unwrap()),
            None => value,
        }
    }

    /// The value with what it refers to.
    fn whole(&self, value: &Value) -> Value {
        match self.resolved(value) {
            Value::Object(all) => all
                .iter()
                .map(|(key, value)| (key.clone(), self.whole(value)))
                .collect(),
            Value::Array(all) => all.iter().map(|value| self.whole(value)).collect(),
            other => other.clone(),
        }
    }

    /// Something of that schema.
    fn made(&self, schema: &Value, depth: usize) -> Value {
        let schema = self.resolved(schema);
        if let Some(first) = schema["enum"].as_array().and_then(|all| all.first()) {
            return first.clone();
        }
        match schema["type"].as_str() {
            Some("object") if depth < 4 => {
                let properties = schema["properties"].as_object().into_iter().flatten();
                let made = properties.map(|(name, of)| (name.clone(), self.made(of, depth + 1)));
                Value::Object(made.collect())
            }
            Some("array") if depth < 4 => json!([self.made(&schema["items"], depth + 1)]),
            Some("integer" | "number") => json!(7),
            Some("boolean") => json!(true),
            Some("string") if schema["format"] == "date-time" => json!("2026-11-27T10:00:00Z"),
            Some("string") => json!("text"),
            _ => Value::Null,
        }
    }
}
