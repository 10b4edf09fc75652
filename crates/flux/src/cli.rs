//! From the process's arguments to a command: the clap tree, and upstream's words for what is wrong.
//!
//! Upstream's parser accepts more than clap does by itself (see [`crate::flags`]) and says other words; a
//! group without a known leaf prints its help and succeeds.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, Args as _, Command as ClapCommand, CommandFactory, FromArgMatches, Parser};

use crate::commands::Command;
use crate::commands::helm::flagset;
use crate::error::{CliError, CliResult};
use crate::flags::go_style;
use crate::globals::GlobalArgs;
use crate::output::Output;

/// Exit code of `flux dev` for wrong arguments; all other commands use 1, as upstream does.
const DEV_USAGE_EXIT_CODE: u8 = 2;

/// Commands of upstream that this program does not have yet.
const LATER_COMMANDS: [&str; 7] = [
    "bootstrap",
    "install",
    "migrate",
    "plugin",
    "trigger",
    "uninstall",
    "docgen",
];

/// GitOps for Kubernetes: builds, applies and watches what Git says.
///
/// Ferroflux, compatible with Flux v2.9.
#[derive(Parser, Debug)]
#[command(
    name = "flux",
    disable_version_flag = true,
    subcommand_required = true,
    arg_required_else_help = true
)]
struct Cli {
    #[command(flatten)]
    globals: GlobalArgs,
    #[command(subcommand)]
    command: Command,
}

/// What the arguments ask for.
#[derive(Debug)]
pub enum Parsed {
    /// Print this (help, version) and succeed.
    Text(String),
    /// Run a command.
    Command(Box<GlobalArgs>, Command),
}

/// Returns the whole command tree, as completion scripts need it.
pub fn tree() -> ClapCommand {
    go_style(Cli::command())
}

/// Reads the process's arguments; the first one is the program.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> CliResult<Parsed> {
    let args: Vec<OsString> = args.into_iter().collect();
    if args.len() == 2 && (args[1] == "--version" || args[1] == "-v") {
        return Ok(Parsed::Text(format!("flux version {}\n", crate::VERSION)));
    }
    let args = plain_helm(args)?;
    if let Some(parsed) = parse_branch(&args) {
        return Ok(parsed);
    }
    let parsed =
        matches(tree(), &args).and_then(|mut matches| Cli::from_arg_matches_mut(&mut matches));
    match parsed {
        Ok(cli) => Ok(Parsed::Command(Box::new(cli.globals), cli.command)),
        Err(error) => explain(&error, tree(), &args),
    }
}

fn matches(mut tree: ClapCommand, args: &[OsString]) -> Result<ArgMatches, clap::Error> {
    let matches = tree.try_get_matches_from_mut(args);
    // Taking the tree apart would cost as much as a small build.
    std::mem::forget(tree);
    matches
}

/// Arguments of `flux helm` are read as helm reads them, and handed on in a plain form.
fn plain_helm(args: Vec<OsString>) -> CliResult<Vec<OsString>> {
    let texts: Option<Vec<String>> = args.iter().map(|a| a.to_str().map(str::to_owned)).collect();
    let around = texts.and_then(|texts| flagset::around_helm(texts.get(1..)?));
    let Some(around) = around else {
        return Ok(args);
    };
    match flagset::read(&around, Output::new()) {
        flagset::Outcome::Tree => Ok(args),
        flagset::Outcome::Wrong(error) => Err(CliError::user(error).plain()),
        flagset::Outcome::Plain(rest) => {
            let rest = rest.into_iter().map(OsString::from);
            Ok([args[0].clone(), "helm".into()]
                .into_iter()
                .chain(rest)
                .collect())
        }
    }
}

/// Parses the commands that run in a few milliseconds by their own branch of the tree: the whole one would cost
/// more than they do. None for other commands, and where the whole tree has to say what is wrong.
fn parse_branch(args: &[OsString]) -> Option<Parsed> {
    match args.get(1)?.to_str()? {
        "build" => branch("build", Command::Build, args),
        "helm" => branch("helm", Command::Helm, args),
        "kustomize" => branch("kustomize", Command::Kustomize, args),
        _ => None,
    }
}

fn branch<A: clap::Args>(
    name: &'static str,
    command: fn(A) -> Command,
    args: &[OsString],
) -> Option<Parsed> {
    let tree = GlobalArgs::augment_args(ClapCommand::new("flux"));
    let tree = tree.subcommand(A::augment_args(ClapCommand::new(name)));
    let mut matches = matches(go_style(tree), args).ok()?;
    let globals = GlobalArgs::from_arg_matches_mut(&mut matches).ok()?;
    let (_, mut inner) = matches.remove_subcommand()?;
    let parsed = A::from_arg_matches_mut(&mut inner).ok()?;
    Some(Parsed::Command(Box::new(globals), command(parsed)))
}

