//! Which commit a reference of a GitRepository means, given the references that a repository advertises.
//!
//! Precedence as in upstream's clone code: commit, name, tag, semver, branch (`master` where nothing is set).

use gocompat::semver::{Range, Version};

use crate::{Error, ObjectId};

/// What to check out; empty fields are not set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reference {
    /// Branch.
    pub branch: String,
    /// Tag.
    pub tag: String,
    /// Semver range over tags.
    pub semver: String,
    /// Full reference name.
    pub name: String,
    /// Commit id.
    pub commit: String,
    /// Anything that `git fetch URL WORD` takes, for callers that know no more: a commit id, a full name, a tag, a
    /// branch, or `HEAD`. Looked at where nothing else is set.
    pub word: String,
}

/// A reference as a repository advertises it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advertised {
    /// Full name, such as `refs/heads/main`.
    pub name: String,
    /// What it points at.
    pub id: ObjectId,
    /// The commit behind an annotated tag; `None` otherwise.
    pub peeled: Option<ObjectId>,
}

/// A reference of which precedence is resolved.
#[derive(Clone, Debug)]
pub(crate) enum Wanted {
    /// A commit by id; the branch it must be on, if any.
    Commit { id: ObjectId, branch: String },
    /// A full name.
    Name(String),
    /// A tag.
    Tag(String),
    /// The highest tag in a range.
    Semver(Range, String),
    /// A branch.
    Branch(String),
    /// A commit by id, wherever it stands.
    Object(ObjectId),
    /// What `git fetch` would make of a word.
    Word(String),
}

/// Full names that a word may stand for, in Git's order.
fn meanings(word: &str) -> [String; 4] {
    ["", "refs/", "refs/tags/", "refs/heads/"].map(|prefix| format!("{prefix}{word}"))
}

/// A commit chosen by a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chosen {
    /// Full name as it enters the revision.
    pub reference: String,
    /// The commit.
    pub commit: ObjectId,
    /// The tag object, if the reference is an annotated tag.
    pub tag: Option<ObjectId>,
}

const PEELED: &str = "^{}";
const DEFAULT_BRANCH: &str = "master";

impl Reference {
    pub(crate) fn wanted(&self) -> Result<Wanted, Error> {
        if !self.commit.is_empty() {
            let id = ObjectId::from_hex(&self.commit).ok_or_else(|| {
                let context = format!("unable to resolve commit object for '{}'", self.commit);
                Error::Message("object not found".to_owned()).context(context)
            })?;
            let branch = self.branch.clone();
            return Ok(Wanted::Commit { id, branch });
        }
        if !self.name.is_empty() {
            if self.name.starts_with('/') || self.name.ends_with('/') {
                return Err(Error::Message(format!(
                    "ref {} is invalid; Git refs cannot begin or end with a slash '/'",
                    self.name
                )));
            }
            return Ok(Wanted::Name(self.name.clone()));
        }
        if !self.tag.is_empty() {
            return Ok(Wanted::Tag(self.tag.clone()));
        }
        if !self.semver.is_empty() {
            let range = Range::parse(&self.semver)
                .map_err(|error| Error::Message(format!("semver parse error: {error}")))?;
            return Ok(Wanted::Semver(range, self.semver.clone()));
        }
        if self.branch.is_empty() && !self.word.is_empty() {
            return Ok(match ObjectId::from_hex(&self.word) {
                Some(id) => Wanted::Object(id),
                // No name of a reference, and a path out of a local repository.
                None if self.word.split('/').any(|step| step == "..") => {
                    return Err(Error::NoReference(self.word.clone()));
                }
                None => Wanted::Word(self.word.clone()),
            });
        }
        let branch = match self.branch.as_str() {
            "" => DEFAULT_BRANCH,
            branch => branch,
        };
        Ok(Wanted::Branch(branch.to_owned()))
    }
}

impl Wanted {
    /// Returns what names of references the choice depends on: prefixes of full names.
    pub fn prefixes(&self) -> Vec<String> {
        match self {
            Self::Commit { branch, .. } => vec![format!("refs/heads/{branch}")],
            Self::Name(name) => vec![name.trim_end_matches(PEELED).to_owned()],
            Self::Tag(tag) => vec![format!("refs/tags/{tag}")],
            Self::Semver(..) => vec!["refs/tags/".to_owned()],
            Self::Branch(branch) => vec![format!("refs/heads/{branch}")],
            Self::Object(_) => Vec::new(),
            Self::Word(word) => meanings(word).to_vec(),
        }
    }

    /// Chooses among advertised references. Several answers are equal versions; the youngest commit wins among them.
    ///
    /// Must not be called for a commit by id.
    pub fn choose(&self, url: &str, advertised: &[Advertised]) -> Result<Vec<Chosen>, Error> {
        let unable = || format!("unable to clone '{url}'");
        let find = |name: &str| advertised.iter().find(|known| known.name == name);
        let exactly = |name: &str, shown: String| match find(name) {
            Some(found) => Ok(vec![Chosen {
                reference: shown,
                commit: found.peeled.unwrap_or(found.id),
                tag: found.peeled.map(|_| found.id),
            }]),
            None => Err(Error::NoReference(name.to_owned()).context(unable())),
        };
        match self {
            Self::Commit { .. } => Ok(Vec::new()),
            Self::Object(id) => Ok(vec![Chosen {
                reference: String::new(),
                commit: *id,
                tag: None,
            }]),
            Self::Word(word) => {
                let meanings = meanings(word);
                let found = meanings.iter().find(|name| find(name).is_some());
                let name = found.unwrap_or(word);
                exactly(name, name.clone())
            }
            Self::Branch(branch) => {
                let name = format!("refs/heads/{branch}");
                exactly(&name, name.clone())
            }
            Self::Tag(tag) => {
                let name = format!("refs/tags/{tag}");
                exactly(&name, name.clone())
            }
            Self::Name(name) => {
                exactly(name.trim_end_matches(PEELED), name.clone()).map_err(|_| {
                    Error::Message(format!(
                        "unable to resolve ref '{name}' to a specific commit"
                    ))
                })
            }
            Self::Semver(range, text) => highest(range, text, advertised),
        }
    }
}

