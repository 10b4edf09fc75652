use proptest::prelude::*;

use super::*;
use crate::json;

fn parse(text: &str) -> Result<LabelSelector, SelectorError> {
    LabelSelector::parse(text)
}

#[test]
fn texts_are_read_as_kubernetes_reads_them() {
    for (text, fits) in [
        ("a=b,c!=d", true),
        ("a in (b, c),!d,e", true),
        ("a>1,b<2", true),
        ("", true),
        ("a==", true),
        ("a in b", false),
        ("a=b,", false),
        ("a=b c", false),
        ("=b", false),
        ("a in (b", false),
        ("a>b", false),
        ("-a", false),
        ("a=-", false),
    ] {
        assert_eq!(parse(text).is_ok(), fits, "{text}");
    }
}

#[test]
fn labels_fit_as_in_kubernetes() {
    let labels = json!({"app": "web", "tier": "2"});
    let labels = labels.as_object().unwrap();
    for (text, fits) in [
        ("", true),
        ("app=web", true),
        ("app == web,tier", true),
        ("app!=web", false),
        ("other!=web", true),
        ("app in (a, web)", true),
        ("app notin (a,web)", false),
        ("missing notin (a)", true),
        ("!app", false),
        ("!other", true),
        ("tier>1,tier<3", true),
        ("app>1", false),
        ("other", false),
    ] {
        assert_eq!(parse(text).unwrap().matches_map(labels), fits, "{text}");
    }
}

#[test]
fn selectors_of_objects_are_those_of_queries() {
    let selector = json!({
        "matchLabels": {"app": "web", "tier": ""},
        "matchExpressions": [
            {"key": "a", "operator": "In", "values": ["x", "y"]},
            {"key": "b", "operator": "NotIn", "values": ["z"]},
            {"key": "c", "operator": "Exists"},
            {"key": "d", "operator": "DoesNotExist"},
        ],
    });
    let selector = LabelSelector::of_object(selector.as_object().unwrap());
    let text = "app=web,tier=,a in (x,y),b notin (z),c,!d";
    assert_eq!(selector.to_string(), text);
    assert_eq!(parse(text).unwrap(), selector);
    let unknown = json!({"matchExpressions": [{"key": "a", "operator": "Like"}]});
    let unknown = LabelSelector::of_object(unknown.as_object().unwrap());
    assert!(!unknown.matches(|_| Some("a")));
}

/// Texts made of what selectors are made of, so that most of them get beyond the first token.
fn plausible() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        Just(","),
        Just("="),
        Just("=="),
        Just("!="),
        Just("!"),
        Just(" in "),
        Just(" notin "),
        Just("("),
        Just(")"),
        Just("<"),
        Just(">"),
        Just("a"),
        Just("b.c/d"),
        Just("7"),
        Just(" "),
    ];
    prop::collection::vec(token, 0..12).prop_map(|tokens| tokens.concat())
}

proptest! {
    #[test]
    fn plausible_texts_never_panic_and_are_written_as_they_are_read(text in plausible()) {
        if let Ok(selector) = parse(&text) {
            prop_assert_eq!(parse(&selector.to_string()), Ok(selector));
        }
    }

    #[test]
    fn arbitrary_texts_never_panic(text: String) {
        let _ = parse(&text);
    }

    #[test]
    fn what_labels_say_is_selected_by_it(
        key in "[a-z]([-a-z0-9.]{0,10}[a-z0-9])?",
        value in "[a-z0-9]([-a-z0-9_.]{0,10}[a-z0-9])?",
    ) {
        let labels = json!({key.clone(): value.clone()});
        let outcomes = [
            format!("{key}={value}"),
            format!("{key} in (x, {value})"),
            format!("{key},!{key}-x"),
            format!("{key}!={value}"),
            format!("{key} notin ({value})"),
            format!("!{key}"),
        ]
        .map(|text| parse(&text).unwrap().matches_map(labels.as_object().unwrap()));
        prop_assert_eq!(outcomes, [true, true, true, false, false, false]);
    }
}
