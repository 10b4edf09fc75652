//! What an earlier pass stored before it was cut short.

use reconcile::expression::HealthExpressions;
use reconcile::helmrelease::{Failure, Observation, interrupted_action, latest, recover};
use tracing::info;

use super::observation::observe;
use super::pass::Pass;
use super::session::Session;

impl Pass<'_> {
    /// Takes over what an earlier pass stored before it was cut short.
    pub(super) async fn recover(&mut self, expressions: &HealthExpressions) -> Result<(), Failure> {
        if interrupted_action(&self.status).is_none() {
            return Ok(());
        }
        let digest = self.status.last_attempted_config_digest.clone();
        let observed = {
            let session = self.present(expressions, &digest);
            let observed = self.unknown_revisions(&session).await;
            observed.map_err(|error| {
                Failure::State(format!(
                    "failed to retrieve last release from storage: {error}"
                ))
            })?
        };
        if !observed.is_empty() {
            info!("an earlier pass was interrupted, taking over what it stored");
            let stamp = self.stamp();
            recover(&self.own, &mut self.status, &observed, stamp);
        }
        Ok(())
    }

    /// Lists the stored revisions that the status knows nothing or something older of; of deployed ones the last stays so.
    async fn unknown_revisions(&self, session: &Session<'_>) -> Result<Vec<Observation>, String> {
        let heads = session.heads().await?;
        if let Some(last) = heads.last().filter(|head| head.status == "deployed") {
            session.supersede(last.version).await?;
        }
        let newest = latest(&self.status).map_or(0, |s| s.version);
        let known = |version| self.status.history.iter().any(|s| s.version == version);
        let mut observed = Vec::new();
        for head in heads {
            if head.version <= newest && !known(head.version) {
                continue;
            }
            let record = session.storage.get(&session.release, head.version).await?;
            observed.extend(record.map(|record| observe(&record, None)));
        }
        Ok(observed)
    }
}
