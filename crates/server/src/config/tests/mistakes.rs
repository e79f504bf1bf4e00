//! What is said of what is wrong.

use super::*;

#[test]
fn everything_wrong_is_said_at_once_in_the_order_of_lines() {
    let list = problems(
        "version: 0.2\nlog: {level: loud}\nstorage: {delete: {enabled: perhaps}}\nhttp: {hots: x}\n",
    );

    assert_eq!(
        list,
        "line 1: `version`: only `0.1` is known\n\
         line 2: `log.level`: `loud` is unknown: expected one of `error`, `warn`, `info`, `debug`\n\
         line 3: `storage`: no storage driver is named: expected `filesystem`\n\
         line 3: `storage.delete.enabled`: `perhaps` is neither `true` nor `false`\n\
         line 4: unknown key `http.hots`: did you mean `http.host`?\n"
    );
}

#[test]
fn a_file_that_is_no_yaml_hides_no_mistake_of_a_variable() {
    let sources = with_variables(&[("REGISTRY_HTTP_ADDR", "["), ("REGISTRY_HTTP_ADR", "x")]);

    let list = read("a: [", &sources).unwrap_err();

    let list: Vec<_> = list.iter().map(Problem::origin).collect();
    assert_eq!(list.len(), 2, "{list:?}");
    assert_eq!(list[1], "REGISTRY_HTTP_ADDR");
}

#[test]
fn an_unknown_tag_hides_nothing_else() {
    let list = problems("!x y");

    assert!(list.contains("unknown tag `!x`"), "{list}");
    assert!(list.contains("`version`: is missing"), "{list}");
}

#[test]
fn an_empty_configuration_lacks_version_and_storage() {
    let list = problems("");

    assert!(list.contains("`version`: is missing"), "{list}");
    assert!(list.contains("no storage driver"), "{list}");
}

#[test]
fn what_a_file_holds_is_shown_by_no_mistake() {
    fn secret(path: &Path) -> Result<String, FileError> {
        let text = path.starts_with("/a").then(|| "s3cr3t: [s3cr3t".to_owned());
        text.ok_or(FileError::Kind("a folder"))
    }
    let text = "version: 0.1\nstorage: !file /a\nauth: !file /a\nlog: {level: !file /a}\n\
                http: {addr: !file /a, host: !file /a, headers: {a: !file /a}, tls: {minimumtls: !file /a, ciphersuites: [!file /a]}}\n\
                health: {http: [{uri: !file /a}]}\n\
                boxyard: {trustedproxies: [!file /a], uploads: {window: !file /a}}\n";

    let reading = Reading::parse(text, Writer::File, &Sources::default(), secret);
    let error = reading.config(&Sources::default()).unwrap_err();

    let list = error.to_string();
    assert!(!list.contains("s3cr3t"), "{list}");
    assert!(
        list.contains("line 4: `log.level`: what its file holds is not taken: expected one of"),
        "{list}"
    );
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let sources = Sources {
        path: Some("/no/such/config.yml".into()),
        ..Sources::default()
    };

    let error = Config::load(&sources).unwrap_err();

    assert!(error.to_string().contains("/no/such/config.yml"));
}
