//! Semantic versions and version ranges by the rules of the Masterminds library (v3.5), which Helm and
//! Flux use for charts, tags and images.
//!
//! Parsing is lenient: an optional `v`, one to three numeric parts, leading zeros allowed. Ranges join
//! comparators with a comma or space (and) and with `||` (or). A pre-release matches only where its
//! and-group names a pre-release itself.

use std::cmp::Ordering;
use std::fmt;
use std::sync::LazyLock;

use regex::{Captures, Regex};

/// Longest accepted version text, in bytes.
const VERSION_BYTES_MAX: usize = 256;
/// Longest accepted range text, in bytes.
const RANGE_BYTES_MAX: usize = 512;
/// Most groups joined by `||`.
const RANGE_GROUPS_MAX: usize = 32;

/// Why a version or a range is not one; the texts are upstream's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SemverError {
    /// The text does not look like a version.
    #[error("invalid semantic version")]
    Invalid,
    /// The text has no characters; only strict parsing says so.
    #[error("version string empty")]
    Empty,
    /// A strict version has something else than digits where a number belongs.
    #[error("invalid characters in version")]
    InvalidCharacters,
    /// A part that must be a plain number starts with a zero.
    #[error("version segment starts with 0")]
    LeadingZero,
    /// The pre-release part is malformed.
    #[error("invalid prerelease string")]
    InvalidPrerelease,
    /// The build metadata is malformed.
    #[error("invalid metadata string")]
    InvalidMetadata,
    /// The text exceeds the accepted length.
    #[error("version string is too long (max {VERSION_BYTES_MAX} bytes)")]
    TooLong,
    /// A numeric part does not fit 64 bits.
    #[error(
        "error parsing version segment: strconv.ParseUint: parsing \"{0}\": value out of range"
    )]
    SegmentRange(String),
    /// A range that does not parse.
    #[error("improper constraint: {}", crate::quote::quote(.0.as_bytes()))]
    ImproperConstraint(String),
    /// A comparator whose version does not parse.
    #[error("constraint parser error")]
    ConstraintParser,
    /// The range exceeds the accepted length.
    #[error("constraint string is too long (max {RANGE_BYTES_MAX} bytes)")]
    ConstraintTooLong,
    /// The range has too many alternatives.
    #[error("too many constraint groups (max {RANGE_GROUPS_MAX})")]
    TooManyGroups,
}

/// A semantic version. Ordering and equality ignore build metadata.
#[derive(Debug, Clone)]
pub struct Version {
    /// First number.
    pub major: u64,
    /// Second number, 0 where the text has none.
    pub minor: u64,
    /// Third number, 0 where the text has none.
    pub patch: u64,
    /// Pre-release part without its dash; may be empty.
    pub pre: String,
    /// Build metadata without its plus; may be empty.
    pub metadata: String,
    /// The text as it was given.
    pub original: String,
}

const PRE_AND_METADATA: &str =
    r"(-([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?(\+([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?";

fn compile(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is a constant that compiles")
}

/// A lenient version at the start of a text, taken apart; numbers may be wildcards.
struct Parts<'t> {
    /// One to three numbers without dots; absent ones are empty.
    numbers: [&'t str; 3],
    /// Without its dash; may be empty.
    pre: &'t str,
    /// Without its plus; may be empty.
    metadata: &'t str,
    /// What follows.
    rest: &'t str,
}

impl<'t> Parts<'t> {
    /// Takes as much as belongs to a version; none where the text starts otherwise.
    fn read(text: &'t str) -> Option<Self> {
        let mut rest = text.strip_prefix('v').unwrap_or(text);
        let mut numbers = [""; 3];
        for (index, number) in numbers.iter_mut().enumerate() {
            let start = match index {
                0 => Some(rest),
                _ => rest.strip_prefix('.'),
            };
            let Some(start) = start else { break };
            let digits = start.bytes().take_while(u8::is_ascii_digit).count();
            let length = if digits == 0 && start.starts_with(['x', 'X', '*']) {
                1
            } else {
                digits
            };
            if length == 0 {
                break;
            }
            (*number, rest) = start.split_at(length);
        }
        if numbers[0].is_empty() {
            return None;
        }
        let mut part = |mark: char| {
            let start = rest.strip_prefix(mark)?;
            let length = identifiers(start);
            if length == 0 {
                return None;
            }
            let (part, behind) = start.split_at(length);
            rest = behind;
            Some(part)
        };
        let pre = part('-').unwrap_or_default();
        let metadata = part('+').unwrap_or_default();
        Some(Self {
            numbers,
            pre,
            metadata,
            rest,
        })
    }
}

