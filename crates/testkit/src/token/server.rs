//! A token server: it grants tokens over HTTP, and remembers who asked for what.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{SigningKey, access, token};

/// The issuer of its tokens.
const ISSUER: &str = "https://issuer.example";
/// The service that they are for.
const SERVICE: &str = "registry.example";
/// For how many seconds clients believe every token at least.
const SHORTEST: i64 = 60;
/// The longest form that it reads.
const FORM: usize = 64 * 1024;

/// A running token server; anybody may pull, and whoever has a password may do everything.
#[derive(Debug)]
pub struct TokenServer {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    key: SigningKey,
    header: Value,
    /// For how long from now a token is to be believed.
    lifetime: AtomicI64,
    /// Whether tokens grant anything, or only say whose they are.
    grants: AtomicBool,
    /// Whether who logs in gets a token by which to get more, instead of keeping the password.
    refreshes: AtomicBool,
    asked: Mutex<Vec<Asked>>,
    ends: AtomicBool,
}

/// One request for a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// GET or POST.
    pub method: String,
    /// The program that asked, as it calls itself.
    pub agent: String,
    /// Who asked, if they had the password.
    pub user: Option<String>,
    /// Query or form but for what is secret.
    pub fields: Vec<(String, String)>,
    /// The status of the answer.
    pub status: u16,
}

impl TokenServer {
    /// The user whose password is [`PASSWORD`](Self::PASSWORD).
    pub const USER: &'static str = "alice";
    /// The password of [`USER`](Self::USER).
    pub const PASSWORD: &'static str = "correct-horse";

    /// Starts a server that signs with `key` and puts this into the header of its tokens.
    #[track_caller]
    pub fn start(key: SigningKey, header: &Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
        let address = listener.local_addr().expect("it has an address");
        let state = Arc::new(State {
            key,
            header: header.clone(),
            lifetime: AtomicI64::new(300),
            grants: AtomicBool::new(true),
            refreshes: AtomicBool::new(false),
            asked: Mutex::default(),
            ends: AtomicBool::new(false),
        });
        let served = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if served.ends.load(Ordering::SeqCst) {
                    return;
                }
                let state = Arc::clone(&served);
                // A client that leaves is its own business.
                thread::spawn(move || drop(state.serve(stream)));
            }
        });
        Self { address, state }
    }

    /// Where tokens are granted.
    pub fn realm(&self) -> String {
        // Some clients refuse a private address where a name would do.
        format!("http://localhost:{}/token", self.address.port())
    }

    /// The part of a registry's configuration that believes its tokens, but for the keys.
    pub fn config(&self) -> Value {
        json!({ "realm": self.realm(), "service": SERVICE, "issuer": ISSUER })
    }

    /// Lets new tokens say only whose they are, and grant nothing.
    pub fn grant_nothing(&self) {
        self.state.grants.store(false, Ordering::SeqCst);
    }

    /// Gives who logs in with `offline_token` a token by which to get more, as Docker asks for it.
    pub fn give_refresh_tokens(&self) {
        self.state.refreshes.store(true, Ordering::SeqCst);
    }

    /// Lets new tokens end this many seconds from now, which clients are told by when they were issued.
    ///
    /// A registry may believe them for a minute more, and clients none for less than a minute from then on.
    pub fn set_lifetime(&self, seconds: i64) {
        self.state.lifetime.store(seconds, Ordering::SeqCst);
    }

    /// A token with these claims over the usual ones, made without asking.
    #[track_caller]
    pub fn token(&self, claims: &Value) -> String {
        let mut all = self.state.claims(Some(Self::USER), &[]);
        for (name, value) in claims.as_object().into_iter().flatten() {
            all[name] = value.clone();
        }
        token(&self.state.header, &all, &self.state.key)
    }

    /// Who asked for what until now.
    pub fn asked(&self) -> Vec<Asked> {
        self.state.asked.lock().expect("no holder panics").clone()
    }
}

impl Drop for TokenServer {
    fn drop(&mut self) {
        self.state.ends.store(true, Ordering::SeqCst);
        // The listener wakes up once more, to see that it ends.
        drop(TcpStream::connect(self.address));
    }
}

impl State {
    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let mut words = line.split_whitespace().map(str::to_owned);
        let (method, target) = (words.next(), words.next());
        let (Some(method), Some(target)) = (method, target) else {
            return Ok(());
        };
        let headers = headers(&mut reader)?;
        let length = headers
            .get("content-length")
            .and_then(|text| text.parse().ok());
        let mut form = vec![0; length.unwrap_or(0).min(FORM)];
        reader.read_exact(&mut form)?;
        let query = target.split_once('?').map_or("", |(_, query)| query);
        let fields = match method.as_str() {
            "POST" => fields(&String::from_utf8_lossy(&form)),
            _ => fields(query),
        };
        let (status, body) = self.answer(&method, &headers, &fields);
        let mut stream = reader.into_inner();
        write!(
            stream,
            "HTTP/1.1 {status} Answer\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
    }

