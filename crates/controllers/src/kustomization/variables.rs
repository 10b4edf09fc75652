//! Loading the variables of post-build substitution.

use std::collections::BTreeMap;

use api::{Kustomization, SubstituteReference};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cluster::{Cluster, Target};
use objects::{Gvk, Object, Value};
use reconcile::kustomization::Failure;

/// Reads ConfigMaps and Secrets in order, then the inline variables; later ones win.
pub(super) async fn load(
    cluster: &dyn Cluster,
    own: &Kustomization,
) -> Result<BTreeMap<String, String>, Failure> {
    let mut variables = BTreeMap::new();
    let Some(post_build) = &own.spec.post_build else {
        return Ok(variables);
    };
    for reference in &post_build.substitute_from {
        match read(cluster, &own.metadata.namespace, reference).await {
            Ok(object) => variables.extend(data(&object)),
            Err(error) if error.is_not_found() && reference.optional => {}
            Err(error) => {
                return Err(Failure::Build(format!(
                    "post build failed: substitute from '{}/{}' error: {error}",
                    reference.kind, reference.name
                )));
            }
        }
    }
    variables.extend(post_build.substitute.clone());
    Ok(variables)
}

async fn read(
    cluster: &dyn Cluster,
    namespace: &str,
    reference: &SubstituteReference,
) -> Result<Object, cluster::Error> {
    let resource = cluster
        .resolve(&Gvk::new("", "v1", &reference.kind))
        .await?;
    cluster
        .get(&Target::new(&resource, namespace, &reference.name))
        .await
}

fn data(object: &Object) -> Vec<(String, String)> {
    let encoded = object.kind() == "Secret";
    let entries = object.get(&["data"]).and_then(Value::as_object);
    let entries = entries.into_iter().flatten();
    entries
        .filter_map(|(key, value)| {
            let value = value.as_str()?;
            let text = if encoded {
                let bytes = STANDARD.decode(value).ok()?;
                String::from_utf8_lossy(&bytes).into_owned()
            } else {
                value.to_owned()
            };
            Some((key.clone(), text))
        })
        .collect()
}