/// Length of the identifiers, joined by dots, that a text starts with.
fn identifiers(text: &str) -> usize {
    let bytes = text.as_bytes();
    let word = |b: &u8| b.is_ascii_alphanumeric() || *b == b'-';
    let mut at = bytes.iter().take_while(|b| word(b)).count();
    while at > 0 && bytes.get(at) == Some(&b'.') && bytes.get(at + 1).is_some_and(word) {
        at += 1 + bytes[at + 1..].iter().take_while(|b| word(b)).count();
    }
    at
}

impl Version {
    /// Parses leniently.
    ///
    /// # Errors
    /// The text is no version, too long, or has a number beyond 64 bits.
    pub fn parse(text: &str) -> Result<Self, SemverError> {
        if text.len() > VERSION_BYTES_MAX {
            return Err(SemverError::TooLong);
        }
        let parts = Parts::read(text).ok_or(SemverError::Invalid)?;
        let numeric = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if !parts.rest.is_empty() || !parts.numbers.iter().all(|part| numeric(part)) {
            return Err(SemverError::Invalid);
        }
        let number = |digits: &str| -> Result<u64, SemverError> {
            if digits.is_empty() {
                return Ok(0);
            }
            digits
                .parse()
                .map_err(|_| SemverError::SegmentRange(digits.to_owned()))
        };
        let [major, minor, patch] = parts.numbers;
        let version = Self {
            major: number(major)?,
            minor: number(minor)?,
            patch: number(patch)?,
            pre: parts.pre.to_owned(),
            metadata: parts.metadata.to_owned(),
            original: text.to_owned(),
        };
        check_prerelease(&version.pre)?;
        check_metadata(&version.metadata)?;
        Ok(version)
    }

    /// Parses by the specification: exactly three numbers, no `v`, no leading zeros.
    ///
    /// # Errors
    /// The text deviates from the specification.
    pub fn parse_strict(text: &str) -> Result<Self, SemverError> {
        if text.is_empty() {
            return Err(SemverError::Empty);
        }
        if text.len() > VERSION_BYTES_MAX {
            return Err(SemverError::TooLong);
        }
        let parts: Vec<&str> = text.splitn(3, '.').collect();
        let [major, minor, rest] = parts[..] else {
            return Err(SemverError::Invalid);
        };
        let (rest, metadata) = rest
            .split_once('+')
            .map_or((rest, None), |(r, m)| (r, Some(m)));
        let (patch, pre) = rest
            .split_once('-')
            .map_or((rest, None), |(r, p)| (r, Some(p)));
        if let Some(metadata) = metadata {
            check_identifiers(metadata, false)?;
        }
        if let Some(pre) = pre {
            check_identifiers(pre, true)?;
        }
        for part in [major, minor, patch] {
            if !part.bytes().all(|b| b.is_ascii_digit()) {
                return Err(SemverError::InvalidCharacters);
            }
            if part.len() > 1 && part.starts_with('0') {
                return Err(SemverError::LeadingZero);
            }
        }
        let number = |part: &str| {
            part.parse()
                .map_err(|_| SemverError::SegmentRange(part.to_owned()))
        };
        Ok(Self {
            major: number(major)?,
            minor: number(minor)?,
            patch: number(patch)?,
            pre: pre.unwrap_or_default().to_owned(),
            metadata: metadata.unwrap_or_default().to_owned(),
            original: text.to_owned(),
        })
    }

    /// Next patch version; a pre-release just loses its pre-release part.
    pub fn inc_patch(&self) -> Self {
        let patch = if self.pre.is_empty() {
            self.patch.saturating_add(1)
        } else {
            self.patch
        };
        self.with(self.major, self.minor, patch)
    }

