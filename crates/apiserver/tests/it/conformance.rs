//! The recorded scenarios of kube-apiserver 1.35, run against an in-process server.

use apiserver::{Options, Server};
use cluster::Identity;
use futures::StreamExt as _;
use serde_json::Value;
use testkit::corpus::{Report, data_dir};

use crate::recorded::{Run, difference};

/// Scenarios that differ, with the reason.
const KNOWN: &[(&str, &str)] = &[];

/// Scenarios run at the same time.
const PARALLEL: usize = 16;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recorded_scenarios() {
    let Some(dir) = data_dir("apiserver") else {
        return;
    };
    let read = |name: &str| -> Value {
        serde_json::from_slice(&std::fs::read(dir.join(name)).unwrap()).unwrap()
    };
    let scenarios = read("scenarios.json");
    let golden = read("golden-v1.35.json");
    let user = |name: &str, groups: &[&str]| {
        let groups = groups.iter().map(ToString::to_string).collect();
        let identity = Identity {
            user: name.to_owned(),
            groups,
        };
        (format!("{name}-token"), identity)
    };
    let options = Options {
        workloads: false,
        tokens: vec![user("alice", &["devs"]), user("bob", &[])],
        ..Options::default()
    };
    let server = Server::start(options).await.unwrap();
    let only = std::env::var("SCENARIO").unwrap_or_default();
    let scenarios: Vec<&Value> = scenarios
        .as_array()
        .unwrap()
        .iter()
        .filter(|s| only.is_empty() || only.split(',').any(|id| s["id"] == id))
        .collect();
    // The list of all APIServices was recorded while no definition was there.
    let (alone, together): (Vec<&Value>, Vec<&Value>) =
        scenarios.into_iter().partition(|s| s["id"] == "M06");
    let mut outcomes = Vec::new();
    for scenario in alone {
        let outcome = run(&server, scenario, &golden["M06"]).await;
        outcomes.push(("M06".to_owned(), outcome));
    }
    let others: Vec<(String, Result<(), String>)> = futures::stream::iter(together)
        .map(|scenario| {
            let id = scenario["id"].as_str().unwrap().to_owned();
            let expected = &golden[&id];
            let server = &server;
            async move { (id, run(server, scenario, expected).await) }
        })
        .buffer_unordered(PARALLEL)
        .collect()
        .await;
    outcomes.extend(others);
    let mut report = Report::new("apiserver");
    for (id, outcome) in outcomes {
        report.case(&id, outcome);
    }
    report.check(KNOWN);
}

async fn run(server: &Server, scenario: &Value, expected: &Value) -> Result<(), String> {
    let mut run = Run::start(server, scenario).await;
    let mut first = Ok(());
    for (index, step) in scenario["steps"].as_array().unwrap().iter().enumerate() {
        let actual = run.step(step, &expected[index]).await;
        // The recorded answer tells which processes ran beside that server.
        let beside = step["do"]
            .as_str()
            .is_some_and(|line| line.ends_with("/componentstatuses"));
        if first.is_err() || beside {
            continue;
        }
        if let Some(found) = difference("", &expected[index], &actual) {
            let line = step.get("do").or(step.get("watch")).or(step.get("until"));
            let line = line.and_then(Value::as_str).unwrap_or("").to_owned();
            first = Err(format!("step {index} {line}\n  {found}"));
        }
    }
    first
}
