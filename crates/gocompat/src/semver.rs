//! Semantic versions and version ranges by the rules of the Masterminds library (v3.5), which Helm and
//! Flux use for charts, tags and images.
//!
//! Parsing is lenient: an optional `v`, one to three numeric parts, leading zeros allowed. Ranges join
//! comparators with a comma or space (and) and with `||` (or). A pre-release matches only where its
//! and-group names a pre-release itself.

mod range;

use std::cmp::Ordering;
use std::fmt;

pub use range::Range;

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
