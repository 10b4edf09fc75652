//! Integration tests of the whole product; one binary, because linking is what costs.
//!
//! `commands`: the built program against the embedded API server, exit code, stdout and stderr of a command in one
//! golden; goldens were compared with upstream's v2.9.4 on the same objects, `FERROFLUX_BLESS=1` writes them anew.
//! `artifacts`: the artifact commands against a registry. `chart_sources`: charts that `flux helm` fetches. `charts`: charts of kustomizations. `helm`: chart commands, compared with helm. `fleet`: the main job, object by object. `crash`: the same, killed again and again. `layouts`: repositories as teams
//! arrange them. `releases`: the same with Helm charts, packed in the repository or from servers on loopback. `release_diff`: a chart against an installed release.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod artifacts;
mod chart_sources;
mod charts;
mod commands;
mod crash;
mod fleet;
mod harness;
mod helm;
mod layouts;
mod release_diff;
mod releases;
