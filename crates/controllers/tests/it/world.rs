//! A stage with the source controllers, and all others, as `flux` starts them.

use std::ops::Deref;

use controllers::{Handle, Options};
use objects::{Gvk, Object, Value};

use crate::stage::Stage;

pub struct World {
    stage: Stage,
    pub controllers: Handle,
}

impl Deref for World {
    type Target = Stage;

    fn deref(&self) -> &Stage {
        &self.stage
    }
}

impl World {
    pub async fn start(options: Options) -> Self {
        let stage = Stage::start().await;
        let started = controllers::start(stage.cluster.clone(), options).await;
        Self {
            controllers: started.unwrap(),
            stage,
        }
    }

    pub async fn create(&self, object: Value) {
        self.stage.create_object(object).await;
    }

    /// Waits until an object in the namespace `default` is there and satisfies a condition.
    pub async fn wait(&self, gvk: &Gvk, name: &str, check: impl Fn(&Object) -> bool) -> Object {
        let found = self
            .stage
            .wait(gvk, name, |object| object.is_some_and(&check));
        found.await.expect("the condition asks for an object")
    }
}
