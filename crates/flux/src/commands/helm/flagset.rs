//! Arguments as helm's parser reads them: in order, with its words for the first one that is wrong.
//!
//! What comes out is the same command line in one plain form (`--name=value` for flags that matter here, then the
//! rest), which the argument structs read. Which flags there are depends on the command and on the version of Helm.

use std::path::Path;

use gocompat::quote::quote;
use helm::Version;
use helm::note::log_text;

use crate::flags::go_bool;
use crate::output::Output;

/// How the value of a flag is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Bool,
    Text,
    /// Comma-separated; may be repeated.
    List,
    Integer,
    Float,
    Duration,
    Labels,
    /// A truth value in Helm 3, a strategy in Helm 4.
    Wait,
    DryRun,
    PostRenderer,
}

/// Commands that have a flag, and versions of Helm.
const T: u8 = 1;
const S: u8 = 2;
const L: u8 = 4;
const ALL: u8 = T | S | L;
const ONLY4: u8 = 8;
/// The flag means something here; others are accepted and dropped.
const USED: u8 = 16;
const V: u8 = T | L | USED;
const P: u8 = T | S | USED;

use Kind::{Bool, DryRun, Duration, Float, Integer, Labels, List, PostRenderer, Text, Wait};

const FLAGS: &[(&str, &str, Kind, u8)] = &[
    ("api-versions", "a", List, T | USED),
    ("as", "", Text, ALL),
    ("as-group", "", Text, ALL),
    ("as-uid", "", Text, ALL),
    ("as-user-extra", "", Text, ALL),
    ("atomic", "", Bool, T),
    ("burst-limit", "", Integer, ALL),
    ("ca-file", "", Text, P),
    ("cache-dir", "", Text, ALL),
    ("cert-file", "", Text, P),
    ("certificate-authority", "", Text, ALL),
    ("client-certificate", "", Text, ALL),
    ("client-key", "", Text, ALL),
    ("cluster", "", Text, ALL),
    ("color", "", Text, ALL | ONLY4),
    ("colour", "", Text, ALL | ONLY4),
    ("content-cache", "", Text, ALL | ONLY4),
    ("context", "", Text, ALL),
    ("create-namespace", "", Bool, T),
    ("debug", "", Bool, ALL | USED),
    ("dependency-update", "", Bool, T | USED),
    ("description", "", Text, T),
    ("devel", "", Bool, P),
    ("disable-compression", "", Bool, ALL),
    ("disable-openapi-validation", "", Bool, T),
    ("dry-run", "", DryRun, T | USED),
    ("enable-dns", "", Bool, T),
    ("force", "", Bool, T),
    ("force-conflicts", "", Bool, T | ONLY4),
    ("force-replace", "", Bool, T | ONLY4),
    ("generate-name", "g", Bool, T | USED),
    ("helm-version", "", Text, ALL | USED),
    ("help", "h", Bool, ALL),
    ("hide-notes", "", Bool, T),
    ("include-crds", "", Bool, T | USED),
    ("insecure-skip-tls-verify", "", Bool, ALL),
    ("is-upgrade", "", Bool, T | USED),
    ("jsonpath", "", Text, S | USED),
    ("key-file", "", Text, P),
    ("keyring", "", Text, P),
    ("kube-api-burst", "", Text, ALL),
    ("kube-api-qps", "", Text, ALL),
    ("kube-apiserver", "", Text, ALL),
    ("kube-as-group", "", Text, ALL),
    ("kube-as-user", "", Text, ALL),
    ("kube-ca-file", "", Text, ALL),
    ("kube-context", "", Text, ALL),
    ("kube-insecure-skip-tls-verify", "", Bool, ALL),
    ("kube-tls-server-name", "", Text, ALL),
    ("kube-token", "", Text, ALL),
    ("kube-version", "", Text, V),
    ("kubeconfig", "", Text, ALL),
    ("labels", "l", Labels, T),
    ("name-template", "", Text, T | USED),
    ("namespace", "n", Text, ALL | USED),
    ("no-hooks", "", Bool, T | USED),
    ("notes", "", Bool, T | USED),
    ("ns-follows-kube-context", "", Bool, ALL),
    ("output-dir", "", Text, T | USED),
    ("pass-credentials", "", Bool, P),
    ("password", "", Text, P),
    ("plain-http", "", Bool, P),
    ("post-renderer", "", PostRenderer, T | USED),
    ("post-renderer-args", "", Text, T),
    ("qps", "", Float, ALL),
    ("quiet", "", Bool, L | USED),
    ("registry-config", "", Text, ALL),
    ("release-name", "", Bool, T | USED),
    ("render-subchart-notes", "", Bool, T | USED),
    ("replace", "", Bool, T),
    ("repo", "", Text, P),
    ("repository-cache", "", Text, P),
    ("repository-cache", "", Text, L),
    ("repository-config", "", Text, P),
    ("repository-config", "", Text, L),
    ("rollback-on-failure", "", Bool, T | ONLY4),
    ("server", "", Text, ALL),
    ("server-side", "", Bool, T | ONLY4),
    ("set", "", Text, V),
    ("set-file", "", Text, V),
    ("set-json", "", Text, V),
    ("set-literal", "", Text, V),
    ("set-string", "", Text, V),
    ("show-only", "s", Text, T | USED),
    ("skip-crds", "", Bool, T),
    ("skip-schema-validation", "", Bool, V),
    ("skip-tests", "", Bool, T | USED),
    ("strict", "", Bool, L | USED),
    ("take-ownership", "", Bool, T),
    ("timeout", "", Duration, ALL),
    ("tls-server-name", "", Text, ALL),
    ("token", "", Text, ALL),
    ("user", "", Text, ALL),
    ("username", "", Text, P),
    ("validate", "", Bool, T | USED),
    ("values", "f", List, V),
    ("verbose", "", Bool, ALL),
    ("verify", "", Bool, P),
    ("version", "", Text, P),
    ("wait", "", Wait, T),
    ("wait-for-jobs", "", Bool, T),
    ("with-subcharts", "", Bool, L | USED),
];

