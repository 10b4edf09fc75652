//! HTTP, TLS, proxies and retries; registries, buckets and Helm repositories.
