//! Go's `regexp` (RE2 syntax) over the `regex-automata` crate.
//!
//! Patterns are translated: Go's `\d \w \s \b` know ASCII only, `\Q…\E` exists, classes have no set
//! operations, and what the crate allows beyond RE2 is refused with Go's messages. Matching is
//! leftmost-first in both. Compiled patterns are kept in a small bounded cache.

mod translate;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use regex_automata::Input;
use regex_automata::meta;
use regex_automata::util::captures::Captures;
use regex_automata::util::syntax;

/// A pattern that does not compile, with Go's message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("error parsing regexp: {what}: `{part}`")]
pub struct RegexpError {
    /// What is wrong.
    pub what: &'static str,
    /// The offending part of the pattern.
    pub part: String,
}

/// A compiled pattern; cheap to clone.
#[derive(Clone, Debug)]
pub struct Regexp {
    regex: Arc<meta::Regex>,
    pattern_empty: bool,
}

/// Most patterns in the cache; it is emptied when full.
const CACHE_MAX: usize = 256;
/// Most bytes of a compiled pattern.
const PROGRAM_BYTES_MAX: usize = 4 << 20;

static CACHE: LazyLock<Mutex<HashMap<String, Regexp>>> = LazyLock::new(Mutex::default);

impl Regexp {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// The pattern is not RE2 syntax or too large.
    pub fn new(pattern: &str) -> Result<Self, RegexpError> {
        let lock = || {
            CACHE
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner())
        };
        if let Some(known) = lock().get(pattern) {
            return Ok(known.clone());
        }
        let translated = translate::translate(pattern)?;
        // Built for a handful of searches: tables of all states cost more than they save.
        let engines = meta::Config::new()
            .dfa(false)
            .utf8_empty(false)
            .nfa_size_limit(Some(PROGRAM_BYTES_MAX))
            .hybrid_cache_capacity(PROGRAM_BYTES_MAX);
        let regex = meta::Regex::builder()
            .configure(engines)
            .syntax(syntax::Config::new().utf8(false))
            .build(&translated)
            .map_err(|_| RegexpError {
                what: "expression too large",
                part: pattern.to_owned(),
            })?;
        let compiled = Self {
            regex: Arc::new(regex),
            pattern_empty: pattern.is_empty(),
        };
        let mut cache = lock();
        if cache.len() >= CACHE_MAX {
            cache.clear();
        }
        cache.insert(pattern.to_owned(), compiled.clone());
        Ok(compiled)
    }

    /// Whether the text holds a match.
    pub fn is_match(&self, text: &[u8]) -> bool {
        self.regex.is_match(text)
    }

    /// The first match.
    pub fn find<'t>(&self, text: &'t [u8]) -> Option<&'t [u8]> {
        self.regex.find(text).map(|found| &text[found.range()])
    }

    /// Successive matches, at most so many where the limit is not negative.
    pub fn find_all<'t>(&self, text: &'t [u8], limit: i64) -> Vec<&'t [u8]> {
        let found = self.ranges(text, limit);
        found
            .into_iter()
            .map(|(start, end)| &text[start..end])
            .collect()
    }

    /// Number of successive matches.
    pub fn count(&self, text: &[u8]) -> usize {
        self.ranges(text, -1).len()
    }

    fn ranges(&self, text: &[u8], limit: i64) -> Vec<(usize, usize)> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut found = Vec::new();
        self.each(text, |captures| {
            let whole = captures.get_match().expect("there is a match");
            if found.len() < limit {
                found.push((whole.start(), whole.end()));
            }
            found.len() < limit
        });
        if limit == 0 { Vec::new() } else { found }
    }

    /// Visits successive matches until told to stop; an empty match right after a match does not count.
    fn each(&self, text: &[u8], mut visit: impl FnMut(&Captures) -> bool) {
        let (mut at, mut previous_end) = (0, None);
        let mut captures = self.regex.create_captures();
        while at <= text.len() {
            self.regex
                .search_captures(&Input::new(text).range(at..), &mut captures);
            let Some(whole) = captures.get_match() else {
                return;
            };
            let (start, end) = (whole.start(), whole.end());
            let counts = start < end || previous_end != Some(start);
            if counts && !visit(&captures) {
                return;
            }
            previous_end = Some(end);
            at = if end > at {
                end
            } else {
                at + rune_width(&text[at..])
            };
        }
    }

    /// Replaces successive matches; `$1` and `${name}` in the replacement stand for groups unless it is literal.
    pub fn replace_all(&self, text: &[u8], replacement: &[u8], literal: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len());
        let mut copied = 0;
        self.each(text, |captures| {
            let whole = captures.get_match().expect("there is a match");
            out.extend_from_slice(&text[copied..whole.start()]);
            if literal {
                out.extend_from_slice(replacement);
            } else {
                expand(&mut out, replacement, text, captures);
            }
            copied = whole.end();
            true
        });
        out.extend_from_slice(&text[copied..]);
        out
    }

    /// The text between matches, at most so many parts where the limit is positive; `None` for a limit of 0.
    pub fn split<'t>(&self, text: &'t [u8], limit: i64) -> Option<Vec<&'t [u8]>> {
        if limit == 0 {
            return None;
        }
        if !self.pattern_empty && text.is_empty() {
            return Some(vec![text]);
        }
        let mut parts = Vec::new();
        let (mut from, mut until) = (0, 0);
        for (start, end) in self.ranges(text, limit) {
            if limit > 0 && parts.len() as i64 == limit - 1 {
                break;
            }
            until = start;
            if end != 0 {
                parts.push(&text[from..until]);
            }
            from = end;
        }
        if until != text.len() {
            parts.push(&text[from..]);
        }
        Some(parts)
    }
}

fn rune_width(text: &[u8]) -> usize {
    let head = &text[..text.len().min(4)];
    let rune = head
        .utf8_chunks()
        .next()
        .and_then(|chunk| chunk.valid().chars().next());
    rune.map_or(1, char::len_utf8)
}

/// Writes a replacement with its groups filled in; a name is the longest run of word characters.
fn expand(out: &mut Vec<u8>, template: &[u8], text: &[u8], captures: &Captures) {
    let mut rest = template;
    while let Some(dollar) = rest.iter().position(|&b| b == b'$') {
        out.extend_from_slice(&rest[..dollar]);
        rest = &rest[dollar + 1..];
        if rest.first() == Some(&b'$') {
            out.push(b'$');
            rest = &rest[1..];
            continue;
        }
        let Some((name, tail)) = group_name(rest) else {
            out.push(b'$');
            continue;
        };
        rest = tail;
        let found = match name.parse::<usize>() {
            Ok(index) => captures.get_group(index),
            Err(_) => captures.get_group_by_name(name),
        };
        out.extend_from_slice(found.map_or(&[][..], |group| &text[group.range()]));
    }
    out.extend_from_slice(rest);
}

fn group_name(text: &[u8]) -> Option<(&str, &[u8])> {
    let braced = text.first() == Some(&b'{');
    let body = &text[usize::from(braced)..];
    let len = body
        .iter()
        .take_while(|b| b.is_ascii_alphanumeric() || **b == b'_')
        .count();
    if len == 0 || (braced && body.get(len) != Some(&b'}')) {
        return None;
    }
    let name = std::str::from_utf8(&body[..len]).ok()?;
    Some((name, &body[len + usize::from(braced)..]))
}

/// Escapes everything that means something in a pattern.
pub fn quote_meta(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if r"\.+*?()|[]{}^$".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