const NO_EFFECT: &str = "this flag has no effect for 'helm template' and will be removed in Helm 5";
/// Flags that Helm 4 wants gone, and what it says.
const DEPRECATED: &[(&str, &str)] = &[
    ("atomic", "use --rollback-on-failure instead"),
    ("force", "use --force-replace instead"),
    ("hide-notes", NO_EFFECT),
    ("render-subchart-notes", NO_EFFECT),
    ("validate", "use '--dry-run=server' instead"),
];
/// Flags of which Helm 4 takes one.
const EXCLUSIVE: &[[&str; 2]] = &[
    ["force-replace", "force-conflicts"],
    ["force", "force-conflicts"],
    ["validate", "dry-run"],
];

/// What becomes of a command line.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The same in plain form.
    Plain(Vec<String>),
    /// Ask the whole tree: it is help that is wanted, or no known command.
    Tree,
    /// Something is wrong, in helm's words.
    Wrong(String),
}

/// What stands around the word `helm`, where that is the command: flags of all commands may stand before it.
pub fn around_helm(args: &[String]) -> Option<Vec<String>> {
    let mut at = 0;
    while args.get(at)?.starts_with('-') {
        at += if takes_next(&args[at]) { 2 } else { 1 };
    }
    if args.get(at)? != "helm" {
        return None;
    }
    Some([&args[..at], &args[at + 1..]].concat())
}

/// Reads what stands around `helm` on the command line.
pub fn read(args: &[String], out: Output) -> Outcome {
    let mut words = Vec::new();
    let mut rest = Vec::new();
    let mut args_left = args.iter();
    // Words of the command may stand behind flags that all commands have.
    while let Some(arg) = args_left.next() {
        let wanted = if words.first().is_some_and(|word| word == "show") {
            2
        } else {
            1
        };
        if words.len() == wanted {
            rest.push(arg.clone());
        } else if arg.starts_with('-') && arg.len() > 1 {
            rest.push(arg.clone());
            if takes_next(arg) {
                rest.extend(args_left.next().cloned());
            }
        } else if words.is_empty() && arg == "inspect" {
            words.push("show".to_owned());
        } else {
            words.push(arg.clone());
        }
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (command, part) = match words[..] {
        ["template"] => (T, ""),
        ["lint"] => (L, ""),
        [
            "show",
            part @ ("all" | "chart" | "crds" | "readme" | "values"),
        ] => (S, part),
        _ => return Outcome::Tree,
    };
    let mut set = FlagSet {
        command,
        part,
        version: version(&rest),
        out,
        help: false,
        seen: Vec::new(),
        deprecated: Vec::new(),
        flags: words.iter().map(|word| (*word).to_owned()).collect(),
        words: Vec::new(),
    };
    let outcome = set.read(rest);
    if outcome.is_ok() {
        for note in &set.deprecated {
            out.note(note);
        }
    }
    match outcome {
        Err(error) => Outcome::Wrong(error),
        Ok(()) if set.help => Outcome::Tree,
        Ok(()) => match set.exclusive() {
            Some(error) => Outcome::Wrong(error),
            None => {
                set.flags.push("--".to_owned());
                set.flags.append(&mut set.words);
                Outcome::Plain(set.flags)
            }
        },
    }
}

/// The version of Helm that some flag asks for.
fn version(args: &[String]) -> Version {
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let value = match arg.strip_prefix("--helm-version") {
            Some("") => args.next().map(String::as_str),
            Some(rest) => rest.strip_prefix('='),
            None => None,
        };
        if value == Some("3") {
            return Version::V3;
        }
    }
    Version::V4
}

