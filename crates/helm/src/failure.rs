//! Errors of rendering, formatted as each version of Helm formats them.

use gotemplate::{CallError, Cause, ExecError, ParseError, RunError};

use crate::Version;
use crate::functions::warning;

/// A template that does not parse: location and the last part of the message.
pub(crate) fn parse_text(error: &ParseError) -> String {
    let text = error.to_string();
    let parts: Vec<&str> = text.split(": ").collect();
    let (location, message) = (parts[1], parts[parts.len() - 1]);
    format!("parse error at ({location}): {message}")
}

/// A template that fails.
pub(crate) fn exec_text(version: Version, error: &RunError) -> String {
    let text = error.to_string();
    let RunError::Exec(exec) = error else {
        return text;
    };
    let mut parts = text.splitn(3, ": ");
    let (_, location, rest) = (parts.next(), parts.next(), parts.next());
    if let (Some(location), Some(message)) = (location, rest.and_then(warning)) {
        return format!("execution error at ({location}): {message}");
    }
    match version {
        Version::V3 => text,
        Version::V4 => blocks(exec).unwrap_or(text),
    }
}

/// One level of an error chain as Helm 4 shows it.
#[derive(PartialEq, Eq)]
struct Level {
    location: String,
    function: String,
    message: String,
}

/// The chain in blocks; `None` where a level is not an error of the template language.
fn blocks(error: &ExecError) -> Option<String> {
    let mut levels: Vec<Level> = Vec::new();
    let mut push = |level: Level| {
        if levels.last() != Some(&level) {
            levels.push(level);
        }
    };
    let mut current = error;
    loop {
        push(parse_level(&shallow(current))?);
        let Cause::Call { error, .. } = &current.cause else {
            break;
        };
        match error {
            CallError::Exec(prefix, inner) if prefix.is_empty() => current = inner,
            other => {
                push(parse_level(&other.to_string())?);
                break;
            }
        }
    }
    let mut out = String::new();
    for level in &levels {
        let parts = [
            (&level.location, "\n  "),
            (&level.function, "\n    "),
            (&level.message, "\n"),
        ];
        for (text, end) in parts {
            if !text.is_empty() {
                out.push_str(text);
                out.push_str(end);
            }
        }
    }
    Some(out.trim().to_owned())
}

/// The text of one level. Deeper levels are cut off when it is parsed, so they are not written at all.
fn shallow(error: &ExecError) -> String {
    match &error.cause {
        Cause::Call {
            function,
            error: CallError::Exec(prefix, _),
        } if prefix.is_empty() => {
            format!("{}error calling {function}: template:", error.context())
        }
        cause => format!("{}{cause}", error.context()),
    }
}

fn parse_level(text: &str) -> Option<Level> {
    let rest = text.strip_prefix("template: ")?;
    let level = |location: &str, function: String, message: &str| Level {
        location: location.to_owned(),
        function,
        message: message.to_owned(),
    };
    if rest.starts_with("no template ") {
        return Some(level("", String::new(), text));
    }
    if let Some(found) = executing(rest) {
        return Some(found);
    }
    let (location, message) = rest.rsplit_once(": ")?;
    Some(level(location, String::new(), cut(message)))
}

fn executing(rest: &str) -> Option<Level> {
    let (location, after) = rest.split_once(": executing ")?;
    let (name, after) = after.strip_prefix('"')?.split_once('"')?;
    let (node, message) = after.strip_prefix(" at <")?.split_once(">: ")?;
    Some(Level {
        location: location.to_owned(),
        function: format!("executing \"{name}\" at <{node}>:"),
        message: cut(message).to_owned(),
    })
}

/// A message up to the next error of the chain.
fn cut(message: &str) -> &str {
    message
        .split_once(" template:")
        .map_or(message, |(before, _)| before)
}
