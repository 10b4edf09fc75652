//! `flux helm`: stdout, stderr and exit codes of helm 4.2.4 and 3.21.4, recorded in `tests/golden/helm/cases.jsonl`.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use testkit::corpus::Report;

#[test]
fn chart_commands_print_what_helm_prints() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/helm");
    let text = std::fs::read_to_string(directory.join("cases.jsonl")).unwrap();
    let mut report = Report::new("flux/helm");
    for (number, line) in text.lines().enumerate() {
        let case: Value = serde_json::from_str(line).unwrap();
        let args = case["args"].as_array().unwrap().iter();
        let output = Command::new(env!("CARGO_BIN_EXE_flux"))
            .arg("helm")
            .args(args.map(|arg| arg.as_str().unwrap()))
            .args(["--helm-version", &case["helm"].to_string()])
            .current_dir(&directory)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let place = directory.to_string_lossy();
        let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(&*place, "DIR");
        let actual = (
            output.status.code(),
            shown(&output.stdout),
            shown(&output.stderr),
        );
        let text = |key: &str| case[key].as_str().unwrap().to_owned();
        let code = case["code"]
            .as_i64()
            .and_then(|code| i32::try_from(code).ok());
        let expected = (code, text("stdout"), text("stderr"));
        let outcome = if actual == expected {
            Ok(())
        } else {
            Err(format!(
                "{}\n  expected {expected:?}\n  actual   {actual:?}",
                case["args"]
            ))
        };
        report.case(&number.to_string(), outcome);
    }
    report.check(&[]);
}
