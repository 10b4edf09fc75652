//! Flag values as Go's flag libraries read them.
//!
//! Upstream's flags take `--wait`, `--wait=true` and `--wait=f` alike, durations such as `1h30m`, and the last
//! of a repeated flag wins. [`go_style`] turns a whole clap tree to these rules, so that argument structs
//! stay plain `bool`, `String` and `Vec<String>`.

use clap::builder::ValueParser;
use clap::{Arg, ArgAction, Command};

/// A duration in nanoseconds, as Go reads and prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GoDuration(pub i64);

impl GoDuration {
    /// Returns the duration for waiting; a negative one is zero.
    pub fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_nanos(u64::try_from(self.0).unwrap_or(0))
    }
}

impl std::str::FromStr for GoDuration {
    type Err = gocompat::duration::ParseDurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        gocompat::duration::parse(text).map(Self)
    }
}

impl std::fmt::Display for GoDuration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&gocompat::duration::format(self.0))
    }
}

/// Reads what Go's `strconv.ParseBool` reads, with its words for everything else.
pub fn go_bool(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(format!(
            "strconv.ParseBool: parsing {text:?}: invalid syntax"
        )),
    }
}

/// Splits the values of a `stringSlice` flag: each value is a comma-separated list.
pub fn string_slice(values: &[String]) -> Vec<String> {
    values
        .iter()
        .filter(|value| !value.is_empty())
        .flat_map(|value| comma_separated(value))
        .collect()
}

/// Splits a line of comma-separated values, where quotes keep a comma and a doubled quote is one.
fn comma_separated(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        let field = fields.last_mut().expect("there is always a field");
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' if quoted || field.is_empty() => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            c => field.push(c),
        }
    }
    fields
}

/// Applies Go's flag rules to a command and everything below it.
pub fn go_style(command: Command) -> Command {
    command
        .args_override_self(true)
        .mut_args(go_arg)
        .mut_subcommands(go_style)
}

fn go_arg(arg: Arg) -> Arg {
    if arg.is_positional() {
        return arg;
    }
    match arg.get_action() {
        ArgAction::SetTrue => arg
            .action(ArgAction::Set)
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .default_value("false")
            .hide_default_value(true)
            .value_name("BOOL")
            .value_parser(ValueParser::new(go_bool)),
        ArgAction::Set | ArgAction::Append => arg.allow_hyphen_values(true),
        _ => arg,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_keep_quoted_commas() {
        for (line, fields) in [
            ("a,b", &["a", "b"][..]),
            ("\"a,b\",c", &["a,b", "c"]),
            ("\"a\"\"b\"", &["a\"b"]),
            ("a\"b", &["a\"b"]),
            (",", &["", ""]),
        ] {
            assert_eq!(string_slice(&[line.to_owned()]), fields, "{line}");
        }
    }

    #[test]
    fn booleans_are_read_as_go_does() {
        for (text, value) in [("1", true), ("T", true), ("True", true), ("f", false)] {
            assert_eq!(go_bool(text), Ok(value), "{text}");
        }
        assert_eq!(
            go_bool("yes").unwrap_err(),
            "strconv.ParseBool: parsing \"yes\": invalid syntax"
        );
    }
}