/// Whether a flag before the command's name takes the next argument.
fn takes_next(arg: &str) -> bool {
    let found = match arg.strip_prefix("--") {
        Some(name) => FLAGS.iter().find(|flag| flag.0 == name),
        None => FLAGS
            .iter()
            .find(|flag| !flag.1.is_empty() && &arg[1..] == flag.1),
    };
    found.is_some_and(|(_, _, kind, _)| !matches!(kind, Bool | DryRun | Wait))
}

/// One parse.
struct FlagSet<'f> {
    command: u8,
    part: &'f str,
    version: Version,
    out: Output,
    help: bool,
    seen: Vec<&'static str>,
    /// What is told once all flags are known to be right.
    deprecated: Vec<String>,
    flags: Vec<String>,
    words: Vec<String>,
}

type Flag = (&'static str, &'static str, Kind, u8);

impl FlagSet<'_> {
    fn known(&self, found: impl Fn(&Flag) -> bool) -> Option<Flag> {
        let here = |flag: &&Flag| {
            let (name, _, _, mask) = **flag;
            mask & self.command != 0
                && (mask & ONLY4 == 0 || self.version == Version::V4)
                && (name != "jsonpath" || self.part == "values")
        };
        FLAGS.iter().filter(here).find(|flag| found(flag)).copied()
    }

    fn read(&mut self, args: Vec<String>) -> Result<(), String> {
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            if arg == "--" {
                self.words.extend(args);
                return Ok(());
            }
            match arg.strip_prefix("--") {
                Some(long) => self.long(long, &mut args)?,
                None if arg.len() > 1 && arg.starts_with('-') => {
                    self.short(&arg[1..], &mut args)?
                }
                None => self.words.push(arg),
            }
        }
        Ok(())
    }

    fn long(&mut self, text: &str, args: &mut impl Iterator<Item = String>) -> Result<(), String> {
        if text.starts_with(['-', '=']) {
            return Err(format!("bad flag syntax: --{text}"));
        }
        let (name, given) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (text, None),
        };
        let Some(flag) = self.known(|flag| flag.0 == name) else {
            return Err(format!("unknown flag: --{name}"));
        };
        let value = given.or_else(|| self.implied(flag)).or_else(|| args.next());
        let value = value.ok_or_else(|| format!("flag needs an argument: --{name}"))?;
        self.set(flag, value)
    }

    fn short(&mut self, text: &str, args: &mut impl Iterator<Item = String>) -> Result<(), String> {
        let mut rest = text;
        while let Some(letter) = rest.chars().next() {
            let behind = &rest[letter.len_utf8()..];
            let Some(flag) = self.known(|flag| flag.1.starts_with(letter)) else {
                return Err(format!("unknown shorthand flag: '{letter}' in -{rest}"));
            };
            let assigned = behind.strip_prefix('=').filter(|value| !value.is_empty());
            let (value, next) = match (assigned, self.implied(flag)) {
                (Some(value), _) => (Some(value.to_owned()), ""),
                (None, Some(implied)) => (Some(implied), behind),
                (None, None) if !behind.is_empty() => (Some(behind.to_owned()), ""),
                (None, None) => (args.next(), ""),
            };
            let value =
                value.ok_or_else(|| format!("flag needs an argument: '{letter}' in -{rest}"))?;
            self.set(flag, value)?;
            rest = next;
        }
        Ok(())
    }

    /// The value of a flag that is given without one.
    fn implied(&self, flag: Flag) -> Option<String> {
        let text = match (flag.2, self.version) {
            (Bool, _) | (Wait, Version::V3) => "true",
            (Wait, Version::V4) => "watcher",
            (DryRun, Version::V3) => "client",
            (DryRun, Version::V4) => "unset",
            _ => return None,
        };
        Some(text.to_owned())
    }

    fn set(&mut self, flag: Flag, value: String) -> Result<(), String> {
        let (name, short, kind, mask) = flag;
        let values = self.check(kind, value.clone()).map_err(|reason| {
            let shown = match short {
                "" => quote(format!("--{name}").as_bytes()),
                short => quote(format!("-{short}, --{name}").as_bytes()),
            };
            let value = quote(value.as_bytes());
            format!("invalid argument {value} for {shown} flag: {reason}")
        })?;
        self.seen.push(name);
        if name == "help" {
            self.help = values == ["true"];
        }
        let deprecated = DEPRECATED.iter().find(|(old, _)| *old == name);
        if let Some((_, hint)) = deprecated.filter(|_| self.version == Version::V4) {
            let note = format!("Flag --{name} has been deprecated, {hint}");
            self.deprecated.push(note);
        }
        if mask & USED != 0 {
            let plain = values.iter().map(|value| format!("--{name}={value}"));
            self.flags.extend(plain);
        }
        Ok(())
    }

    /// The values that a text stands for.
    fn check(&self, kind: Kind, text: String) -> Result<Vec<String>, String> {
        match kind {
            Bool => return go_bool(&text).map(|flag| vec![flag.to_string()]),
            Wait if self.version == Version::V3 => return go_bool(&text).map(|_| Vec::new()),
            Wait => self.wait(&text)?,
            List => return comma_separated(&text),
            Integer => {
                let number = text.parse::<i64>().map(|_| ());
                number.map_err(|_| number_error("ParseInt", &text))?;
            }
            Float => {
                let number = text.parse::<f32>().map(|_| ());
                number.map_err(|_| number_error("ParseFloat", &text))?;
            }
            Duration => {
                gocompat::duration::parse(&text).map_err(|error| error.to_string())?;
            }
            Labels => labels(&text)?,
            PostRenderer => self.post_renderer(&text)?,
            Text | DryRun => {}
        }
        Ok(vec![text])
    }

    fn wait(&self, text: &str) -> Result<(), String> {
        match text {
            "watcher" | "legacy" | "hookOnly" => {}
            "true" | "false" => {
                let instead = if text == "true" {
                    "watcher"
                } else {
                    "hookOnly"
                };
                let title = format!(
                    "--wait={text} is deprecated (boolean value) and can be replaced with --wait={instead}"
                );
                let title = log_text(&title);
                self.out.note(&format!("level=WARN msg={title}"));
            }
            _ => {
                let shown = quote(text.as_bytes());
                return Err(format!(
                    "invalid wait input {shown}. Valid inputs are watcher, hookOnly, and legacy"
                ));
            }
        }
        Ok(())
    }

    /// Helm 4 looks for a plugin, of which there are none; Helm 3 for a program, which is refused later.
    fn post_renderer(&self, name: &str) -> Result<(), String> {
        if name.is_empty() {
            return Ok(());
        }
        if self.version == Version::V4 {
            return Err(format!(
                "plugin: {{Name:{name} Type:postrenderer/v1}} not found"
            ));
        }
        program(name).map_err(|reason| {
            let shown = quote(name.as_bytes());
            format!("unable to find binary at {name}: exec: {shown}: {reason}")
        })
    }

    fn exclusive(&self) -> Option<String> {
        if self.version == Version::V3 || self.words.is_empty() {
            return None;
        }
        let mut groups: Vec<&[&str; 2]> = EXCLUSIVE.iter().collect();
        groups.sort();
        let group = groups
            .into_iter()
            .find(|group| group.iter().all(|one| self.seen.contains(one)))?;
        let mut both = *group;
        both.sort_unstable();
        Some(format!(
            "if any flags in the group [{}] are set none of the others can be; [{}] were all set",
            group.join(" "),
            both.join(" ")
        ))
    }
}

