//! Every answer of these tests against the document: its status, code, media type, headers and shape.

use std::sync::LazyLock;

use axum::http::{HeaderMap, Method, StatusCode, header};
use serde_json::Value;

/// The document of the routes.
pub(crate) static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(&sealroom_http::openapi()).unwrap());

/// Headers that are the same on every route, or that only a transport adds.
const EVERYWHERE: [header::HeaderName; 8] = [
    header::ACCESS_CONTROL_ALLOW_ORIGIN,
    header::ACCESS_CONTROL_EXPOSE_HEADERS,
    header::CACHE_CONTROL,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_SECURITY_POLICY,
    header::CONTENT_TYPE,
    header::X_CONTENT_TYPE_OPTIONS,
];

/// A route of the document.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operation {
    pub(crate) path: &'static str,
    /// In capitals.
    pub(crate) method: &'static str,
    pub(crate) said: &'static Value,
}

/// All of them.
pub(crate) fn operations() -> impl Iterator<Item = Operation> {
    let paths = DOCUMENT["paths"].as_object().unwrap();
    paths.iter().flat_map(|(path, item)| {
        let methods = [
            ("get", "GET"),
            ("post", "POST"),
            ("put", "PUT"),
            ("patch", "PATCH"),
            ("delete", "DELETE"),
        ];
        methods.into_iter().filter_map(move |(key, method)| {
            let said = item.get(key)?;
            Some(Operation { path, method, said })
        })
    })
}

/// The route that a request is for. A template takes any text for a parameter, as the router does.
fn operation(method: &Method, path: &str) -> Option<Operation> {
    let method = if method == Method::HEAD {
        "GET"
    } else {
        method.as_str()
    };
    operations().find(|operation| operation.method == method && matches(operation.path, path))
}

fn matches(template: &str, path: &str) -> bool {
    let (mut places, mut segments) = (template.split('/'), path.split('/'));
    loop {
        match (places.next(), segments.next()) {
            (None, None) => return true,
            (Some(place), Some(segment)) if place == segment || place.starts_with('{') => {}
            _ => return false,
        }
    }
}

/// Holds an answer against the document. What is for no route, or for a method that a path does not have, has no
/// place in it.
pub(crate) fn check(method: &Method, path: &str, status: StatusCode, headers: &HeaderMap, body: &str) {
    let Some(operation) = operation(method, path) else {
        return;
    };
    let what = format!("{method} {path}: {status} {body}");
    let answer = &operation.said["responses"][status.as_str()];
    assert!(answer.is_object(), "an undocumented status: {what}");
    for name in headers.keys() {
        let is_documented = answer["headers"].as_object().is_some_and(|named| {
            named
                .keys()
                .any(|other| other.eq_ignore_ascii_case(name.as_str()))
        });
        let is_known = EVERYWHERE.contains(name) || *name == header::VARY;
        assert!(is_documented || is_known, "an undocumented header {name}: {what}");
    }
    let media_type = headers
        .get(header::CONTENT_TYPE)
        .map(|value| value.to_str().unwrap());
    let Some(content) = answer["content"].as_object() else {
        assert!(
            media_type.is_none() && body.is_empty(),
            "an undocumented body: {what}"
        );
        return;
    };
    let essence = media_type.unwrap_or_default().split(';').next().unwrap();
    let content = content
        .get(essence)
        .unwrap_or_else(|| panic!("an undocumented media type: {what}"));
    if method == Method::HEAD || headers.contains_key(header::CONTENT_ENCODING) || essence == "text/plain" {
        return;
    }
    let value: Value = serde_json::from_str(body).unwrap();
    let faults = faults(&content["schema"], &value);
    assert!(faults.is_empty(), "{faults:?}: {what}");
    let undeclared = undeclared(&content["schema"], &value);
    assert!(undeclared.is_empty(), "undocumented keys {undeclared:?}: {what}");
}

fn resolve(schema: &Value) -> &Value {
    let Some(reference) = schema.get("$ref") else {
        return schema;
    };
    let pointer = reference.as_str().unwrap().strip_prefix('#').unwrap();
    DOCUMENT
        .pointer(pointer)
        .unwrap_or_else(|| panic!("{reference} is not there"))
}

fn items<'a>(schema: &'a Value, keyword: &str) -> &'a [Value] {
    schema.get(keyword).map_or(&[], |items| items.as_array().unwrap())
}

