//! As much of JSON Schema (draft 7) as the SARIF schema uses. A keyword that is not known is a failure, so that nothing is
//! passed over in silence.

use serde_json::{Map, Value as Json};

/// What is wrong with a document, each complaint with its place.
pub(crate) fn violations(schema: &Json, document: &Json) -> Vec<String> {
    let mut judge = Judge { root: schema, found: Vec::new() };
    judge.value(schema, document, "$");
    judge.found
}

struct Judge<'s> {
    root: &'s Json,
    found: Vec<String>,
}

impl<'s> Judge<'s> {
    fn value(&mut self, schema: &'s Json, value: &Json, at: &str) {
        let Some(rules) = schema.as_object() else { return };
        for (keyword, rule) in rules {
            match keyword.as_str() {
                "$ref" => {
                    let pointer =
                        rule.as_str().and_then(|name| name.strip_prefix('#')).expect("a local reference");
                    let target = self.root.pointer(pointer).unwrap_or_else(|| panic!("no {pointer}"));
                    self.value(target, value, at);
                }
                "anyOf" | "oneOf" => self.some_of(keyword, rule, value, at),
                "properties" | "required" | "additionalProperties" => self.member(keyword, rules, value, at),
                "items" | "minItems" | "uniqueItems" => self.list(keyword, rule, value, at),
                "$schema" | "$id" | "title" | "description" | "default" | "definitions" => {}
                _ => self.scalar(keyword, rule, value, at),
            }
        }
    }

    fn holds(&mut self, holds: bool, keyword: &str, value: &Json, at: &str) {
        if !holds {
            self.found.push(format!("{at}: `{keyword}` does not allow {value}"));
        }
    }

    fn some_of(&mut self, keyword: &str, rule: &'s Json, value: &Json, at: &str) {
        let fits = |schema: &&Json| {
            let mut judge = Judge { root: self.root, found: Vec::new() };
            judge.value(schema, value, at);
            judge.found.is_empty()
        };
        let fitting = rule.as_array().expect("a list").iter().filter(fits).count();
        let enough = if keyword == "oneOf" { fitting == 1 } else { fitting > 0 };
        self.holds(enough, keyword, value, at);
    }

    fn member(&mut self, keyword: &str, rules: &'s Map<String, Json>, value: &Json, at: &str) {
        let (rule, Some(members)) = (&rules[keyword], value.as_object()) else { return };
        let known = rules.get("properties").and_then(Json::as_object);
        match keyword {
            "required" => {
                for name in rule.as_array().expect("a list").iter().filter_map(Json::as_str) {
                    self.holds(members.contains_key(name), &format!("required {name}"), value, at);
                }
            }
            "properties" => {
                for (name, schema) in known.into_iter().flatten() {
                    if let Some(member) = members.get(name) {
                        self.value(schema, member, &format!("{at}.{name}"));
                    }
                }
            }
            _ => {
                for (name, member) in
                    members.iter().filter(|(name, _)| known.is_none_or(|known| !known.contains_key(*name)))
                {
                    let place = format!("{at}.{name}");
                    if rule.is_object() {
                        self.value(rule, member, &place);
                    } else {
                        self.holds(*rule == Json::Bool(true), keyword, member, &place);
                    }
                }
            }
        }
    }

    fn list(&mut self, keyword: &str, rule: &'s Json, value: &Json, at: &str) {
        let Some(items) = value.as_array() else { return };
        match keyword {
            "items" => {
                for (index, item) in items.iter().enumerate() {
                    self.value(rule, item, &format!("{at}[{index}]"));
                }
            }
            "minItems" => {
                self.holds(items.len() as u64 >= rule.as_u64().expect("a number"), keyword, value, at);
            }
            _ => {
                let twice = items.iter().enumerate().any(|(index, item)| items[..index].contains(item));
                self.holds(*rule == Json::Bool(false) || !twice, keyword, value, at);
            }
        }
    }

    fn scalar(&mut self, keyword: &str, rule: &Json, value: &Json, at: &str) {
        let number = |value: &Json| value.as_f64();
        let holds = match keyword {
            "type" => match rule {
                Json::String(kind) => is_of(kind, value),
                kinds => kinds
                    .as_array()
                    .expect("kinds")
                    .iter()
                    .filter_map(Json::as_str)
                    .any(|kind| is_of(kind, value)),
            },
            "enum" => rule.as_array().expect("a list").contains(value),
            "minimum" => number(value).is_none_or(|value| number(rule).is_some_and(|least| value >= least)),
            "maximum" => number(value).is_none_or(|value| number(rule).is_some_and(|most| value <= most)),
            "pattern" => value.as_str().is_none_or(|text| {
                regex::Regex::new(rule.as_str().expect("a pattern")).expect("a pattern").is_match(text)
            }),
            "format" => value.as_str().is_none_or(|text| has_format(rule.as_str().expect("a format"), text)),
            other => panic!("{at}: the keyword `{other}` is not known"),
        };
        self.holds(holds, keyword, value, at);
    }
}

fn is_of(kind: &str, value: &Json) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        other => panic!("the type `{other}` is not known"),
    }
}

fn has_format(format: &str, text: &str) -> bool {
    let base = url::Url::parse("file:///project/").expect("an address");
    // What may not stand in a reference, whatever a browser makes of it (RFC 3986).
    let legal = !text.contains([' ', '"', '<', '>', '\\', '^', '`', '{', '|', '}']) && text.is_ascii();
    match format {
        "uri" => legal && url::Url::parse(text).is_ok(),
        "uri-reference" => legal && base.join(text).is_ok(),
        "date-time" => chrono::DateTime::parse_from_rfc3339(text).is_ok(),
        other => panic!("the format `{other}` is not known"),
    }
}