fn number_error(function: &str, text: &str) -> String {
    let text = quote(text.as_bytes());
    format!("strconv.{function}: parsing {text}: invalid syntax")
}

fn labels(text: &str) -> Result<(), String> {
    let pairs = if text.matches('=').count() > 1 {
        comma_separated(text)?
    } else {
        vec![text.trim_matches('"').to_owned()]
    };
    match pairs.iter().find(|pair| !pair.contains('=')) {
        Some(pair) => Err(format!("{pair} must be formatted as key=value")),
        None => Ok(()),
    }
}

/// Why a program cannot be started.
fn program(name: &str) -> Result<(), String> {
    let look = |path: &Path| match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => Err("is a directory".to_owned()),
        Ok(_) => Ok(()),
        Err(error) => {
            let error = super::chart::io_text(&error);
            Err(format!("stat {}: {error}", path.display()))
        }
    };
    if name.contains('/') {
        return look(Path::new(name));
    }
    let places = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&places).any(|place| look(&place.join(name)).is_ok());
    if found {
        return Ok(());
    }
    Err("executable file not found in $PATH".to_owned())
}

/// Fields of one line as Go's reader of comma-separated values finds them.
fn comma_separated(line: &str) -> Result<Vec<String>, String> {
    let mut fields = Vec::new();
    if line.is_empty() {
        return Ok(fields);
    }
    let fault = |column: usize, reason: &str| {
        Err(format!("parse error on line 1, column {column}: {reason}"))
    };
    const QUOTE: &str = "extraneous or missing \" in quoted-field";
    let mut at = 0;
    loop {
        let rest = &line[at..];
        let Some(quoted) = rest.strip_prefix('"') else {
            let field = rest.split(',').next().unwrap_or_default();
            if let Some(bare) = field.find('"') {
                return fault(at + bare + 1, "bare \" in non-quoted-field");
            }
            fields.push(field.to_owned());
            at += field.len();
            if at >= line.len() {
                return Ok(fields);
            }
            at += 1;
            continue;
        };
        let (mut field, mut inner) = (String::new(), quoted);
        loop {
            let Some(end) = inner.find('"') else {
                return fault(line.len() + 1, QUOTE);
            };
            field.push_str(&inner[..end]);
            let behind = &inner[end + 1..];
            match behind.chars().next() {
                Some('"') => {
                    field.push('"');
                    inner = &behind[1..];
                }
                Some(',') => {
                    fields.push(field);
                    at = line.len() - behind.len() + 1;
                    break;
                }
                None => {
                    fields.push(field);
                    return Ok(fields);
                }
                Some(_) => return fault(line.len() - behind.len(), QUOTE),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(args: &[&str], expected: &str) {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let shown = match read(&args, Output::new()) {
            Outcome::Plain(args) => args.join(" "),
            Outcome::Tree => "tree".to_owned(),
            Outcome::Wrong(error) => error,
        };
        assert_eq!(shown, expected, "{args:?}");
    }

    #[test]
    fn arguments_become_plain() {
        check(
            &[
                "template", "r", "-fa,b", "--set", "-x", "c", "-gs=y", "--wait",
            ],
            "template --values=a --values=b --set=-x --generate-name=true --show-only=y -- r c",
        );
        check(
            &["-n", "x", "show", "--debug", "chart", "c"],
            "show chart --namespace=x --debug=true -- c",
        );
        check(
            &["inspect", "values", "--jsonpath={.a}", "c"],
            "show values --jsonpath={.a} -- c",
        );
        check(&["template", "c", "-s="], "template --show-only== -- c");
        check(&["template", "--", "-c"], "template -- -c");
        check(&["lint", "-h"], "tree");
        check(&["show", "nothing"], "tree");
        check(&[], "tree");
    }

    #[test]
    fn wrong_arguments_are_named_in_helms_words() {
        for (args, expected) in [
            (&["template", "--x=1"][..], "unknown flag: --x"),
            (&["template", "-gz"], "unknown shorthand flag: 'z' in -z"),
            (&["template", "-gn"], "flag needs an argument: 'n' in -n"),
            (&["template", "c", "--set"], "flag needs an argument: --set"),
            (&["template", "--=x"], "bad flag syntax: --=x"),
            (
                &["show", "all", "--jsonpath", "x"],
                "unknown flag: --jsonpath",
            ),
            (&["lint", "c", "--verify"], "unknown flag: --verify"),
            (
                &["template", "--force-replace", "--helm-version=3"],
                "unknown flag: --force-replace",
            ),
            (
                &["template", "-g=maybe"],
                "invalid argument \"maybe\" for \"-g, --generate-name\" flag: strconv.ParseBool: parsing \"maybe\": invalid syntax",
            ),
            (
                &["template", "-a", "\"x"],
                "invalid argument \"\\\"x\" for \"-a, --api-versions\" flag: parse error on line 1, column 3: extraneous or missing \" in quoted-field",
            ),
            (
                &["template", "-a", "x\"y"],
                "invalid argument \"x\\\"y\" for \"-a, --api-versions\" flag: parse error on line 1, column 2: bare \" in non-quoted-field",
            ),
            (
                &["template", "-l", "a"],
                "invalid argument \"a\" for \"-l, --labels\" flag: a must be formatted as key=value",
            ),
            (
                &["template", "c", "--validate", "--dry-run=client"],
                "if any flags in the group [validate dry-run] are set none of the others can be; [dry-run validate] were all set",
            ),
        ] {
            check(args, expected);
        }
    }
}
