//! Version ranges: comparators joined by and, groups of them joined by or.

use std::cmp::Ordering;
use std::fmt;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::{Parts, RANGE_BYTES_MAX, RANGE_GROUPS_MAX, SemverError, Version, compare_prerelease};

/// A version range such as `>=1.2 <2 || ~3.1`.
#[derive(Debug, Clone)]
pub struct Range {
    alternatives: Vec<Alternative>,
}

impl Range {
    /// Parses a range.
    ///
    /// # Errors
    /// The range is malformed or exceeds the limits on length and alternatives.
    pub fn parse(text: &str) -> Result<Self, SemverError> {
        if text.len() > RANGE_BYTES_MAX {
            return Err(SemverError::ConstraintTooLong);
        }
        let text = expand_hyphens(text);
        let groups: Vec<&str> = text.split("||").collect();
        if groups.len() > RANGE_GROUPS_MAX {
            return Err(SemverError::TooManyGroups);
        }
        let alternatives = groups.into_iter().map(parse_alternative);
        Ok(Self {
            alternatives: alternatives.collect::<Result<_, _>>()?,
        })
    }

    /// Whether the version lies in the range.
    pub fn matches(&self, version: &Version) -> bool {
        self.alternatives.iter().any(|alternative| {
            alternative
                .comparators
                .iter()
                .all(|c| c.matches(version, alternative.has_prerelease))
        })
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, alternative) in self.alternatives.iter().enumerate() {
            f.write_str(if index > 0 { " || " } else { "" })?;
            let written: Vec<&str> = alternative
                .comparators
                .iter()
                .map(|c| c.written.as_str())
                .collect();
            f.write_str(&written.join(" "))?;
        }
        Ok(())
    }
}

#[derive(Debug, Clone)]
struct Alternative {
    comparators: Vec<Comparator>,
    has_prerelease: bool,
}

#[derive(Debug, Clone)]
struct Comparator {
    operator: Operator,
    version: Version,
    written: String,
    missing: Missing,
}

/// The first part of a comparator's version that is absent or a wildcard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    Nothing,
    Patch,
    Minor,
    Major,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    TildeOrEqual,
    NotEqual,
    Greater,
    Less,
    GreaterEqual,
    LessEqual,
    Tilde,
    Caret,
}

const PRE_AND_METADATA: &str =
    r"(-([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?(\+([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?";

fn compile(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is a constant that compiles")
}

const OPERATORS: &str = r"=||!=|>|<|>=|=>|<=|=<|~|~>|\^";

const WILD: &str = r"v?([0-9|x|X|\*]+)(\.[0-9|x|X|\*]+)?(\.[0-9|x|X|\*]+)?";

const SPACE: &str = r"[\t\n\f\r ]";

static COMPARATOR: LazyLock<Regex> = LazyLock::new(|| {
    compile(&format!(
        "^{SPACE}*({OPERATORS}){SPACE}*({WILD}{PRE_AND_METADATA}){SPACE}*$"
    ))
});

static FIND_COMPARATOR: LazyLock<Regex> =
    LazyLock::new(|| compile(&format!("({OPERATORS}){SPACE}*({WILD}{PRE_AND_METADATA})")));

static ALTERNATIVE: LazyLock<Regex> = LazyLock::new(|| {
    let one = format!("({OPERATORS}){SPACE}*({WILD}{PRE_AND_METADATA}){SPACE}*");
    compile(&format!("^({SPACE}*{one})((?:{SPACE}+|,{SPACE}*){one})*$"))
});

static HYPHEN: LazyLock<Regex> = LazyLock::new(|| {
    let version = format!("({WILD}{PRE_AND_METADATA})");
    compile(&format!(
        "{SPACE}*{version}{SPACE}+-{SPACE}+{version}{SPACE}*"
    ))
});

fn group<'t>(captures: &Captures<'t>, index: usize) -> &'t str {
    captures.get(index).map_or("", |found| found.as_str())
}

/// Rewrites `1.0 - 2.0` to `>= 1.0, <= 2.0 `.
fn expand_hyphens(text: &str) -> String {
    let space = |b: u8| matches!(b, b'\t' | b'\n' | 0x0c | b'\r' | b' ');
    let mut triples = text.as_bytes().windows(3);
    if !triples.any(|t| t[1] == b'-' && space(t[0]) && space(t[2])) {
        return text.to_owned();
    }
    let mut out = text.to_owned();
    for found in HYPHEN.captures_iter(text) {
        let replacement = format!(">= {}, <= {} ", group(&found, 1), group(&found, 11));
        out = out.replacen(group(&found, 0), &replacement, 1);
    }
    out
}

fn parse_alternative(text: &str) -> Result<Alternative, SemverError> {
    if let Some(comparators) = plain_comparators(text) {
        return Alternative::new(comparators);
    }
    if !ALTERNATIVE.is_match(text) {
        return Err(SemverError::ImproperConstraint(text.to_owned()));
    }
    let comparators = FIND_COMPARATOR.find_iter(text);
    Alternative::new(
        comparators
            .map(|found| Comparator::parse(found.as_str()))
            .collect(),
    )
}

