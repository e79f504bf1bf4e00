//! Passwords, certificates, tokens of another server, rules and nothing at all, in every combination.

use std::fs;

use boxyard_acceptance::{Authority, Docker, Network, Tool};
use boxyard_testkit::token::{KeyKind, SigningKey, TokenServer};
use boxyard_testkit::{Client, Image, Setup, TestServer, eventually};
use serde_json::{Value, json};

use crate::{Users, logged_in, password, rule};

/// A token server, with the section `auth.token` that believes it.
fn issuer(users: &Users) -> (TokenServer, Value) {
    let key = SigningKey::new(KeyKind::P256);
    let set = users.folder().join("jwks.json");
    fs::write(&set, json!({ "keys": [key.named_jwk("k")] }).to_string()).expect("write the keys");
    let issuer = TokenServer::start(key, &json!({ "alg": "ES256", "kid": "k" }));
    let mut section = issuer.config();
    section["jwks"] = json!(set);
    (issuer, section)
}

/// What there may be in `access`.
const RULES: [&str; 3] = ["no rules", "alice", "anyone"];

/// What the first answer asks a client for that says nothing of itself: `/v2/` without a certificate.
const TABLE: &str = "
nothing                        no rules 200
nothing                        anyone   200
passwords                      no rules 401 Basic realm=\"test\"
passwords                      alice    401 Basic realm=\"test\"
passwords                      anyone   401 Bearer realm=\"URL/v2/token\",service=\"HOST\"
certificates                   no rules 403
certificates                   alice    403
certificates                   anyone   200
passwords certificates         no rules 401 Basic realm=\"test\"
passwords certificates         alice    401 Basic realm=\"test\"
passwords certificates         anyone   401 Bearer realm=\"URL/v2/token\",service=\"HOST\"
tokens                         no rules 401 Bearer realm=\"REALM\",service=\"registry.example\"
tokens                         alice    401 Bearer realm=\"REALM\",service=\"registry.example\"
tokens                         anyone   401 Bearer realm=\"REALM\",service=\"registry.example\"
passwords tokens               no rules 401 Bearer realm=\"REALM\",service=\"registry.example\"
passwords tokens               alice    401 Bearer realm=\"REALM\",service=\"registry.example\"
passwords tokens               anyone   401 Bearer realm=\"REALM\",service=\"registry.example\"
certificates tokens            no rules 401 Bearer realm=\"REALM\",service=\"registry.example\"
certificates tokens            alice    401 Bearer realm=\"REALM\",service=\"registry.example\"
certificates tokens            anyone   401 Bearer realm=\"REALM\",service=\"registry.example\"
passwords certificates tokens  no rules 401 Bearer realm=\"REALM\",service=\"registry.example\"
passwords certificates tokens  alice    401 Bearer realm=\"REALM\",service=\"registry.example\"
passwords certificates tokens  anyone   401 Bearer realm=\"REALM\",service=\"registry.example\"
";

#[test]
fn every_combination_asks_for_what_the_table_says() {
    let users = Users::of(&["alice"]);
    let authority = Authority::new(users.folder(), "ca");
    let mut tls = authority.server("server").tls();
    tls["clientcas"] = json!([authority.certificate]);
    tls["clientauth"] = json!("verify-client-cert-if-given");
    let (issuer, token) = issuer(&users);
    let sections = [
        ("passwords", "htpasswd", users.auth()["htpasswd"].clone()),
        ("certificates", "certificate", json!({ "name": "cn" })),
        ("tokens", "token", token),
    ];

    let mut table = String::from("\n");
    for chosen in 0..8_u8 {
        let chosen = sections
            .iter()
            .enumerate()
            .filter(|(index, _)| chosen & (1 << index) != 0);
        let chosen: Vec<_> = chosen.map(|(_, section)| section).collect();
        let names: Vec<&str> = chosen.iter().map(|(name, _, _)| *name).collect();
        let names = if names.is_empty() {
            "nothing".to_owned()
        } else {
            names.join(" ")
        };
        for rules in RULES {
            let mut config = json!({ "http": { "tls": tls } });
            for (_, key, section) in &chosen {
                config["auth"][key] = section.clone();
            }
            if rules != RULES[0] {
                config["access"] = json!([rule(rules, "**", &["*"])]);
            }
            let setup = Setup::new().config(&config);
            if chosen.is_empty() && rules == "alice" {
                let refusal = setup.refuse();
                assert!(refusal.log.contains("nobody can show who they are"));
                continue;
            }
            let server = setup.start();
            let asked = asked(&users, &server, &issuer);
            table += format!("{names:<30} {rules:<8} {asked}").trim_end();
            table += "\n";
        }
    }

    assert_eq!(table, TABLE);
}

