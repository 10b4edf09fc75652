//! Applying a source and waiting for its artifact, with the words of each kind.

use objects::Object;

use super::upsert::{labels_and_spec, upsert};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::flux_object::{artifact_revision, readiness};
use crate::kinds::FluxKind;
use crate::wait;

/// How upstream speaks of a kind of source.
pub struct Words {
    /// In the middle of a line, such as `HelmChart source`.
    pub what: &'static str,
    /// Before `created` and `updated`.
    pub outcome: &'static str,
    /// Where there is no artifact in the end.
    pub missing: &'static str,
    /// Whether there is an artifact to speak of.
    pub has_artifact: bool,
}

/// Applies the source, waits until it is ready, and says which revision it has.
pub async fn apply_source(
    ctx: &Context,
    kind: &'static FluxKind,
    words: &Words,
    object: &Object,
) -> CliResult {
    let cluster = ctx.cluster().await?;
    let what = words.what;
    ctx.out.action(format_args!("applying {what}"));
    let target = kind.target(ctx.namespace(), object.name());
    let outcome = upsert(&*cluster, &target, object, labels_and_spec).await?;
    ctx.out.success(format_args!("{} {outcome}", words.outcome));
    ctx.out
        .waiting(format_args!("waiting for {what} reconciliation"));
    let judge = |found: &Object| readiness(kind, found);
    let object = wait::until_current(ctx, &*cluster, &target, judge).await?;
    ctx.out
        .success(format_args!("{what} reconciliation completed"));
    if !words.has_artifact {
        return Ok(());
    }
    match artifact_revision(&object) {
        "" => Err(CliError::cluster(words.missing)),
        revision => {
            ctx.out
                .success(format_args!("fetched revision: {revision}"));
            Ok(())
        }
    }
}
