//! From events and spans to lines.

use std::fmt;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::{LookupSpan, Scope};

use super::line::{Line, Terminal};
use super::{Format, Settings, Sink, about};

/// Writes a line for each event, with the fields of the spans around it.
#[derive(Debug)]
pub(super) struct Lines {
    out: Sink,
    format: Format,
    /// Text that a person reads as it comes has a form of its own.
    terminal: Option<Terminal>,
    fields: Map<String, Value>,
}

/// The fields of a span, kept with it.
#[derive(Debug, Default)]
struct Fields {
    message: String,
    others: Vec<(&'static str, Value)>,
}

impl Lines {
    pub(super) fn new(settings: &Settings, out: Sink, terminal: Option<Terminal>) -> Self {
        Self {
            out,
            terminal: terminal.filter(|_| settings.format == Format::Text),
            format: settings.format,
            fields: settings.fields.clone(),
        }
    }
}

impl<S> Layer<S> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut own = Fields::default();
        event.record(&mut own);
        let mut around = about::fields();
        for span in context
            .event_scope(event)
            .into_iter()
            .flat_map(Scope::from_root)
        {
            if let Some(fields) = span.extensions().get::<Fields>() {
                around.extend(fields.others.iter().cloned());
            }
        }
        let configured = self
            .fields
            .iter()
            .map(|(name, value)| (name.as_str(), value));
        let others = around
            .iter()
            .chain(&own.others)
            .map(|(name, value)| (*name, value));
        let line = Line {
            at: Timestamp::now(),
            level: *event.metadata().level(),
            message: own.message.clone(),
            fields: configured.chain(others).collect(),
        };
        let line = match self.terminal {
            Some(terminal) => line.on(terminal),
            None => line.render(self.format),
        };
        self.out.write(&line);
    }
}

impl Fields {
    fn add(&mut self, field: &Field, value: Value) {
        if !field.name().starts_with(crate::traces::FIELDS) {
            self.others.push((field.name(), value));
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        if field.name() == "message" {
            self.message = text;
        } else {
            self.add(field, Value::String(text));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.message);
        } else {
            self.add(field, json!(value));
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, json!(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, json!(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, json!(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, json!(value));
    }
}
