//! What a server of a test is configured by.

use std::path::PathBuf;

use serde_json::Value;

/// The path at which it listens, if its configuration says so.
pub(super) fn socket_of(config: &Value) -> Option<PathBuf> {
    let http = &config["http"];
    let path = http["addr"].as_str().map(PathBuf::from);
    path.filter(|_| http["net"] == "unix")
}

/// Puts `more` over `base`, key by key.
pub(super) fn merge(base: &mut Value, more: &Value) {
    match (base, more) {
        (Value::Object(base), Value::Object(more)) => {
            for (key, value) in more {
                merge(base.entry(key).or_insert(Value::Null), value);
            }
        }
        (base, more) => *base = more.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn configuration_is_merged_key_by_key() {
        let mut base = json!({"storage": {"delete": {"enabled": true}, "a": 1}, "b": 2});

        merge(
            &mut base,
            &json!({"storage": {"delete": {"enabled": false}}, "c": [3]}),
        );

        assert_eq!(
            base,
            json!({"storage": {"delete": {"enabled": false}, "a": 1}, "b": 2, "c": [3]})
        );
    }
}
