//! What the logs say of who sends a request, and what they never say.

use std::fs;

use boxyard_testkit::token::{KeyKind, SigningKey, TokenServer, access};
use boxyard_testkit::{Client, Setup, TestServer, eventually};
use serde_json::{Value, json};

use crate::certificates::Site;
use crate::{Users, logged_in, password, rule};

const SECRET: &str = "the secret of the registry itself";

/// The user that the access log has for the request with this query, if it has one.
fn user_of(server: &TestServer, mark: &str) -> Option<Value> {
    eventually("the line of the request", || {
        let log = server.log();
        let lines = log.lines().filter(|line| line.contains(mark));
        let mut lines = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let line = lines.find(|line| line["http.response.status"].is_number())?;
        Some(line.get("auth.user.name").cloned())
    })
}

/// A registry that believes passwords and tokens of another server, and logs all that it can.
fn serve(users: &Users, formatter: &str) -> (TestServer, TokenServer) {
    let key = SigningKey::new(KeyKind::P256);
    let set = users.folder().join("jwks.json");
    fs::write(&set, json!({ "keys": [key.named_jwk("k")] }).to_string()).unwrap();
    let issuer = TokenServer::start(key, &json!({ "alg": "ES256", "kid": "k" }));
    let mut auth = users.auth();
    auth["token"] = issuer.config();
    auth["token"]["jwks"] = json!(set);
    let server = Setup::new()
        .config(&json!({
            "log": { "level": "debug", "formatter": formatter },
            "http": { "secret": SECRET },
            "auth": auth,
            "access": [rule("anyone", "**", &["pull"]), rule("alice", "**", &["*"])],
        }))
        .start();
    (server, issuer)
}

#[test]
fn the_access_log_names_who_sends_a_request_and_no_log_their_secrets() {
    let users = Users::of(&["alice"]);
    let (server, issuer) = serve(&users, "json");
    let bearer =
        |token: &str| Client::of(&server).with_header("Authorization", &format!("Bearer {token}"));
    let alice = logged_in(&server, "alice");
    let own = alice.get("/v2/token?service=x&scope=repository:a:pull,push");
    let own = own.expect(200).json()["token"].as_str().unwrap().to_owned();
    let granted = [access("repository", "a", &["pull"])];
    let other = issuer.token(&json!({ "sub": "carol", "access": granted }));
    let nobodys = issuer.token(&json!({ "sub": "", "access": granted }));
    let expired = issuer.token(&json!({ "exp": 7, "access": granted }));
    let wrong = "a wrong word";

    let askers = [
        ("basic", alice, 404, Some("alice")),
        ("own", bearer(&own), 404, Some("alice")),
        ("other", bearer(&other), 404, Some("carol")),
        ("nobodys", bearer(&nobodys), 404, None),
        ("anybody", Client::of(&server), 404, None),
        ("expired", bearer(&expired), 401, None),
        (
            "guess",
            Client::of(&server).with_login("alice", wrong),
            401,
            None,
        ),
        (
            "typo",
            Client::of(&server).with_login("pass-for-a-name", wrong),
            401,
            None,
        ),
    ];
    for (mark, client, status, user) in askers {
        let query = format!("/v2/a/tags/list?mark={mark}");
        client.get(&query).expect(status);
        assert_eq!(user_of(&server, &query), user.map(Value::from), "{mark}");
    }
    let begun = bearer(&own).begin_upload("a").expect(202);
    assert!(begun.header("location").is_some());
    let form = format!(
        "grant_type=password&username=alice&password={}",
        password("alice")
    );
    let request = Client::of(&server);
    let request = request.request("POST", "/v2/token?mark=form").bytes(form);
    Client::of(&server).send(request).expect(200);
    assert_eq!(user_of(&server, "mark=form"), Some(json!("alice")));

    let basic = "YWxpY2U6d29yZC1vZi1hbGljZQ";
    let hash = fs::read_to_string(users.path()).unwrap();
    let (_, hash) = hash.trim().split_once(':').unwrap();
    let words = [
        SECRET,
        &password("alice"),
        basic,
        wrong,
        "pass-for-a-name",
        hash,
    ];
    let tokens = [&*own, &other, &nobodys, &expired];
    is_silent_about(&server, &[&words[..], &tokens].concat());
}

/// Fails when one of these is in the log.
#[track_caller]
fn is_silent_about(server: &TestServer, secrets: &[&str]) {
    let log = server.log();
    for secret in secrets {
        assert!(!log.contains(secret), "`{secret}` is in the log");
    }
}

#[test]
fn lines_of_text_have_the_user_in_its_place_and_a_dash_for_nobody() {
    let users = Users::of(&["alice"]);
    let (server, _issuer) = serve(&users, "text");
    logged_in(&server, "alice")
        .get("/v2/a/tags/list?mark=alice")
        .expect(404);
    Client::of(&server)
        .get("/v2/a/tags/list?mark=nobody")
        .expect(404);

    for (mark, start) in [
        ("mark=alice", "127.0.0.1 - alice ["),
        ("mark=nobody", "127.0.0.1 - - ["),
    ] {
        let line = eventually("the line of the request", || {
            let log = server.log();
            let mut lines = log.lines();
            lines
                .find(|line| line.contains(mark) && line.contains("HTTP/1.1\" 404"))
                .map(str::to_owned)
        });
        assert!(line.starts_with(start), "{line}");
    }
}

#[test]
fn the_access_log_names_the_holder_of_a_certificate() {
    let log = json!({ "log": { "level": "debug", "formatter": "json" } });
    let site = Site::new("verify-client-cert-if-given", "cn", &log);
    let builder = site.keys.client("builder");

    for (client, version, user) in [
        (Some(&builder), "--http1.1", Some("builder")),
        (Some(&builder), "--http2", Some("builder")),
        (None, "--http2", None),
    ] {
        let mark = format!("/v2/?mark={}{version}", user.unwrap_or("nobody"));
        site.status(client, version, &mark);
        assert_eq!(user_of(&site.server, &mark), user.map(Value::from));
    }
    for version in ["--http1.1", "--http2"] {
        let login = format!("{version} --user alice:{}", password("alice"));
        let mark = format!("/v2/?mark=login{version}");
        assert_eq!(site.status(None, &login, &mark), "200");
        assert_eq!(user_of(&site.server, &mark), Some(json!("alice")));
        let token = "a.token.that.is.none";
        let words = [version, "-H", &format!("Authorization: Bearer {token}")];
        let url = format!("{}/v2/", site.url());
        site.curl(None).run_words(&[&words[..], &[&url]].concat());
        is_silent_about(&site.server, &[token]);
    }
    let key = fs::read_to_string(&builder.key).unwrap();
    let line = key.lines().nth(1).unwrap();
    let basic = "YWxpY2U6d29yZC1vZi1hbGljZQ";
    is_silent_about(&site.server, &[line, basic, &password("alice")]);
}
