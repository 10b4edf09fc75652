//! A registry by hand: `cargo run -p testkit --example registry -- 127.0.0.1:5000`. Everything ends with it.

#[tokio::main]
async fn main() {
    let address = std::env::args().nth(1);
    let address = address.unwrap_or_else(|| "127.0.0.1:5000".to_owned());
    let _registry = testkit::ociregistry::OciRegistry::start_at(&address).await;
    std::future::pending::<()>().await;
}