/// Finds the tags of the highest version in a range.
fn highest(range: &Range, text: &str, advertised: &[Advertised]) -> Result<Vec<Chosen>, Error> {
    let mut best: Vec<(Version, &Advertised)> = Vec::new();
    for known in advertised {
        let Some(tag) = known.name.strip_prefix("refs/tags/") else {
            continue;
        };
        // Three numbers, with or without `v`.
        if Version::parse_strict(tag.strip_prefix('v').unwrap_or(tag)).is_err() {
            continue;
        }
        let Ok(version) = Version::parse(tag) else {
            continue;
        };
        if !range.matches(&version) {
            continue;
        }
        match best.first().map(|(top, _)| version.cmp(top)) {
            Some(std::cmp::Ordering::Less) => continue,
            Some(std::cmp::Ordering::Equal) => {}
            _ => best.clear(),
        }
        best.push((version, known));
    }
    if best.is_empty() {
        return Err(Error::Message(format!("no match found for semver: {text}")));
    }
    let chosen = best.into_iter().map(|(_, known)| Chosen {
        reference: known.name.clone(),
        commit: known.peeled.unwrap_or(known.id),
        tag: known.peeled.map(|_| known.id),
    });
    Ok(chosen.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(digit: char) -> ObjectId {
        ObjectId::from_hex(&digit.to_string().repeat(40)).unwrap()
    }

    fn choose(reference: Reference) -> Result<String, String> {
        let light = |name: &str, digit| Advertised {
            name: name.to_owned(),
            id: id(digit),
            peeled: None,
        };
        let mut annotated = light("refs/tags/v1.2.0", '4');
        annotated.peeled = Some(id('5'));
        let advertised = [
            light("refs/heads/main", '1'),
            light("refs/heads/master", '2'),
            light("refs/tags/1.1.9", '3'),
            annotated,
            light("refs/tags/1.3", '6'),
            light("refs/tags/2.0.0-rc.1", '7'),
            light("refs/pull/1/head", '8'),
        ];
        let wanted = reference.wanted().map_err(|error| error.to_string())?;
        let chosen = wanted
            .choose("U", &advertised)
            .map_err(|error| error.to_string())?;
        Ok(format!(
            "{} {}",
            chosen[0].reference,
            &chosen[0].commit.to_string()[..1]
        ))
    }

    #[test]
    fn references_choose_by_upstreams_precedence() {
        let set = |field: &str, value: &str| {
            let mut reference = Reference::default();
            match field {
                "branch" => &mut reference.branch,
                "tag" => &mut reference.tag,
                "semver" => &mut reference.semver,
                "commit" => &mut reference.commit,
                "word" => &mut reference.word,
                _ => &mut reference.name,
            }
            .push_str(value);
            reference
        };
        let rows: [(Reference, Result<&str, &str>); 18] = [
            (set("word", "main"), Ok("refs/heads/main 1")),
            (set("word", "v1.2.0"), Ok("refs/tags/v1.2.0 5")),
            (set("word", "pull/1/head"), Ok("refs/pull/1/head 8")),
            (set("word", &"9".repeat(40)), Ok(" 9")),
            (
                set("word", "nope"),
                Err("unable to clone 'U': couldn't find remote ref \"nope\""),
            ),
            (Reference::default(), Ok("refs/heads/master 2")),
            (set("branch", "main"), Ok("refs/heads/main 1")),
            (
                set("branch", "nope"),
                Err("unable to clone 'U': couldn't find remote ref \"refs/heads/nope\""),
            ),
            (set("tag", "v1.2.0"), Ok("refs/tags/v1.2.0 5")),
            (set("semver", ">=1.0.0"), Ok("refs/tags/v1.2.0 5")),
            (set("semver", "~1.1"), Ok("refs/tags/1.1.9 3")),
            (set("semver", ">=1.0.0-0"), Ok("refs/tags/2.0.0-rc.1 7")),
            (set("semver", ">=9"), Err("no match found for semver: >=9")),
            (
                set("semver", "x y"),
                Err("semver parse error: improper constraint: \"x y\""),
            ),
            (set("name", "refs/pull/1/head"), Ok("refs/pull/1/head 8")),
            (
                set("name", "refs/tags/v1.2.0^{}"),
                Ok("refs/tags/v1.2.0^{} 5"),
            ),
            (
                set("name", "refs/x"),
                Err("unable to resolve ref 'refs/x' to a specific commit"),
            ),
            (
                set("name", "refs/x/"),
                Err("ref refs/x/ is invalid; Git refs cannot begin or end with a slash '/'"),
            ),
        ];
        for (reference, expected) in rows {
            let expected = expected.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(choose(reference.clone()), expected, "{reference:?}");
        }
    }
}
