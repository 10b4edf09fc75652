//! Names of releases, revisions of charts, and targets that moved.

use super::*;

#[test]
fn names_revisions_and_targets() {
    let long = "a-very-lengthy-target-namespace-with-a-nice-object-name";
    assert_eq!(
        shorten(long),
        "a-very-lengthy-target-namespace-with-a-n-97af5d7f41f3"
    );
    assert_eq!(shorten("short"), "short");
    let digest = "sha256:0cc9a8446c95009ef382f5eade883a67c257f77d50f84e78ecef2aac9428d1e5";
    for (version, revision, expected) in [
        (
            "1.2.3",
            format!("1.2.3@{digest}"),
            Ok(("1.2.3+0cc9a8446c95", digest.to_owned())),
        ),
        (
            "v1.2",
            format!("1.2.0@{digest}"),
            Ok(("1.2.0+0cc9a8446c95", digest.to_owned())),
        ),
        (
            "1.2.3+old",
            format!("1.2.3_old@{digest}"),
            Ok(("1.2.3+0cc9a8446c95", digest.to_owned())),
        ),
        (
            "1.2.3",
            format!("latest@{digest}"),
            Ok(("1.2.3+0cc9a8446c95", format!("latest@{digest}"))),
        ),
        (
            "1.2.3",
            digest.to_owned(),
            Ok(("1.2.3+0cc9a8446c95", digest.to_owned())),
        ),
        (
            "1.2.3",
            format!("1.3.0@{digest}"),
            Err("artifact revision 1.3.0 does not match chart version 1.2.3"),
        ),
        (
            "x",
            format!("1.0.0@{digest}"),
            Err("invalid chart version x"),
        ),
        (
            "1.0.0",
            "sha256:abc".into(),
            Err("invalid artifact revision sha256:abc"),
        ),
    ] {
        let got = chart_revision(version, &revision, true, true);
        let got = got
            .map(|r| (r.version, r.digest))
            .map_err(|e| e.to_string());
        let expected = expected
            .map(|(v, d)| (v.to_owned(), d))
            .map_err(str::to_owned);
        assert_eq!(got, expected, "{version} {revision}");
    }
    let mut known = status(vec![snapshot(1, "deployed")]);
    known.storage_namespace = "apps".into();
    for (spec, chart, expected) in [
        (json!({}), "podinfo", None),
        (
            json!({"storageNamespace": "x"}),
            "podinfo",
            Some("storage namespace"),
        ),
        (
            json!({"targetNamespace": "x"}),
            "podinfo",
            Some("release namespace"),
        ),
        (json!({"releaseName": "x"}), "podinfo", Some("release name")),
        (json!({}), "other", Some("chart name")),
        (
            json!({"upgrade": {"chartNameChangeStrategy": "InPlaceUpdate"}}),
            "other",
            None,
        ),
    ] {
        assert_eq!(target_changed(&release(spec), &known, chart), expected);
    }
}