    fn answer(
        &self,
        method: &str,
        headers: &BTreeMap<String, String>,
        fields: &[(String, String)],
    ) -> (u16, String) {
        let (user, status) = match claimed(headers, fields) {
            None => (None, 200),
            Some((user, word)) if user == TokenServer::USER && word == TokenServer::PASSWORD => {
                (Some(user), 200)
            }
            Some((_, word)) if word == "refresh-of-alice" => (Some("alice".to_owned()), 200),
            Some(_) => (None, 401),
        };
        let public =
            |(name, _): &&(String, String)| !matches!(name.as_str(), "password" | "refresh_token");
        self.asked.lock().expect("no holder panics").push(Asked {
            method: method.to_owned(),
            agent: headers.get("user-agent").cloned().unwrap_or_default(),
            user: user.clone(),
            fields: fields.iter().filter(public).cloned().collect(),
            status,
        });
        if status != 200 {
            let body = json!({ "errors": [{ "code": "UNAUTHORIZED", "message": "wrong" }] });
            return (status, body.to_string());
        }
        (200, self.grant(user.as_deref(), fields).to_string())
    }

    fn grant(&self, user: Option<&str>, fields: &[(String, String)]) -> Value {
        let scopes = fields.iter().filter(|(name, _)| name == "scope");
        let scopes = scopes.flat_map(|(_, value)| value.split(' '));
        let granted = scopes.filter_map(|scope| {
            let (kind, rest) = scope.split_once(':')?;
            let (name, actions) = rest.rsplit_once(':')?;
            let grants = self.grants.load(Ordering::SeqCst);
            let allowed = |action: &&str| grants && (user.is_some() || *action == "pull");
            let actions: Vec<_> = actions.split(',').filter(allowed).collect();
            Some(access(kind, name, &actions))
        });
        let claims = self.claims(user, &granted.collect::<Vec<_>>());
        let text = token(&self.header, &claims, &self.key);
        let asks = |asked: (&str, &str)| {
            fields
                .iter()
                .any(|(name, value)| (name.as_str(), value.as_str()) == asked)
        };
        let wants_refresh = asks(("access_type", "offline"))
            || (self.refreshes.load(Ordering::SeqCst) && asks(("offline_token", "true")));
        let lifetime = self.lifetime.load(Ordering::SeqCst);
        let told = lifetime.max(SHORTEST);
        let issued = Timestamp::now() + SignedDuration::from_secs(lifetime - told);
        let mut answer = json!({
            "token": text, "access_token": text,
            "expires_in": told, "issued_at": issued.to_string(),
        });
        if wants_refresh && user.is_some() {
            answer["refresh_token"] = json!("refresh-of-alice");
        }
        answer
    }

    fn claims(&self, user: Option<&str>, access: &[Value]) -> Value {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = since.expect("it is after 1970").as_secs();
        let now = i64::try_from(now).expect("it is long before the end of time");
        json!({
            "iss": ISSUER, "sub": user.unwrap_or_default(), "aud": SERVICE,
            "exp": now + self.lifetime.load(Ordering::SeqCst), "nbf": now - 10, "iat": now,
            "jti": "1", "access": access,
        })
    }
}

/// The user and the password, by `Basic` or by a form, or a refresh token in the place of a password.
fn claimed(
    headers: &BTreeMap<String, String>,
    fields: &[(String, String)],
) -> Option<(String, String)> {
    let field = |wanted: &str| {
        let found = fields.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.clone())
    };
    if let Some(token) = field("refresh_token") {
        return Some((String::new(), token));
    }
    if let Some(word) = field("password") {
        return Some((field("username").unwrap_or_default(), word));
    }
    let basic = headers.get("authorization")?.strip_prefix("Basic ")?;
    let text = String::from_utf8(STANDARD.decode(basic).ok()?).ok()?;
    let (user, word) = text.split_once(':')?;
    Some((user.to_owned(), word.to_owned()))
}

fn headers(reader: &mut impl BufRead) -> io::Result<BTreeMap<String, String>> {
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            return Ok(headers);
        };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
}

fn fields(text: &str) -> Vec<(String, String)> {
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits: Vec<u8> = rest.by_ref().take(2).collect();
                let digits = String::from_utf8_lossy(&digits).into_owned();
                u8::from_str_radix(&digits, 16).unwrap_or(b'?')
            }
            other => other,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