/// What a value has that a schema does not let through: as much of JSON Schema as the document uses.
pub(crate) fn faults(schema: &Value, value: &Value) -> Vec<String> {
    let schema = resolve(schema);
    let mut found = Vec::new();
    let mut claim = |holds: bool, keyword: &str| {
        if !holds {
            found.push(format!("{keyword} of {schema} by {value}"));
        }
    };
    for (keyword, rule) in schema.as_object().unwrap() {
        let holds = match &**keyword {
            "type" => match rule {
                Value::Array(types) => types.iter().any(|one| is_a(one, value)),
                one => is_a(one, value),
            },
            "enum" => rule.as_array().unwrap().contains(value),
            "minimum" => value
                .as_i64()
                .is_none_or(|number| number >= rule.as_i64().unwrap()),
            "maximum" => value
                .as_i64()
                .is_none_or(|number| number <= rule.as_i64().unwrap()),
            "minLength" => value
                .as_str()
                .is_none_or(|text| text.chars().count() >= length(rule)),
            "maxLength" => value
                .as_str()
                .is_none_or(|text| text.chars().count() <= length(rule)),
            "required" => value.as_object().is_none_or(|object| {
                rule.as_array()
                    .unwrap()
                    .iter()
                    .all(|key| object.contains_key(key.as_str().unwrap()))
            }),
            "oneOf" => {
                rule.as_array()
                    .unwrap()
                    .iter()
                    .filter(|one| faults(one, value).is_empty())
                    .count()
                    == 1
            }
            "allOf" => rule
                .as_array()
                .unwrap()
                .iter()
                .all(|one| faults(one, value).is_empty()),
            "properties" => rule.as_object().unwrap().iter().all(|(key, schema)| {
                value
                    .get(key)
                    .is_none_or(|value| faults(schema, value).is_empty())
            }),
            "items" => value
                .as_array()
                .is_none_or(|items| items.iter().all(|item| faults(rule, item).is_empty())),
            "additionalProperties" => value.as_object().is_none_or(|object| {
                *rule == true || object.keys().all(|key| schema["properties"].get(key).is_some())
            }),
            "description" | "format" | "pattern" | "examples" => true,
            other => panic!("this check does not know {other}"),
        };
        claim(holds, keyword);
    }
    found
}

fn length(rule: &Value) -> usize {
    usize::try_from(rule.as_u64().unwrap()).unwrap()
}

fn is_a(name: &Value, value: &Value) -> bool {
    match name.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("{other} is no type"),
    }
}

/// Keys that no part of a schema names. Clients must take them; here they are slips.
fn undeclared(schema: &Value, value: &Value) -> Vec<String> {
    match value {
        Value::Object(object) => object
            .iter()
            .flat_map(|(key, value)| match property(schema, key, object) {
                Some(schema) => undeclared(schema, value),
                None => vec![key.clone()],
            })
            .collect(),
        Value::Array(values) => {
            let items = &resolve(schema)["items"];
            values.iter().flat_map(|value| undeclared(items, value)).collect()
        }
        _ => Vec::new(),
    }
}

fn property<'a>(schema: &'a Value, key: &str, of: &serde_json::Map<String, Value>) -> Option<&'a Value> {
    let schema = resolve(schema);
    if let Some(found) = schema["properties"].get(key) {
        return Some(found);
    }
    let chosen = items(schema, "oneOf")
        .iter()
        .filter(|one| faults(one, &Value::Object(of.clone())).is_empty());
    items(schema, "allOf")
        .iter()
        .chain(chosen)
        .find_map(|part| property(part, key, of))
}

#[test]
fn the_check_finds_slips() {
    use serde_json::json;

    let group = json!({"$ref": "#/components/schemas/Group"});
    let good = json!({
        "group_id": 1, "name": "a", "role": null, "head_seq": 0, "read_seq": 0, "unread": 0,
        "retention": {"age_s": null, "count": 5},
    });
    assert_eq!(faults(&group, &good), Vec::<String>::new());
    for (key, value) in [
        ("group_id", json!(0)),
        ("group_id", json!("1")),
        ("name", json!("")),
        ("role", json!("root")),
        ("unread", json!(null)),
        ("head_seq", json!(9_007_199_254_740_992_i64)),
    ] {
        let mut bad = good.clone();
        bad[key] = value;
        assert_ne!(faults(&group, &bad), Vec::<String>::new(), "{bad}");
    }
    let mut less = good.clone();
    less.as_object_mut().unwrap().remove("role");
    assert_ne!(faults(&group, &less), Vec::<String>::new());
    let mut more = good;
    more["secret"] = json!(1);
    assert_eq!(undeclared(&group, &more), ["secret"]);
}
