//! The registry client against a loopback registry.

use std::time::Duration;

use bytes::Bytes;
use remote::oci::{
    Descriptor, Layer, Package, Reference, Registry, RegistryError, RegistryOptions, Repository,
    Retry, media_type,
};
use remote::{ClientOptions, Clients, Credentials, Proxy, Secret};
use testkit::loopback::Fault;
use testkit::ociregistry::OciRegistry;

const MAX: u64 = 1 << 20;

fn options() -> RegistryOptions {
    RegistryOptions {
        retry: Retry {
            tries: 3,
            wait: Duration::ZERO,
        },
        ..RegistryOptions::default()
    }
}

fn open(server: &OciRegistry, options: &RegistryOptions) -> Registry {
    let repository = Repository::parse(&format!("{}/org/app", server.address())).unwrap();
    Registry::open(&Clients::default(), repository, options).unwrap()
}

fn user(username: &str, password: &str) -> RegistryOptions {
    RegistryOptions {
        credentials: Credentials::Basic {
            username: username.into(),
            password: Secret::new(password),
        },
        ..options()
    }
}

async fn first_layer(registry: &Registry, tag: &str) -> Result<Bytes, RegistryError> {
    let (_, manifest) = registry.manifest(&registry.repository().tag(tag)).await?;
    registry.blob(&manifest.layers[0], MAX).await
}

#[tokio::test]
async fn artifacts_are_pushed_pulled_and_tagged() {
    let server = OciRegistry::start().await;
    let registry = open(&server, &options());
    let package = Package {
        config_media_type: media_type::FLUX_CONFIG.into(),
        config: Bytes::from_static(b"{}"),
        layers: vec![Layer {
            media_type: media_type::FLUX_CONTENT.into(),
            content: Bytes::from_static(b"content"),
        }],
        annotations: [("a".to_owned(), "b".to_owned())].into(),
    };
    let reference = registry.repository().tag("v1");
    let digest = registry.push(&reference, &package).await.unwrap();
    assert_eq!(registry.resolve(&reference).await.unwrap(), digest);
    let (found, manifest) = registry.manifest(&reference).await.unwrap();
    assert_eq!(found, digest);
    assert_eq!(manifest.annotations["a"], "b");
    assert_eq!(&first_layer(&registry, "v1").await.unwrap()[..], b"content");
    assert_eq!(registry.tag(&reference, "v2").await.unwrap(), digest);
    assert_eq!(registry.tags().await.unwrap(), ["v1", "v2"]);
    // What is there is not sent again.
    server.take_log();
    registry.push(&reference, &package).await.unwrap();
    let log = server.take_log();
    assert!(!log.iter().any(|line| line.starts_with("POST")), "{log:?}");
}

#[tokio::test]
async fn tags_come_by_pages() {
    let server = OciRegistry::start().await;
    let mut expected = Vec::new();
    for number in 0..7 {
        let tag = format!("v{number}");
        server.push_files("org/app", &tag, &[("a", "b")]);
        expected.push(tag);
    }
    server.page_size(3);
    let registry = open(&server, &options());
    assert_eq!(registry.tags().await.unwrap(), expected);
    assert_eq!(server.take_log().len(), 1 + 3);
}

#[tokio::test]
async fn every_way_to_log_in_works_and_none_is_refused() {
    let server = OciRegistry::start().await;
    server.push_files("org/app", "v1", &[("a", "b")]);
    for by_token in [false, true] {
        if by_token {
            server.require_token("u", "p");
        } else {
            server.require_basic("u", "p");
        }
        first_layer(&open(&server, &user("u", "p")), "v1")
            .await
            .unwrap();
        for wrong in [options(), user("u", "wrong")] {
            let error = first_layer(&open(&server, &wrong), "v1").await.unwrap_err();
            assert!(error.is_unauthorized(), "{error}");
            assert!(!error.to_string().contains("wrong"), "{error}");
        }
    }
    server.require_token("", "");
    first_layer(&open(&server, &options()), "v1").await.unwrap();
}

#[tokio::test]
async fn tls_needs_the_right_authority() {
    let (server, authority) = OciRegistry::start_tls().await;
    server.push_files("org/app", "v1", &[("a", "b")]);
    let with = |client: ClientOptions| RegistryOptions {
        client,
        ..options()
    };
    let trusting = with(ClientOptions {
        ca: Some(authority.into()),
        ..ClientOptions::default()
    });
    first_layer(&open(&server, &trusting), "v1").await.unwrap();
    let careless = with(ClientOptions {
        accept_any_certificate: true,
        ..ClientOptions::default()
    });
    first_layer(&open(&server, &careless), "v1").await.unwrap();
    assert!(first_layer(&open(&server, &options()), "v1").await.is_err());
}