/// Reads comparators as almost everybody writes them, without the expressions, whose compilation takes a
/// multiple of the time; none for anything unusual.
fn plain_comparators(text: &str) -> Option<Vec<Result<Comparator, SemverError>>> {
    let blank = |c: char| matches!(c, '\t' | '\n' | '\x0c' | '\r' | ' ');
    let mut rest = text.trim_matches(blank);
    let mut comparators = Vec::new();
    loop {
        let mark = |c: char| matches!(c, '=' | '!' | '>' | '<' | '~' | '^');
        let (written, behind) = rest.split_at(rest.len() - rest.trim_start_matches(mark).len());
        if !matches!(
            written,
            "" | "=" | "!=" | ">" | "<" | ">=" | "=>" | "<=" | "=<" | "~" | "~>" | "^"
        ) {
            return None;
        }
        let version = behind.trim_start_matches(blank);
        let parts = Parts::read(version)?;
        let whole = &version[..version.len() - parts.rest.len()];
        comparators.push(Comparator::new(written, whole, &parts));
        if parts.rest.is_empty() {
            return Some(comparators);
        }
        let next = parts.rest.trim_start_matches(blank);
        let comma = next.strip_prefix(',').map(|n| n.trim_start_matches(blank));
        if comma.is_none() && next.len() == parts.rest.len() {
            return None;
        }
        rest = comma.unwrap_or(next);
    }
}

impl Alternative {
    fn new(comparators: Vec<Result<Comparator, SemverError>>) -> Result<Self, SemverError> {
        let comparators = comparators.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            has_prerelease: comparators.iter().any(|c| !c.version.pre.is_empty()),
            comparators,
        })
    }
}

impl Comparator {
    fn parse(text: &str) -> Result<Self, SemverError> {
        let m = COMPARATOR
            .captures(text)
            .ok_or_else(|| SemverError::ImproperConstraint(text.to_owned()))?;
        let number = |index: usize| group(&m, index).trim_start_matches('.');
        let pre = group(&m, 6);
        let parts = Parts {
            numbers: [number(3), number(4), number(5)],
            pre: pre.strip_prefix('-').unwrap_or(pre),
            metadata: "",
            rest: "",
        };
        Self::new(group(&m, 1), group(&m, 2), &parts)
    }

    fn new(written: &str, whole: &str, parts: &Parts<'_>) -> Result<Self, SemverError> {
        let wild = |part: &str| matches!(part, "" | "x" | "X" | "*");
        let pre = match parts.pre {
            "" => String::new(),
            pre => format!("-{pre}"),
        };
        let [major, minor, patch] = parts.numbers;
        let (version, missing) = if wild(major) {
            (format!("0.0.0{pre}"), Missing::Major)
        } else if wild(minor) {
            (format!("{major}.0.0{pre}"), Missing::Minor)
        } else if wild(patch) {
            (format!("{major}.{minor}.0{pre}"), Missing::Patch)
        } else {
            (whole.to_owned(), Missing::Nothing)
        };
        Ok(Self {
            operator: operator(written),
            version: Version::parse(&version).map_err(|_| SemverError::ConstraintParser)?,
            written: format!("{written}{whole}"),
            missing,
        })
    }

    fn matches(&self, version: &Version, prerelease_allowed: bool) -> bool {
        if !version.pre.is_empty() && !prerelease_allowed {
            return false;
        }
        match self.operator {
            Operator::TildeOrEqual if self.missing == Missing::Nothing => *version == self.version,
            Operator::TildeOrEqual | Operator::Tilde => self.tilde(version),
            Operator::NotEqual => self.not_equal(version),
            Operator::Greater => self.greater(version),
            Operator::Less => *version < self.version,
            Operator::GreaterEqual => *version >= self.version,
            Operator::LessEqual => self.less_equal(version),
            Operator::Caret => self.caret(version),
        }
    }

    fn not_equal(&self, v: &Version) -> bool {
        let c = &self.version;
        match self.missing {
            Missing::Nothing => v != c,
            Missing::Minor => c.major != v.major,
            Missing::Patch => {
                (c.major, c.minor) != (v.major, v.minor)
                    || compare_prerelease(&v.pre, &c.pre) != Ordering::Equal
            }
            // A bare wildcard counts as 0.0.0 here, as upstream has it.
            Missing::Major => v != c,
        }
    }

    fn greater(&self, v: &Version) -> bool {
        let c = &self.version;
        match self.missing {
            Missing::Minor => v.major > c.major,
            Missing::Patch => (v.major, v.minor) > (c.major, c.minor),
            Missing::Nothing | Missing::Major => v > c,
        }
    }

    fn less_equal(&self, v: &Version) -> bool {
        let c = &self.version;
        match self.missing {
            Missing::Nothing => v <= c,
            Missing::Minor => v.major <= c.major,
            Missing::Patch | Missing::Major => (v.major, v.minor) <= (c.major, c.minor),
        }
    }

    fn tilde(&self, v: &Version) -> bool {
        let c = &self.version;
        if v < c {
            return false;
        }
        let zero = (c.major, c.minor, c.patch) == (0, 0, 0);
        if zero && matches!(self.missing, Missing::Nothing | Missing::Major) {
            return true;
        }
        v.major == c.major && (v.minor == c.minor || self.missing == Missing::Minor)
    }

    fn caret(&self, v: &Version) -> bool {
        let c = &self.version;
        if v < c {
            return false;
        }
        if c.major > 0 || self.missing == Missing::Minor {
            return v.major == c.major;
        }
        if v.major > 0 {
            return false;
        }
        if c.minor > 0 || self.missing == Missing::Patch {
            return v.minor == c.minor;
        }
        v.minor == 0 && v.patch == c.patch
    }
}

fn operator(text: &str) -> Operator {
    match text {
        "!=" => Operator::NotEqual,
        ">" => Operator::Greater,
        "<" => Operator::Less,
        ">=" | "=>" => Operator::GreaterEqual,
        "<=" | "=<" => Operator::LessEqual,
        "~" | "~>" => Operator::Tilde,
        "^" => Operator::Caret,
        _ => Operator::TildeOrEqual,
    }
}
