//! The log of the program and the log of its requests.
//!
//! Both keep the forms that distribution has: the program's log on standard error as `logfmt`, JSON or logstash's JSON, the requests' on standard output.

pub(crate) mod about;
pub(crate) mod access;
mod go_duration;
mod layer;
pub(crate) mod level;
mod line;
mod sink;

use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::config::Tracing;
use crate::traces::{Pipeline, TracesError};
use level::LogLevel;
use line::Terminal;
pub(crate) use sink::Sink;
use sink::SinkGuard;

/// How long a line of the access log waits for others, so that one wakeup and one write serve many; who reads along does not see it.
///
/// The log of the program waits for nothing: it is seldom written, and its last lines may say why the process died.
const GATHER: Duration = Duration::from_millis(10);

/// How lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// `time=… level=… msg=…`, and the Combined Log Format.
    #[default]
    Text,
    /// One JSON object for each line.
    Json,
    /// The same with the names that logstash expects.
    Logstash,
}

/// What is logged, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The least important lines that are written.
    pub level: LevelFilter,
    /// How lines are written.
    pub format: Format,
    /// Fields that every line has.
    pub fields: Map<String, Value>,
    /// Whether requests are logged.
    pub access: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            level: LevelFilter::INFO,
            format: Format::Text,
            fields: Map::new(),
            access: true,
        }
    }
}

/// What happens cannot be written down.
#[derive(Debug, thiserror::Error)]
pub enum LogsError {
    /// The process has logs already.
    #[error("begin to log twice")]
    Twice(#[source] TryInitError),
    /// Requests are to be traced, and cannot be.
    #[error("begin to trace requests")]
    Traces(#[source] TracesError),
}

/// The running logs; dropping it writes what still waits.
#[derive(Debug)]
pub struct Logs {
    pub(crate) requests: access::AccessLog,
    pub(crate) level: LogLevel,
    /// It comes before the guards, since it still has things to say.
    _traces: Option<Pipeline>,
    _guards: Vec<SinkGuard>,
}

impl Logs {
    /// Begins to log, once for the process.
    pub fn start(settings: &Settings) -> Result<Self, LogsError> {
        Self::start_with(settings, None)
    }

    /// Begins to log, and to trace requests if the configuration asks for that.
    pub fn start_and_trace(settings: &Settings, traced: &Tracing) -> Result<Self, LogsError> {
        let pipeline = Pipeline::start(traced).map_err(LogsError::Traces)?;
        let logs = Self::start_with(settings, pipeline)?;
        if let Some(endpoint) = &traced.endpoint {
            let collector = endpoint.origin().ascii_serialization();
            tracing::info!(collector, "requests are traced");
        }
        Ok(logs)
    }

    fn start_with(settings: &Settings, traces: Option<Pipeline>) -> Result<Self, LogsError> {
        let (errors, program) = Sink::new(std::io::stderr(), Duration::ZERO);
        let (output, requests) = Sink::new(std::io::stdout(), GATHER);
        let (level, filter) = LogLevel::new(settings.level);
        let lines = layer::Lines::new(settings, errors, Terminal::of_errors());
        let subscriber = tracing_subscriber::registry().with(lines.with_filter(filter));
        match &traces {
            Some(traces) => subscriber.with(traces.layer()).try_init(),
            None => subscriber.try_init(),
        }
        .map_err(LogsError::Twice)?;
        Ok(Self {
            requests: access::AccessLog::new(settings, output),
            level,
            _traces: traces,
            _guards: vec![program, requests],
        })
    }

    /// Logs that nobody reads, for servers inside another program.
    pub fn silent() -> Self {
        Self {
            requests: access::AccessLog::silent(),
            level: LogLevel::silent(),
            _traces: None,
            _guards: Vec::new(),
        }
    }
}

/// A number that tells the runs of the program apart, in ids of requests.
pub(crate) fn run_id() -> u32 {
    static ID: OnceLock<u32> = OnceLock::new();
    *ID.get_or_init(|| {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        // Seconds in the upper bits keep ids of later runs later; the rest tells quick restarts apart.
        let hundredths = now.as_millis() / 10;
        u32::try_from(hundredths & u128::from(u32::MAX)).expect("it was cut to 32 bits")
    })
}
