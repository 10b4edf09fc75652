//! The language without Helm: a table of texts and results.

use std::sync::Arc;

use gotemplate::{FixedHost, MissingKey, Registry, Set, Text, Value, sprig, with_deep_stack};

pub fn run(template: &str) -> Result<String, String> {
    let mut registry = Registry::new();
    registry.add(&sprig::functions());
    let mut set = Set::new("set", Arc::new(registry), MissingKey::Zero);
    set.parse("t", &Text::from(template))
        .map_err(|error| error.to_string())?;
    let data = Value::map([
        ("name", Value::text("flux")),
        (
            "list",
            Value::list(vec![Value::Float(1.0), Value::text("b")]),
        ),
        ("nested", Value::map([("n", Value::Float(3.0))])),
    ]);
    let set = Arc::new(set);
    let out = with_deep_stack(|| set.execute("t", &data, &FixedHost::default()))?;
    out.map(|out| String::from_utf8_lossy(&out).into_owned())
        .map_err(|error| error.to_string())
}

fn check(template: &str, expected: &str) {
    let actual = run(template).unwrap_or_else(|error| error);
    assert_eq!(actual, expected, "{template}");
}

#[test]
fn actions_and_structures() {
    check("a {{- 1 -}} b", "a1b");
    check("{{ .name | upper | quote }}", "\"FLUX\"");
    check(
        "{{ range $i, $v := .list }}{{ $i }}={{ $v }};{{ end }}",
        "0=1;1=b;",
    );
    check(
        "{{ range 3 }}{{ . }}{{ if eq . 1 }}{{ break }}{{ end }}{{ end }}",
        "01",
    );
    check(
        "{{ with .missing }}x{{ else with .name }}{{ . }}{{ end }}",
        "flux",
    );
    check(
        "{{ define \"d\" }}<{{ . }}>{{ end }}{{ template \"d\" .name }}",
        "<flux>",
    );
    check(
        "{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ end }}{{ $x }}",
        "2",
    );
}

#[test]
fn errors_name_the_place() {
    check(
        "{{ .name.x }}",
        "template: t:1:8: executing \"t\" at <.name.x>: can't evaluate field x in type interface {}",
    );
    check("{{ nope }}", "template: t:1: function \"nope\" not defined");
    check("\n{{ if }}{{ end }}", "template: t:2: missing value for if");
}

#[test]
fn dates_follow_layouts() {
    check(
        "{{ toDate \"2006-01-02\" \"2024-02-29\" | date \"Mon Jan _2 2006\" }}",
        "Thu Feb 29 2024",
    );
    check(
        "{{ (toDate \"2006-01-02\" \"2024-01-31\").AddDate 0 1 0 | htmlDate }}",
        "2024-03-02",
    );
}

#[test]
fn a_clock_reading_is_printed_until_the_wall_clock_is_used() {
    let printed = |template: &str| {
        let mut registry = Registry::new();
        registry.add(&sprig::functions());
        let mut set = Set::new("set", Arc::new(registry), MissingKey::Zero);
        set.parse("t", &Text::from(template)).unwrap();
        let time = gotemplate::time::Time::unix(86_400, 500_000_000).with_reading(69_537_130);
        let data = Value::object(time);
        let out = Arc::new(set).execute("t", &data, &FixedHost::default());
        String::from_utf8(out.unwrap()).unwrap()
    };
    let cases = [
        ("{{ . }}", "1970-01-02 00:00:00.5 +0000 UTC m=+0.069537130"),
        (
            "{{ dateModify \"1h\" . | quote }}",
            "\"1970-01-02 01:00:00.5 +0000 UTC m=+3600.069537130\"",
        ),
        (
            "{{ dateModify \"-1s\" . }}",
            "1970-01-01 23:59:59.5 +0000 UTC m=-0.930462870",
        ),
        ("{{ .UTC }}", "1970-01-02 00:00:00.5 +0000 UTC"),
        ("{{ .AddDate 0 0 1 }}", "1970-01-03 00:00:00.5 +0000 UTC"),
        ("{{ toJson . }}", "\"1970-01-02T00:00:00.5Z\""),
    ];
    for (template, expected) in cases {
        assert_eq!(printed(template), expected, "{template}");
    }
}

#[test]
fn keys_and_certificates_are_made() {
    check(
        "{{ genPrivateKey \"ecdsa\" | hasPrefix \"-----BEGIN EC PRIVATE KEY-----\" }}",
        "true",
    );
    check(
        "{{ $ca := genCAWithKey \"ca\" 1 (genPrivateKey \"ecdsa\") }}{{ (genSignedCertWithKey \"x\" nil (list \"x.y\") 1 $ca (genPrivateKey \"ed25519\")).Cert | trunc 27 }}",
        "-----BEGIN CERTIFICATE-----",
    );
}
