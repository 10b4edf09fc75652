//! Posting events to the notification controller over HTTP.

use std::time::Duration;

use api::Event;
use async_trait::async_trait;
use controller_runtime::EventSink;
use remote::{ClientOptions, Clients};

/// Longest time for one try.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Tries after the first one.
const RETRIES: u32 = 4;
/// First and longest wait between two tries.
const WAIT_MIN: Duration = Duration::from_secs(1);
const WAIT_MAX: Duration = Duration::from_secs(30);

/// Posts events to one address, exactly as given.
pub struct HttpSink {
    clients: Clients,
    address: String,
}

impl HttpSink {
    /// Builds a sink; nothing is sent yet.
    pub fn new(address: &str) -> Self {
        Self {
            clients: Clients::default(),
            address: address.to_owned(),
        }
    }

    /// One try; `Err(true)` is worth another one.
    async fn send(&self, body: Vec<u8>) -> Result<(), (bool, String)> {
        let client = self
            .clients
            .get(&ClientOptions::default())
            .map_err(|error| (false, error.to_string()))?;
        let response = client
            .post(&self.address)
            .header("Content-Type", "application/json")
            .timeout(TIMEOUT)
            .body(body)
            .send()
            .await
            .map_err(|error| (true, error.to_string()))?;
        let status = response.status();
        // Too many requests means a duplicate, which the receiver has already.
        if status.is_success() || status.as_u16() == 429 {
            return Ok(());
        }
        let text = format!("{} answered {status}", self.address);
        Err((status.is_server_error(), text))
    }
}

#[async_trait]
impl EventSink for HttpSink {
    async fn post(&self, event: &Event) -> Result<(), String> {
        let body = serde_json::to_vec(event).map_err(|error| error.to_string())?;
        let mut wait = WAIT_MIN;
        for attempt in 0..=RETRIES {
            match self.send(body.clone()).await {
                Ok(()) => return Ok(()),
                Err((true, _)) if attempt < RETRIES => tokio::time::sleep(wait).await,
                Err((_, error)) => return Err(error),
            }
            wait = (wait * 2).min(WAIT_MAX);
        }
        Ok(())
    }
}
