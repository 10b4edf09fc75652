//! `flux stats`: how many objects of each kind run, fail and are suspended.

use cluster::ListParams;
use objects::Object;

use crate::context::Context;
use crate::error::CliResult;
use crate::flux_object::{condition, is_suspended};
use crate::kinds::{self, FluxKind};
use crate::table;

/// Arguments of `flux stats`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Count objects of all namespaces.
    #[arg(short = 'A', long)]
    all_namespaces: bool,
}

static KINDS: [&FluxKind; 13] = [
    &kinds::GIT_REPOSITORY,
    &kinds::OCI_REPOSITORY,
    &kinds::HELM_REPOSITORY,
    &kinds::HELM_CHART,
    &kinds::BUCKET,
    &kinds::KUSTOMIZATION,
    &kinds::HELM_RELEASE,
    &kinds::ALERT,
    &kinds::PROVIDER,
    &kinds::RECEIVER,
    &kinds::IMAGE_UPDATE_AUTOMATION,
    &kinds::IMAGE_POLICY,
    &kinds::IMAGE_REPOSITORY,
];

/// Prints the table; kinds that cannot be listed count as none, as upstream does.
pub fn run(ctx: &Context, args: Args) -> CliResult {
    ctx.settings.check_namespace()?;
    let namespace = if args.all_namespaces {
        ""
    } else {
        ctx.namespace()
    };
    let rows = ctx.block_on(async {
        let cluster = ctx.cluster().await?;
        let lists = KINDS.iter().map(|kind| {
            let cluster = &cluster;
            async move {
                cluster
                    .list(&kind.scope(namespace), &ListParams::default())
                    .await
            }
        });
        let lists = futures::future::join_all(lists).await;
        let items = lists
            .into_iter()
            .map(|list| list.map(|l| l.items).unwrap_or_default());
        Ok(KINDS
            .iter()
            .zip(items)
            .map(|(kind, items)| row(kind, &items))
            .collect::<Vec<_>>())
    })?;
    let header = ["Reconcilers", "Running", "Failing", "Suspended", "Storage"];
    ctx.out.data(&table::render(&header, &rows));
    Ok(())
}

fn row(kind: &FluxKind, objects: &[Object]) -> Vec<String> {
    let count = |test: &dyn Fn(&Object) -> bool| objects.iter().filter(|o| test(o)).count();
    let suspended = count(&is_suspended);
    let failing = count(&|o| condition(o, "Ready").is_some_and(|ready| ready.status == "False"));
    let bytes: i64 = objects
        .iter()
        .filter_map(|object| object.get(&["status", "artifact", "size"])?.as_i64())
        .sum();
    vec![
        kind.kind.to_owned(),
        (objects.len() - suspended).to_string(),
        failing.to_string(),
        suspended.to_string(),
        size(bytes),
    ]
}

fn size(bytes: i64) -> String {
    if bytes == 0 {
        return "-".to_owned();
    }
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut amount = bytes as f64 / 1024.0;
    let mut units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"].into_iter();
    let mut unit = units.next().unwrap_or_default();
    // The unit follows the whole number, the digits the exact one.
    let mut whole = bytes / 1024;
    for next in units {
        if whole < 1024 {
            break;
        }
        whole /= 1024;
        amount /= 1024.0;
        unit = next;
    }
    format!("{amount:.1} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_binary() {
        for (bytes, text) in [
            (0, "-"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1_572_864, "1.5 MiB"),
            (1_048_575, "1024.0 KiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
        assert_eq!(row(&kinds::ALERT, &[Object::default()])[1], "1");
    }
}