#[tokio::test]
async fn lying_and_failing_registries_are_refused() {
    let server = OciRegistry::start().await;
    let digest = server.push_files("org/app", "v1", &[("a", "b")]);
    let registry = open(&server, &options());
    let by_digest = registry.repository().digest(&digest);

    server.fault("/blobs/", Fault::WrongContent, 1);
    let error = first_layer(&registry, "v1").await.unwrap_err();
    assert!(matches!(error, RegistryError::BlobDigest { .. }), "{error}");

    server.fault("/manifests/", Fault::WrongContent, 1);
    let error = registry.manifest(&by_digest).await.unwrap_err();
    assert!(
        matches!(error, RegistryError::ManifestDigest { .. }),
        "{error}"
    );

    server.fault("/blobs/", Fault::Cut(5), 1);
    let error = first_layer(&registry, "v1").await.unwrap_err();
    assert!(matches!(error, RegistryError::BlobSize { .. }), "{error}");

    server.fault("/blobs/", Fault::RedirectLoop, 100);
    let error = first_layer(&registry, "v1").await.unwrap_err();
    assert!(
        error.to_string().contains("stopped after 10 redirects"),
        "{error}"
    );

    let (_, manifest) = registry.manifest(&by_digest).await.unwrap();
    let error = registry.blob(&manifest.layers[0], 3).await.unwrap_err();
    assert!(matches!(error, RegistryError::TooLarge { .. }), "{error}");

    let missing = registry.repository().tag("nope");
    let error = registry.manifest(&missing).await.unwrap_err();
    assert!(error.is_not_found());
    let expected = format!(
        "GET http://{}/v2/org/app/manifests/nope: MANIFEST_UNKNOWN: Unknown manifest",
        server.address()
    );
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn passing_failures_are_tried_again() {
    let server = OciRegistry::start().await;
    server.push_files("org/app", "v1", &[("a", "b")]);
    let registry = open(&server, &options());
    server.fault("/manifests/", Fault::Status(503), 2);
    first_layer(&registry, "v1").await.unwrap();
    // Too many requests is for the caller to wait out.
    server.fault("/manifests/", Fault::Status(429), 1);
    let error = first_layer(&registry, "v1").await.unwrap_err();
    assert!(
        error.to_string().contains("429 Too Many Requests"),
        "{error}"
    );
}

#[tokio::test]
async fn an_index_leads_to_the_default_platform() {
    let server = OciRegistry::start().await;
    let digest = server.push_files("org/app", "amd64", &[("a", "b")]);
    let other = server.push_files("org/app", "arm64", &[("a", "c")]);
    let index = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[
            {{"mediaType":"m","size":1,"digest":"{other}","platform":{{"architecture":"arm64","os":"linux"}}}},
            {{"mediaType":"m","size":1,"digest":"{digest}","platform":{{"architecture":"amd64","os":"linux"}}}}]}}"#,
        media_type::OCI_INDEX
    );
    server.push_manifest("org/app", "all", media_type::OCI_INDEX, index.as_bytes());
    let registry = open(&server, &options());
    let (found, _) = registry
        .manifest(&registry.repository().tag("all"))
        .await
        .unwrap();
    assert_eq!(found, digest);
}

#[tokio::test]
async fn blobs_without_a_size_are_still_checked() {
    let server = OciRegistry::start().await;
    server.push_files("org/app", "v1", &[("a", "b")]);
    let registry = open(&server, &options());
    let (_, manifest) = registry
        .manifest(&registry.repository().tag("v1"))
        .await
        .unwrap();
    let unsized_ = Descriptor {
        size: 0,
        ..manifest.layers[0].clone()
    };
    registry.blob(&unsized_, MAX).await.unwrap();
    let reference = Reference::parse(&format!("{}/org/app:v1", server.address())).unwrap();
    assert_eq!(reference.tag(), Some("v1"));
}

#[tokio::test]
async fn a_proxy_leads_to_registries_out_of_reach() {
    // The loopback server answers as a proxy in front of itself.
    let server = OciRegistry::start().await;
    server.push_files("org/app", "v1", &[("a", "b")]);
    let client = ClientOptions {
        proxy: Some(Proxy {
            address: format!("http://{}", server.address()),
            username: String::new(),
            password: Secret::default(),
        }),
        ..ClientOptions::default()
    };
    let options = RegistryOptions {
        client,
        ..options()
    };
    let repository = Repository::parse("10.254.254.254:5000/org/app").unwrap();
    let registry = Registry::open(&Clients::default(), repository, &options).unwrap();
    first_layer(&registry, "v1").await.unwrap();
    let log = server.take_log();
    assert!(
        log.contains(&"GET /v2/org/app/manifests/v1".to_owned()),
        "{log:?}"
    );
}
