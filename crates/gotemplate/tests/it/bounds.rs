//! Nothing panics, and everything ends: hostile templates and arbitrary text.

use std::sync::Arc;

use gotemplate::{MissingKey, Registry, Set, Text, Value, sprig};
use proptest::prelude::*;

use super::language::run;

fn check_fails(template: &str) {
    assert!(run(template).is_err(), "{template}");
}

#[test]
fn hostile_templates_end_with_an_error() {
    check_fails("{{ define \"a\" }}{{ template \"a\" . }}{{ end }}{{ template \"a\" . }}");
    check_fails("{{ repeat 1000000000 \"abc\" }}");
    check_fails("{{ until 2000000000 }}");
    check_fails("{{ $x := \"aaaaaaaaaa\" }}{{ range 100 }}{{ $x = print $x $x }}{{ end }}");
    check_fails("{{ $x := list 1 2 }}{{ range 100 }}{{ $x = concat $x $x }}{{ end }}");
    check_fails(&("{{ ".to_owned() + &"(".repeat(100_000)));
    check_fails(&"{{ if true }}".repeat(100_000));
}

#[test]
fn cycles_and_deep_values_are_bounded() {
    let deep = "{{ $x := list }}{{ range 200000 }}{{ $x = list $x }}{{ end }}{{ kindOf $x }}";
    assert_eq!(run(deep).unwrap(), "slice");
    let cycle = "{{ $m := dict }}{{ $_ := set $m \"m\" $m }}{{ deepEqual $m (dict \"m\" $m) }}{{ toJson $m }}";
    assert!(run(cycle).is_ok());
    let printed = "{{ $m := dict }}{{ $_ := set $m \"m\" $m }}{{ print $m | len | lt 10 }}";
    assert_eq!(run(printed).unwrap(), "true");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,60}") {
        let _ = run(&text);
    }

    #[test]
    fn arbitrary_actions_never_panic(text in "[a-z.$\"`(){}|:=, 0-9x+-]{0,40}") {
        let _ = run(&format!("{{{{ {text} }}}}"));
    }

    #[test]
    fn arbitrary_formats_never_panic(format in "[%#+ 0-9.*\\[\\]a-zA-Z]{0,20}") {
        let _ = run(&format!("{{{{ printf {format:?} .name .list 3 1.5 nil }}}}"));
    }

    #[test]
    fn arbitrary_patterns_never_panic(pattern in "[a-c()\\[\\]{}*+?|^$.\\\\dwpQE0-9,:<>P=!-]{0,20}") {
        let _ = run(&format!("{{{{ regexReplaceAll {pattern:?} \"abcabc\" \"$1x\" }}}}"));
    }
}

/// Randomness that always says the same.
struct Stuck;

impl gotemplate::Host for Stuck {
    fn now(&self) -> gotemplate::time::Time {
        gotemplate::time::Time::unix(0, 0)
    }

    fn random(&self, buffer: &mut [u8]) {
        buffer.fill(0x5a);
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

#[test]
fn keys_from_repeating_randomness_are_refused() {
    for template in [
        "{{ genPrivateKey \"rsa\" }}",
        "{{ genPrivateKey \"dsa\" }}",
        "{{ genCA \"x\" 1 }}",
        "{{ genSelfSignedCert \"x\" nil nil 1 }}",
    ] {
        let mut registry = Registry::new();
        registry.add(&sprig::functions());
        let mut set = Set::new("set", Arc::new(registry), MissingKey::Zero);
        set.parse("t", &Text::from(template)).unwrap();
        let error = Arc::new(set).execute("t", &Value::Nil, &Stuck).unwrap_err();
        let error = error.to_string();
        let known = error.contains("the source of randomness repeats itself")
            || error.contains("expected []interface {}");
        assert!(known, "{template}: {error}");
    }
    for template in [
        "{{ genPrivateKey \"ecdsa\" }}",
        "{{ genPrivateKey \"ed25519\" }}",
        "{{ randAlphaNum 10 }}",
        "{{ randInt 1 10 }}",
        "{{ shuffle \"abc\" }}",
        "{{ uuidv4 }}",
        "{{ bcrypt \"x\" }}",
        "{{ encryptAES \"k\" \"x\" }}",
    ] {
        let mut registry = Registry::new();
        registry.add(&sprig::functions());
        let mut set = Set::new("set", Arc::new(registry), MissingKey::Zero);
        set.parse("t", &Text::from(template)).unwrap();
        Arc::new(set).execute("t", &Value::Nil, &Stuck).unwrap();
    }
}
