//! Arbitrary input never panics.

use proptest::prelude::*;
use remote::oci::{DockerConfig, Manifest, Reference, Repository};

proptest! {
    #[test]
    fn names_configs_and_manifests_of_any_kind(text in "\\PC{0,80}", bytes: Vec<u8>) {
        if let Ok(repository) = Repository::parse(&text) {
            let again = Repository::parse(&repository.to_string()).unwrap();
            prop_assert_eq!(again.to_string(), repository.to_string());
        }
        let _ = Reference::parse(&text);
        let _ = Reference::parse(&format!("h.io/org/app:{text}"));
        let _ = remote::helm::normalize_url(&text);
        let _ = remote::helm::resolve_url("https://h.io/charts", &text);
        let _ = Manifest::parse(&bytes);
        if let Ok(config) = DockerConfig::parse(format!("{{\"auths\": {{{text:?}: {{}}}}}}").as_bytes()) {
            config.find(&text);
            config.find("h.io/org/app");
        }
    }
}
