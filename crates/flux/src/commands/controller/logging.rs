//! Log lines in the shape of upstream's controllers, which `flux logs` and log pipelines read.

use std::fmt;

use jiff::Timestamp;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use crate::error::{CliError, CliResult};

/// Starts logging to stderr.
pub fn init(level: &str, encoding: &str) -> CliResult {
    let level = match level {
        "trace" => "trace",
        "debug" => "debug",
        "info" => "info",
        "error" => "error",
        other => return Err(CliError::user(format!("invalid log level {other:?}"))),
    };
    // Libraries below keep quiet unless something is wrong.
    let filter = EnvFilter::new(format!(
        "{level},hyper=error,h2=error,reqwest=error,kube=error"
    ));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let started = match encoding {
        "json" => builder
            .fmt_fields(JsonFields::new())
            .event_format(UpstreamJson)
            .try_init(),
        "console" => builder.with_ansi(false).try_init(),
        other => return Err(CliError::user(format!("invalid log encoding {other:?}"))),
    };
    started.map_err(|error| CliError::internal(error.to_string()))
}

/// `{"level","ts","msg",…}` with the fields of all spans, as zap writes it for controller-runtime.
struct UpstreamJson;

impl<S> FormatEvent<S, JsonFields> for UpstreamJson
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        ctx: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Map::new();
        for span in ctx
            .event_scope()
            .into_iter()
            .flat_map(|scope| scope.from_root())
        {
            let extensions = span.extensions();
            let text = extensions.get::<FormattedFields<JsonFields>>();
            if let Some(Ok(Value::Object(map))) = text.map(|t| serde_json::from_str(&t.fields)) {
                fields.extend(map);
            }
        }
        event.record(&mut Collect(&mut fields));
        let message = fields.remove("message").unwrap_or_default();
        let mut line = Map::new();
        line.insert("level".into(), level_name(*event.metadata().level()).into());
        line.insert("ts".into(), timestamp(Timestamp::now()).into());
        line.insert("msg".into(), message);
        name_object(&mut fields);
        line.extend(fields);
        writeln!(writer, "{}", Value::Object(line))
    }
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        // Upstream has no warnings.
        Level::WARN | Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

/// ISO 8601 with milliseconds.
fn timestamp(now: Timestamp) -> String {
    format!("{now:.3}")
}

/// Adds `{"<Kind>": {"name", "namespace"}}`, as controller-runtime does.
fn name_object(fields: &mut Map<String, Value>) {
    let Some(kind) = fields.get("controllerKind").and_then(Value::as_str) else {
        return;
    };
    let object = serde_json::json!({
        "name": fields.get("name").cloned().unwrap_or_default(),
        "namespace": fields.get("namespace").cloned().unwrap_or_default(),
    });
    fields.insert(kind.to_owned(), object);
}

struct Collect<'a>(&'a mut Map<String, Value>);

impl Visit for Collect<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        // Structured outputs are recorded as their JSON text.
        let value = match text.starts_with('{').then(|| serde_json::from_str(&text)) {
            Some(Ok(value)) => value,
            _ => Value::String(text),
        };
        self.0.insert(field.name().to_owned(), value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}
