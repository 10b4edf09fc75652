//! Arithmetic on tree paths: relative, `/`-separated, root is "".

/// Normalises a path: drops `.` and empty steps, resolves `..` by text, treats a leading `/` as the root.
///
/// Returns `None` when `..` leads above the root.
pub fn clean(path: &str) -> Option<String> {
    let mut steps: Vec<&str> = Vec::new();
    for step in path.split('/') {
        match step {
            "" | "." => {}
            ".." => {
                steps.pop()?;
            }
            step => steps.push(step),
        }
    }
    Some(steps.join("/"))
}

/// Joins a directory and a path relative to it, normalised; an absolute path starts from the root.
///
/// Returns `None` when `..` leads above the root.
pub fn join(directory: &str, path: &str) -> Option<String> {
    if path.starts_with('/') {
        clean(path)
    } else {
        clean(&format!("{directory}/{path}"))
    }
}

/// Returns the directory of a cleaned path; the root's is the root.
pub fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// Returns the last element of a cleaned path.
pub fn base_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_normalised_and_confined() {
        assert_eq!(clean("./a//b/../c/").as_deref(), Some("a/c"));
        assert_eq!(join("a/b", "../c").as_deref(), Some("a/c"));
        assert_eq!(join("a/b", "/c").as_deref(), Some("c"));
        assert_eq!(join("a", "../.."), None);
        assert_eq!((parent("a/b"), base_name("a/b")), ("a", "b"));
        assert_eq!((parent("a"), base_name("a")), ("", "a"));
    }
}