#[test]
fn no_authenticator_beside_one_opens_nothing() {
    let users = Users::of(&["alice"]);
    let mut auth = users.auth();
    auth["none"] = json!({});
    let server = Setup::new().config(&json!({ "auth": auth })).start();

    Client::of(&server)
        .check()
        .expect_error(401, "UNAUTHORIZED");
    logged_in(&server, "alice").check().expect(200);
}

/// Status and challenge of `/v2/`, with names for what is different in each run.
fn asked(users: &Users, server: &TestServer, issuer: &TokenServer) -> String {
    let host = format!("localhost:{}", server.address().port());
    let url = format!("https://{host}");
    let curl = Tool::new(users.folder(), "curl -sS --insecure --max-time 30");
    let format = "%{http_code} %header{www-authenticate}";
    let answer = curl.run_words(&["-o", "/dev/null", "-w", format, &format!("{url}/v2/")]);
    answer
        .replace(&issuer.realm(), "REALM")
        .replace(&url, "URL")
        .replace(&host, "HOST")
}

/// A registry with all of them, whose token server knows `alice` and grants nothing, so that only rules decide.
struct Site {
    /// Stops first, before the files of the others go.
    server: TestServer,
    users: Users,
    issuer: TokenServer,
}

impl Site {
    fn new() -> Self {
        let users = Users::of(&["robot"]);
        let (issuer, token) = issuer(&users);
        issuer.grant_nothing();
        let mut auth = users.auth();
        auth["token"] = token;
        let rules = [
            rule("anyone", "public/**", &["pull"]),
            rule("alice", "public/**", &["pull", "push"]),
            rule("robot", "**", &["pull", "push"]),
        ];
        let server = Setup::new()
            .config(&json!({ "auth": auth, "access": rules }))
            .start();
        Self {
            server,
            users,
            issuer,
        }
    }

    fn host(&self) -> String {
        self.server.address().to_string()
    }
}

#[test]
fn debians_docker_is_told_by_rules_what_it_may_with_a_token_that_grants_nothing() {
    docker(&Docker::debian(Network::Machine));
}

#[test]
fn the_newest_docker_is_told_by_rules_what_it_may_with_a_token_that_grants_nothing() {
    docker(&Docker::newest(Network::Machine));
}

fn docker(docker: &Docker) {
    let site = Site::new();
    let (host, client) = (site.host(), docker.client());
    let image = Image::with_layers(1, &[10, 20_000]);
    let (public, hidden) = (
        format!("{host}/public/app:v1"),
        format!("{host}/hidden/app:v1"),
    );
    docker.load(&image, &public);
    docker.run(format!("image tag {public} {hidden}"));
    let login = |user: &str, password: &str| {
        format!("login --username {user} --password {password} {host}")
    };

    client.fail(format!("image push {public}"));
    docker.run(login(TokenServer::USER, TokenServer::PASSWORD));
    docker.run(format!("image push {public}"));
    client.fail(format!("image push {hidden}"));
    docker.run(format!("logout {host}"));
    docker.run(format!("image rm {public}"));
    docker.run(format!("image pull {public}"));

    // Docker asks the token server, which knows nobody of the password file.
    let said = client.fail(login("robot", &password("robot")));
    assert!(said.to_lowercase().contains("unauthorized"), "{said}");
    let asked = site.issuer.asked();
    assert!(
        asked
            .iter()
            .any(|asked| asked.user.as_deref() == Some("alice"))
    );
    assert!(asked.iter().any(|asked| asked.status == 401), "{asked:?}");
}

#[test]
fn who_sends_a_password_unasked_is_known_beside_tokens_of_another_server() {
    let site = Site::new();
    let robot = logged_in(&site.server, "robot");
    let image = Image::with_layers(2, &[10]);

    robot.push_image("hidden/app", "v1", &image).expect(201);
    robot.pull_image("hidden/app", "v1");
    let own = robot
        .get("/v2/token?scope=repository:hidden/app:pull")
        .expect(200)
        .json();
    let bearer = format!("Bearer {}", own["token"].as_str().unwrap());
    let own = Client::of(&site.server).with_header("Authorization", &bearer);
    own.get_manifest("hidden/app", "v1").expect(200);
    own.begin_upload("hidden/app").expect(401);

    site.users.delete("robot");
    eventually("the robot to be out", || {
        (robot.check().status() == Some(401)).then_some(())
    });
    own.get_manifest("hidden/app", "v1").expect(401);
}
