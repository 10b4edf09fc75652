//! Repository indexes: which versions of which charts a repository has, and where they lie.
//!
//! Only what selection needs is kept of an entry. A JSON index is read in one pass without a tree; YAML
//! goes through a tree first.

use std::collections::BTreeMap;

use gocompat::semver::{Range, Version};
use serde::Deserialize;

/// A repository's index: versions of each chart, newest first.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Index {
    /// Version of the format; never empty.
    #[serde(default, rename = "apiVersion")]
    pub api_version: String,
    /// Versions by name of the chart.
    #[serde(default)]
    pub entries: BTreeMap<String, Vec<Entry>>,
}

/// One version of a chart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Entry {
    /// Name of the chart.
    pub name: String,
    /// Version.
    pub version: String,
    /// Addresses of the archive, relative ones below the index.
    pub urls: Vec<String>,
    /// SHA-256 of the archive in hexadecimal; may be empty.
    pub digest: String,
    /// Whether the version was withdrawn.
    pub removed: bool,
}

/// An index that cannot be used, or a chart that is not in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    /// The text is neither JSON nor YAML of the right shape.
    #[error("{0}")]
    Malformed(String),
    /// The index does not say which format it has.
    #[error("no API version specified")]
    NoApiVersion,
    /// No chart of that name.
    #[error("no chart name found")]
    NoChart,
    /// The wanted version is no range.
    #[error("improper constraint: {0}")]
    BadRange(String),
    /// No version fits.
    #[error("no chart version found for {0}-{1}")]
    NoVersion(String, String),
}

impl Index {
    /// Reads an index, JSON or YAML. Entries without a valid version are left out.
    ///
    /// # Errors
    /// The text is malformed or names no format.
    pub fn parse(text: &[u8]) -> Result<Self, IndexError> {
        let malformed = |error: String| IndexError::Malformed(error);
        let json = text.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'{');
        let mut index: Self = if json {
            serde_json::from_slice(text).map_err(|error| malformed(error.to_string()))?
        } else {
            let value = kyaml::yaml_to_json(text).map_err(|error| malformed(error.to_string()))?;
            serde_json::from_value(value).map_err(|error| malformed(error.to_string()))?
        };
        if index.api_version.is_empty() {
            return Err(IndexError::NoApiVersion);
        }
        for versions in index.entries.values_mut() {
            let mut keyed: Vec<(Version, Entry)> = std::mem::take(versions)
                .into_iter()
                .filter_map(|entry| Some((Version::parse(&entry.version).ok()?, entry)))
                .collect();
            keyed.sort_by(|a, b| b.0.cmp(&a.0));
            *versions = keyed.into_iter().map(|(_, entry)| entry).collect();
        }
        Ok(index)
    }

    /// Selects a version: exactly the text, else the newest in the range; no text means the newest stable one.
    ///
    /// # Errors
    /// The chart or a fitting version is not there, or the text is no range.
    pub fn select(&self, name: &str, wanted: &str) -> Result<&Entry, IndexError> {
        let versions = self
            .entries
            .get(name)
            .filter(|versions| !versions.is_empty())
            .ok_or(IndexError::NoChart)?;
        if let Some(exact) = versions
            .iter()
            .find(|entry| !wanted.is_empty() && entry.version == wanted)
        {
            return Ok(exact);
        }
        let text = if wanted.is_empty() { "*" } else { wanted };
        let range = Range::parse(text).map_err(|_| IndexError::BadRange(wanted.to_owned()))?;
        let fits = |entry: &&Entry| {
            Version::parse(&entry.version).is_ok_and(|version| range.matches(&version))
        };
        let found = versions.iter().find(fits);
        found.ok_or_else(|| IndexError::NoVersion(name.to_owned(), wanted.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: &str = "apiVersion: v1\nentries:\n  a:\n  - {name: a, version: 1.2.0, urls: [a-1.2.0.tgz]}\n  - {name: a, version: 2.0.0-rc.1, urls: [x]}\n  - {name: a, version: 1.10.0, urls: [a-1.10.0.tgz]}\n  - {name: a, version: bad}\n";

    fn check(wanted: &str, expected: &str) {
        let index = Index::parse(INDEX.as_bytes()).unwrap();
        assert_eq!(
            index.select("a", wanted).unwrap().version,
            expected,
            "{wanted}"
        );
    }

    #[test]
    fn versions_are_selected() {
        check("", "1.10.0");
        check("1.2.x", "1.2.0");
        check("2.0.0-rc.1", "2.0.0-rc.1");
        check(">=2.0.0-0", "2.0.0-rc.1");
    }

    #[test]
    fn what_is_not_there_is_an_error() {
        let index = Index::parse(INDEX.as_bytes()).unwrap();
        assert_eq!(index.select("b", "").unwrap_err(), IndexError::NoChart);
        assert!(index.select("a", "9.x").is_err());
        assert_eq!(Index::parse(b"{}").unwrap_err(), IndexError::NoApiVersion);
    }
}
