//! Repositories made by the real `git` program; skipped with a word where it is absent.

use std::path::Path;
use std::process::Command;

use filetree::FileTree;
use git::LocalRepository;

use crate::local::{branch, paths};

fn git(directory: &Path, args: &[&str]) -> bool {
    Command::new("git")
        .current_dir(directory)
        .args([
            "-c",
            "user.name=T",
            "-c",
            "user.email=t@e",
            "-c",
            "gc.auto=0",
        ])
        .args(args)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .is_ok_and(|output| output.status.success())
}

#[test]
fn repacked_repositories_are_read() {
    let dir = tempfile::tempdir().unwrap();
    if !git(dir.path(), &["init", "-q", "-b", "main"]) {
        eprintln!("skipped: no git program");
        return;
    }
    let mut text = String::new();
    for number in 0..40 {
        for line in 0..50 {
            text.push_str(&format!("key-{number}-{line}: value\n"));
        }
        std::fs::create_dir_all(dir.path().join("deep/er")).unwrap();
        std::fs::write(dir.path().join("deep/er/big.yaml"), &text).unwrap();
        std::fs::write(dir.path().join(format!("f{number}.yaml")), &text[..100]).unwrap();
        assert!(git(dir.path(), &["add", "-A"]));
        assert!(git(dir.path(), &["commit", "-q", "-m", "c"]));
    }
    assert!(git(dir.path(), &["tag", "-a", "-m", "t", "v1.0.0"]));
    assert!(git(
        dir.path(),
        &["repack", "-adfq", "--depth=50", "--window=50"]
    ));
    assert!(git(dir.path(), &["pack-refs", "--all"]));
    let local = LocalRepository::open(dir.path()).unwrap();
    let (_, files) = local.checkout("U", &branch("main"), &[]).unwrap();
    assert_eq!(paths(&files.tree).len(), 41);
    assert_eq!(
        &*files.tree.read("deep/er/big.yaml").unwrap(),
        text.as_bytes()
    );
    let (clean, _) = local.snapshot("U").unwrap();
    assert_eq!(clean.dirty, None);
}