fn explain(error: &clap::Error, mut tree: ClapCommand, args: &[OsString]) -> CliResult<Parsed> {
    tree.build();
    let (path, command) = command_named(&tree, args);
    let message = match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            return Ok(Parsed::Text(error.render().to_string()));
        }
        ErrorKind::MissingSubcommand => return Ok(help(command)),
        ErrorKind::InvalidSubcommand if path != "flux" => return Ok(help(command)),
        ErrorKind::InvalidSubcommand => unknown_command(error, &path),
        ErrorKind::UnknownArgument => unknown_argument(error, &path),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => invalid_value(error, command),
        _ => first_line(error),
    };
    let mut failure = CliError::user(message);
    let word = text_of(error, ContextKind::InvalidSubcommand);
    if LATER_COMMANDS.contains(&word.as_str()) {
        failure = failure.hint(format!(
            "`flux {word}` of upstream is not part of this version yet"
        ));
    }
    if path.starts_with("flux helm") {
        failure = failure.plain();
    }
    if path == "flux dev" {
        failure = failure.exit_code(DEV_USAGE_EXIT_CODE);
    }
    Err(failure)
}

fn help(command: &ClapCommand) -> Parsed {
    Parsed::Text(command.clone().render_long_help().to_string())
}

/// Follows the arguments down the tree; returns the path's words and the last command found.
fn command_named<'a>(tree: &'a ClapCommand, args: &[OsString]) -> (String, &'a ClapCommand) {
    let mut path = tree.get_name().to_owned();
    let mut command = tree;
    for word in args.iter().skip(1).filter_map(|arg| arg.to_str()) {
        if let Some(next) = command.find_subcommand(word) {
            command = next;
            path.push(' ');
            path.push_str(command.get_name());
        }
    }
    (path, command)
}

fn text_of(error: &clap::Error, kind: ContextKind) -> String {
    match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        Some(ContextValue::Strings(texts)) => texts.join(", "),
        _ => String::new(),
    }
}

fn unknown_command(error: &clap::Error, path: &str) -> String {
    let word = text_of(error, ContextKind::InvalidSubcommand);
    let mut message = format!("unknown command {word:?} for {path:?}");
    if let Some(ContextValue::Strings(similar)) = error.get(ContextKind::SuggestedSubcommand) {
        message.push_str("\n\nDid you mean this?\n");
        for name in similar {
            message.push_str(&format!("\t{name}\n"));
        }
    }
    message
}

fn unknown_argument(error: &clap::Error, path: &str) -> String {
    let word = text_of(error, ContextKind::InvalidArg);
    let flag = word.split([' ', '=']).next().unwrap_or_default();
    match flag.strip_prefix('-') {
        Some(long) if long.starts_with('-') => format!("unknown flag: {flag}"),
        Some(short) => {
            let letter = short.chars().next().unwrap_or('-');
            format!("unknown shorthand flag: '{letter}' in {flag}")
        }
        None => format!("unknown command {word:?} for {path:?}"),
    }
}

/// Words what is wrong with a number as Go's `strconv` does.
fn go_reason(value: &str, reason: String) -> String {
    let (function, fault) = match reason.as_str() {
        "invalid digit found in string" | "cannot parse integer from empty string" => {
            ("ParseInt", "invalid syntax")
        }
        "number too large to fit in target type" | "number too small to fit in target type" => {
            ("ParseInt", "value out of range")
        }
        "invalid float literal" | "cannot parse float from empty string" => {
            ("ParseFloat", "invalid syntax")
        }
        _ => return reason,
    };
    format!("strconv.{function}: parsing {value:?}: {fault}")
}

fn invalid_value(error: &clap::Error, command: &ClapCommand) -> String {
    let arg = text_of(error, ContextKind::InvalidArg);
    let name = arg.split([' ', '=', '[']).next().unwrap_or_default();
    let value = text_of(error, ContextKind::InvalidValue);
    let reason = std::error::Error::source(error).map(ToString::to_string);
    let Some(reason) = reason else {
        return format!("flag needs an argument: {name}");
    };
    let short = command
        .get_arguments()
        .find(|arg| {
            arg.get_long()
                .is_some_and(|long| name == format!("--{long}"))
        })
        .and_then(clap::Arg::get_short);
    let shown = match short {
        Some(short) => format!("-{short}, {name}"),
        None => name.to_owned(),
    };
    let reason = go_reason(&value, reason);
    format!("invalid argument {value:?} for {shown:?} flag: {reason}")
}

fn first_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let line = text.lines().next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_consistent() {
        tree().debug_assert();
    }

    fn failure(args: &[&str]) -> String {
        match parse(args.iter().map(OsString::from)) {
            Err(error) => error.message().to_owned(),
            Ok(parsed) => panic!("{args:?} was accepted: {parsed:?}"),
        }
    }

    #[test]
    fn wrong_arguments_are_named_in_upstreams_words() {
        for (args, message) in [
            (
                vec!["flux", "nonsense"],
                "unknown command \"nonsense\" for \"flux\"",
            ),
            (
                vec!["flux", "version", "--nonsense"],
                "unknown flag: --nonsense",
            ),
            (
                vec!["flux", "version", "-y"],
                "unknown shorthand flag: 'y' in -y",
            ),
            (
                vec!["flux", "version", "--output"],
                "flag needs an argument: --output",
            ),
            (
                vec!["flux", "version", "--client=maybe"],
                "invalid argument \"maybe\" for \"--client\" flag: strconv.ParseBool: parsing \"maybe\": invalid syntax",
            ),
            (
                vec!["flux", "version", "--timeout", "5"],
                "invalid argument \"5\" for \"--timeout\" flag: time: missing unit in duration \"5\"",
            ),
        ] {
            assert_eq!(failure(&args), message);
        }
    }
}
