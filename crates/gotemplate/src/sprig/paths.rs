//! Slash-separated paths; on the platforms served the `os` forms are the same.

use crate::function::{Function, Type};

const T: Type = Type::Text;
const B: Type = Type::Bool;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::fixed("base", &[T], T, |c| Ok(base(&c.str(0)).into())),
    Function::fixed("osBase", &[T], T, |c| Ok(base(&c.str(0)).into())),
    Function::fixed("dir", &[T], T, |c| Ok(dir(&c.str(0)).into())),
    Function::fixed("osDir", &[T], T, |c| Ok(dir(&c.str(0)).into())),
    Function::fixed("clean", &[T], T, |c| Ok(clean(&c.str(0)).into())),
    Function::fixed("osClean", &[T], T, |c| Ok(clean(&c.str(0)).into())),
    Function::fixed("ext", &[T], T, |c| Ok(ext(&c.str(0)).into())),
    Function::fixed("osExt", &[T], T, |c| Ok(ext(&c.str(0)).into())),
    Function::fixed("isAbs", &[T], B, |c| Ok(c.str(0).starts_with('/').into())),
    Function::fixed("osIsAbs", &[T], B, |c| Ok(c.str(0).starts_with('/').into())),
];

fn base(path: &str) -> &str {
    if path.is_empty() {
        return ".";
    }
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() {
        return "/";
    }
    trimmed.rsplit('/').next().unwrap_or(trimmed)
}

fn dir(path: &str) -> String {
    clean(path.rfind('/').map_or("", |slash| &path[..=slash]))
}

fn ext(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rfind('.').map_or("", |dot| &name[dot..])
}

fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}
