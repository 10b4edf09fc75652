//! `.gitmodules`: which repository belongs at which path.

/// One submodule as declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Submodule {
    /// Path in the parent's tree.
    pub path: String,
    /// URL, relative ones resolved.
    pub url: String,
}

/// Reads declarations; those without path or URL are left out.
pub(crate) fn parse(text: &str, parent_url: &str) -> Vec<Submodule> {
    let mut found: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        let line = line.trim();
        if line.starts_with("[submodule") {
            found.push(Default::default());
        } else if let Some((key, value)) = line.split_once('=')
            && let Some((path, url)) = found.last_mut()
        {
            match key.trim().to_ascii_lowercase().as_str() {
                "path" => *path = unquote(value),
                "url" => *url = unquote(value),
                _ => {}
            }
        }
    }
    found
        .into_iter()
        .filter(|(path, url)| !path.is_empty() && !url.is_empty())
        .map(|(path, url)| Submodule {
            path,
            url: resolve(parent_url, &url),
        })
        .collect()
}

fn unquote(value: &str) -> String {
    let value = value.trim();
    let inner = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
    inner.unwrap_or(value).to_owned()
}

/// Resolves `./` and `../` against the parent's URL, as Git does.
fn resolve(parent: &str, url: &str) -> String {
    if !url.starts_with("./") && !url.starts_with("../") {
        return url.to_owned();
    }
    let mut base = parent.trim_end_matches('/').to_owned();
    let mut rest = url;
    loop {
        if let Some(after) = rest.strip_prefix("./") {
            rest = after;
        } else if let Some(after) = rest.strip_prefix("../") {
            rest = after;
            // The scheme and host are never climbed over.
            let floor = base.find("://").map_or(0, |at| at + 3);
            if let Some(slash) = base[floor..].rfind('/') {
                base.truncate(floor + slash);
            }
        } else {
            return format!("{base}/{rest}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarations_are_read_and_resolved() {
        let text = "[submodule \"a\"]\n\tpath = libs/a\n\turl = ../a.git\n[submodule \"b\"]\n\tpath=b\n\turl = \"https://x/b\"\n[submodule \"c\"]\n\tpath = c\n";
        let found = parse(text, "https://host/org/parent.git/");
        let urls: Vec<_> = found.iter().map(|s| (&*s.path, &*s.url)).collect();
        assert_eq!(
            urls,
            [("libs/a", "https://host/org/a.git"), ("b", "https://x/b")]
        );
        assert_eq!(resolve("https://h/p", "../../../x"), "https://h/x");
        assert_eq!(resolve("/srv/p", "./x"), "/srv/p/x");
    }
}
