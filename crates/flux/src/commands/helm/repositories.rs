//! Repositories that `helm repo add` has written down: their list, and the indexes that helm keeps of them.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::chart::open_error;

/// A repository with what it takes to use it.
#[derive(Clone, Default)]
pub struct Repository {
    pub url: String,
    pub username: String,
    pub password: String,
    pub pass_credentials: bool,
}

/// Where helm keeps what it knows.
pub struct Paths {
    config: PathBuf,
    cache: PathBuf,
}

fn set(name: &str) -> Option<PathBuf> {
    std::env::var_os(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

/// A place of a kind by helm's variables, those of the desktop, or below the home directory.
fn place(own: &str, desktop: &str, home: &str) -> PathBuf {
    set(own)
        .or_else(|| set(desktop).map(|path| path.join("helm")))
        .unwrap_or_else(|| set("HOME").unwrap_or_default().join(home).join("helm"))
}

impl Paths {
    /// Paths by the flags, where they are given, else by the environment.
    pub fn new(config_flag: &str, cache_flag: &str) -> Self {
        let flag = |text: &str| (!text.is_empty()).then(|| PathBuf::from(text));
        let config = || place("HELM_CONFIG_HOME", "XDG_CONFIG_HOME", ".config");
        let cache = || place("HELM_CACHE_HOME", "XDG_CACHE_HOME", ".cache");
        Self {
            config: flag(config_flag)
                .or_else(|| set("HELM_REPOSITORY_CONFIG"))
                .unwrap_or_else(|| config().join("repositories.yaml")),
            cache: flag(cache_flag)
                .or_else(|| set("HELM_REPOSITORY_CACHE"))
                .unwrap_or_else(|| cache().join("repository")),
        }
    }

    /// A repository by its name.
    pub fn repository(&self, name: &str) -> Result<Repository, String> {
        let missing = || format!("repo {name} not found");
        let text = match fs::read(&self.config) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(missing()),
            read => read.map_err(|error| {
                let path = self.config.display().to_string();
                format!(
                    "couldn't load repositories file ({path}): {}",
                    open_error(&path, &error)
                )
            })?,
        };
        let list = kyaml::yaml_to_json(&text).map_err(|error| error.to_string())?;
        let entries = list["repositories"].as_array().into_iter().flatten();
        let found = entries.into_iter().find(|entry| entry["name"] == name);
        let found = found.ok_or_else(missing)?;
        let text = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
        if text("url").is_empty() {
            return Err(format!("no URL found for repository {name}"));
        }
        Ok(Repository {
            url: text("url"),
            username: text("username"),
            password: text("password"),
            pass_credentials: found["pass_credentials_all"] == Value::Bool(true),
        })
    }

    /// The index of a repository as helm fetched it last.
    pub fn index(&self, name: &str) -> Result<Vec<u8>, String> {
        let path: &Path = &self.cache.join(format!("{name}-index.yaml"));
        fs::read(path).map_err(|error| {
            let error = open_error(&path.display().to_string(), &error);
            format!("no cached repo found. (try 'helm repo update'): {error}")
        })
    }
}