    /// Next minor version.
    pub fn inc_minor(&self) -> Self {
        self.with(self.major, self.minor.saturating_add(1), 0)
    }

    /// Next major version.
    pub fn inc_major(&self) -> Self {
        self.with(self.major.saturating_add(1), 0, 0)
    }

    /// The same version with another pre-release part.
    ///
    /// # Errors
    /// The part is malformed.
    pub fn set_prerelease(&self, pre: &str) -> Result<Self, SemverError> {
        check_prerelease(pre)?;
        let mut next = self.clone();
        pre.clone_into(&mut next.pre);
        Ok(next.renamed(self))
    }

    /// The same version with other build metadata.
    ///
    /// # Errors
    /// The metadata is malformed.
    pub fn set_metadata(&self, metadata: &str) -> Result<Self, SemverError> {
        check_metadata(metadata)?;
        let mut next = self.clone();
        metadata.clone_into(&mut next.metadata);
        Ok(next.renamed(self))
    }

    fn with(&self, major: u64, minor: u64, patch: u64) -> Self {
        Self {
            major,
            minor,
            patch,
            pre: String::new(),
            metadata: String::new(),
            original: String::new(),
        }
        .renamed(self)
    }

    fn renamed(mut self, from: &Self) -> Self {
        let prefix = if from.original.starts_with('v') {
            "v"
        } else {
            ""
        };
        self.original = format!("{prefix}{self}");
        self
    }
}

impl fmt::Display for Version {
    /// Writes the canonical form: three numbers, no `v`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)?;
        if !self.pre.is_empty() {
            write!(f, "-{}", self.pre)?;
        }
        if !self.metadata.is_empty() {
            write!(f, "+{}", self.metadata)?;
        }
        Ok(())
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version {}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.major, self.minor, self.patch)
            .cmp(&(other.major, other.minor, other.patch))
            .then_with(|| match (self.pre.is_empty(), other.pre.is_empty()) {
                (true, true) => Ordering::Equal,
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                (false, false) => compare_prerelease(&self.pre, &other.pre),
            })
    }
}

fn compare_prerelease(left: &str, right: &str) -> Ordering {
    let (mut lefts, mut rights) = (left.split('.'), right.split('.'));
    loop {
        let order = match (lefts.next(), rights.next()) {
            (None, None) => return Ordering::Equal,
            (left, right) => compare_part(left.unwrap_or_default(), right.unwrap_or_default()),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// Numbers below words, absent below both.
fn compare_part(left: &str, right: &str) -> Ordering {
    if left == right {
        return Ordering::Equal;
    }
    if left.is_empty() || right.is_empty() {
        return left.len().cmp(&right.len());
    }
    match (left.parse::<u64>(), right.parse::<u64>()) {
        (Ok(left), Ok(right)) => left.cmp(&right),
        (Ok(_), Err(_)) => Ordering::Less,
        (Err(_), Ok(_)) => Ordering::Greater,
        (Err(_), Err(_)) => left.cmp(right),
    }
}

fn check_prerelease(text: &str) -> Result<(), SemverError> {
    if text.is_empty() {
        Ok(())
    } else {
        check_identifiers(text, true)
    }
}

fn check_metadata(text: &str) -> Result<(), SemverError> {
    if text.is_empty() {
        Ok(())
    } else {
        check_identifiers(text, false)
    }
}

fn check_identifiers(text: &str, prerelease: bool) -> Result<(), SemverError> {
    for part in text.split('.') {
        let numeric = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if prerelease && numeric && part.len() > 1 && part.starts_with('0') {
            return Err(SemverError::LeadingZero);
        }
        if part.is_empty() || !part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return Err(if prerelease {
                SemverError::InvalidPrerelease
            } else {
                SemverError::InvalidMetadata
            });
        }
    }
    Ok(())
}

/// A version range such as `>=1.2 <2 || ~3.1`.
#[derive(Debug, Clone)]
pub struct Range {
    alternatives: Vec<Alternative>,
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
