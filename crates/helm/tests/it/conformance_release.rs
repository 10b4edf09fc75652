//! Release records of both versions: read, written again byte for byte, stored and read back.

use helm::Version;
use helm::release::Record;
use testkit::corpus::{Report, data_dir, first_difference};

#[test]
fn conformance_release() {
    let Some(dir) = data_dir("helm") else { return };
    let dir = dir.join("release");
    let mut report = Report::new("helm/release");
    for (version, label) in [(Version::V4, "4.2"), (Version::V3, "3.21")] {
        for name in ["release", "release-minimal"] {
            let text = std::fs::read_to_string(dir.join(format!("{name}-{label}.json"))).unwrap();
            let record: Record = serde_json::from_str(&text).unwrap();
            let again = record.to_json(version).unwrap();
            let same = first_difference(text.trim_end(), &again).map_or(Ok(()), Err);
            report.case(&format!("{name}-json@{label}"), same);
            let stored = record.encode(version).unwrap();
            let back = Record::decode(&stored).unwrap();
            let restored = if version == Version::V4 {
                back == record
            } else {
                back.to_json(version).unwrap() == again
            };
            report.case(
                &format!("{name}-stored@{label}"),
                if restored {
                    Ok(())
                } else {
                    Err("differs".to_owned())
                },
            );
        }
        let stored = std::fs::read_to_string(dir.join(format!("release-{label}.b64"))).unwrap();
        let decoded = Record::decode(&stored).map(|record| record.name);
        let outcome = if decoded.as_deref().is_ok_and(|name| name == "demo") {
            Ok(())
        } else {
            Err(format!("{decoded:?}"))
        };
        report.case(&format!("stored@{label}"), outcome);
    }
    report.check(&[]);
}

#[test]
fn conformance_provenance() {
    let Some(dir) = data_dir("helm") else { return };
    let charts = dir.join("helm-cmd/4.2/testcharts");
    let archive = std::fs::read(charts.join("signtest-0.1.0.tgz")).unwrap();
    let text = std::fs::read(charts.join("signtest-0.1.0.tgz.prov")).unwrap();
    let provenance = helm::provenance::Provenance::parse(&text).unwrap();
    let claim = provenance.claim(Version::V3).unwrap();
    assert_eq!(claim.metadata.name, "signtest");
    claim.check("signtest-0.1.0.tgz", &archive).unwrap();
    assert!(claim.check("signtest-0.1.0.tgz", b"x").is_err());
}
