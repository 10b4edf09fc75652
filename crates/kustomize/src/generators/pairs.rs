//! Keys and values for generators: env files, then literals, then files.

use crate::error::{BuildError, Result, fail};
use crate::kustomization::GeneratorArgs;
use crate::loader::Loader;

/// Longest line of an env file, as the scanner of Go has it.
const LINE_MAX: usize = 64 * 1024;

type Pair = (String, Vec<u8>);

/// Reads all sources of a generator; no key may repeat.
pub(super) fn load(args: &GeneratorArgs, name: &str, loader: &Loader) -> Result<Vec<Pair>> {
    let wrap = |error: BuildError| error.wrap("loading KV pairs");
    let mut envs = args.envs.clone();
    if !args.env.is_empty() {
        envs.push(args.env.clone());
    }
    let shown = |list: &[String]| format!("[{}]", list.join(" "));
    let mut pairs = Vec::new();
    for path in &envs {
        let sources = || format!("env source files: {}", shown(&envs));
        let content = loader.load(path).map_err(|e| wrap(e.wrap(sources())))?;
        let lines = env_lines(&content)
            .map_err(|e| wrap(e.at(&loader.file_name(path), None).wrap(sources())))?;
        pairs.extend(lines);
    }
    for literal in &args.literals {
        let sources = || format!("literal sources {}", shown(&args.literals));
        pairs.push(parse_literal(literal).map_err(|e| wrap(e.wrap(sources())))?);
    }
    for source in &args.files {
        let sources = || format!("file sources: {}", shown(&args.files));
        let wrap = |e: BuildError| wrap(e.wrap(sources()));
        let (key, path) = parse_file_source(source).map_err(wrap)?;
        let content = loader.load(path).map_err(wrap)?;
        pairs.push((key.to_owned(), content.to_vec()));
    }
    let mut seen = std::collections::HashSet::new();
    for (key, _) in &pairs {
        if !seen.insert(key) {
            fail!("configmap {name} illegally repeats the key `{key}`");
        }
    }
    Ok(pairs)
}

fn parse_literal(source: &str) -> Result<Pair> {
    match source.split_once('=') {
        Some((key, value)) if !key.is_empty() => {
            Ok((key.to_owned(), without_quotes(value).as_bytes().to_vec()))
        }
        _ => fail!("invalid literal source {source}, expected key=value"),
    }
}

/// Removes one pair of equal quotes around a text.
fn without_quotes(text: &str) -> &str {
    for quote in ['"', '\''] {
        let inner = text.strip_prefix(quote).and_then(|t| t.strip_suffix(quote));
        if let Some(inner) = inner.filter(|_| text.len() >= 2) {
            return inner;
        }
    }
    text
}

fn parse_file_source(source: &str) -> Result<(&str, &str)> {
    match source.matches('=').count() {
        0 => Ok((base_name(source), source)),
        1 => match source.split_once('=') {
            Some(("", path)) => {
                fail!("missing key name for file path {path:?} in source {source:?}")
            }
            Some((key, "")) => {
                fail!("missing file path for key name {key:?} in source {source:?}")
            }
            Some(pair) => Ok(pair),
            None => Ok((source, source)),
        },
        _ => fail!("source {source:?} key name or file path contains '='"),
    }
}

/// Go's `path.Base`.
fn base_name(path: &str) -> &str {
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() {
        return if path.is_empty() { "." } else { "/" };
    }
    filetree::base_name(trimmed)
}

fn env_lines(content: &[u8]) -> Result<Vec<Pair>> {
    let mut pairs = Vec::new();
    let mut lines: Vec<&[u8]> = content.split(|byte| *byte == b'\n').collect();
    if lines.last().is_some_and(|line| line.is_empty()) {
        lines.pop();
    }
    for (index, line) in lines.into_iter().enumerate() {
        if line.len() >= LINE_MAX {
            // The scanner stops without a word; so do all lines behind.
            break;
        }
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let number = u32::try_from(index + 1).ok();
        let Ok(text) = std::str::from_utf8(line) else {
            let text = String::from_utf8_lossy(line);
            let message = format!("line {} has invalid utf8 bytes : {text}", index + 1);
            return Err(BuildError::new(message).at("", number));
        };
        let text = if index == 0 {
            text.strip_prefix('\u{feff}').unwrap_or(text)
        } else {
            text
        };
        let text = text.trim_start();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let (key, value) = text.split_once('=').unwrap_or((text, ""));
        if !key.is_empty() {
            pairs.push((key.to_owned(), value.as_bytes().to_vec()));
        }
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_lose_one_pair_of_quotes() {
        for (source, value) in [
            ("a=b=c", "b=c"),
            ("a='b'", "b"),
            ("a=\"b", "\"b"),
            ("a='", "'"),
            ("a=''", ""),
        ] {
            assert_eq!(
                parse_literal(source).unwrap().1,
                value.as_bytes(),
                "{source}"
            );
        }
        assert!(parse_literal("=b").is_err());
        assert!(parse_literal("b").is_err());
    }

    #[test]
    fn env_files_keep_the_right_side() {
        let pairs = env_lines(b"\xef\xbb\xbfA=1 \r\n# no\n\n  B\nC='x'\n=y\n").unwrap();
        let texts: Vec<_> = pairs
            .iter()
            .map(|(k, v)| format!("{k}={}", String::from_utf8_lossy(v)))
            .collect();
        assert_eq!(texts, ["A=1 ", "B=", "C='x'"]);
    }
}
