//! `.helmignore`: which files of a chart directory are not part of the chart.
//!
//! Follows Helm's rules, which are not Git's: no `**`, and a negated rule ignores everything that it does
//! not match.

use filetree::glob::{self, BadPattern};

/// Rules that every chart directory has: hidden files directly in `templates/`.
const DEFAULT_RULE: &str = "templates/.?*";

/// Parsed rules, in order; the first one that decides wins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    pattern: String,
    negated: bool,
    directories_only: bool,
    whole_path: bool,
}

/// A rule that Helm refuses; loading the chart fails with this text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IgnoreError {
    /// `**` in a rule.
    #[error("double-star (**) syntax is not supported")]
    DoubleStar,
    /// A malformed shell pattern.
    #[error("{0}")]
    Pattern(#[from] BadPattern),
}

impl Rules {
    /// Reads the text of a `.helmignore` file.
    ///
    /// # Errors
    /// A pattern has `**`, or is none.
    pub fn parse(text: &str) -> Result<Self, IgnoreError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let lines = text.lines().map(str::trim);
        let rules = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        Ok(Self {
            rules: rules.map(Rule::parse).collect::<Result<_, _>>()?,
        })
    }

    /// Appends the rules that hold for every chart directory.
    pub fn add_defaults(&mut self) {
        self.rules.extend(Rule::parse(DEFAULT_RULE));
    }

    /// Tells whether a path (relative to the chart, `/`-separated) is left out.
    ///
    /// Ignoring a directory leaves out all below it; that is for the caller who walks the tree.
    pub fn ignores(&self, path: &str, is_directory: bool) -> bool {
        if matches!(path, "" | "." | "./") {
            return false;
        }
        self.rules
            .iter()
            .any(|rule| rule.ignores(path, is_directory))
    }
}

impl Rule {
    fn parse(line: &str) -> Result<Self, IgnoreError> {
        if line.contains("**") {
            return Err(IgnoreError::DoubleStar);
        }
        // Helm tries the pattern once to find faults, and only those that this name reaches.
        glob::matches(line, "abc")?;
        let (negated, line) = split(line.strip_prefix('!'), line);
        let (directories_only, line) = split(line.strip_suffix('/'), line);
        let (rooted, pattern) = split(line.strip_prefix('/'), line);
        let whole_path = rooted || pattern.contains('/');
        Ok(Self {
            pattern: pattern.to_owned(),
            negated,
            directories_only,
            whole_path,
        })
    }

    fn ignores(&self, path: &str, is_directory: bool) -> bool {
        if self.directories_only && !is_directory {
            return self.negated;
        }
        self.matches(path) != self.negated
    }

    fn matches(&self, path: &str) -> bool {
        let text = if self.whole_path { path } else { base(path) };
        // A fault that the trial did not reach matches nothing.
        glob::matches(&self.pattern, text).unwrap_or(false)
    }
}

/// `filepath.Base`: the last element, whatever slashes stand behind it.
fn base(path: &str) -> &str {
    match path.trim_end_matches('/') {
        "" => "/",
        path => filetree::base_name(path),
    }
}

fn split<'a>(stripped: Option<&'a str>, whole: &'a str) -> (bool, &'a str) {
    (stripped.is_some(), stripped.unwrap_or(whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rules: &str, path: &str, is_directory: bool, ignored: bool) {
        let rules = Rules::parse(rules).unwrap();
        assert_eq!(
            rules.ignores(path, is_directory),
            ignored,
            "{rules:?} on {path}"
        );
    }

    #[test]
    fn rules_match_names_paths_and_directories() {
        check("*.md", "docs/a.md", false, true);
        check("/*.md", "docs/a.md", false, false);
        check("docs/", "docs", true, true);
        check("docs/", "docs", false, false);
        check("!keep", "keep", false, false);
        check("!keep", "other", false, true);
    }
}
