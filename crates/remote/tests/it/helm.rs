//! Helm repositories over HTTP on loopback.

use remote::helm::{FetchError, RepositoryOptions, fetch_bytes, index_url, resolve_url};
use remote::{ClientOptions, Clients, Credentials, Secret};
use testkit::helmhttp::HelmHttp;
use testkit::loopback::Fault;

fn options(url: &str) -> RepositoryOptions {
    RepositoryOptions {
        url: url.to_owned(),
        ..RepositoryOptions::default()
    }
}

async fn get(options: &RepositoryOptions, url: &str, max: u64) -> Result<Vec<u8>, FetchError> {
    fetch_bytes(&Clients::default(), options, url, max).await
}

#[tokio::test]
async fn indexes_and_charts_are_fetched_within_limits() {
    let server = HelmHttp::start().await;
    server.add_chart("app", "1.0.0", &[]);
    let options = options(&server.url());
    let index = index_url(&server.url()).unwrap();
    let text = String::from_utf8(get(&options, &index, 10_000).await.unwrap()).unwrap();
    assert!(text.contains("app-1.0.0.tgz"), "{text}");
    let chart = resolve_url(&server.url(), "app-1.0.0.tgz").unwrap();
    get(&options, &chart, 10_000).await.unwrap();
    let error = get(&options, &index, 10).await.unwrap_err();
    assert_eq!(error, FetchError::TooLarge { limit: 10 });
    server.remove_chart("app", "1.0.0");
    let error = get(&options, &chart, 10_000).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("failed to fetch {chart} : 404 Not Found")
    );
    server.fault("index", Fault::RedirectLoop, 100);
    let error = get(&options, &index, 10_000).await.unwrap_err();
    assert!(
        error.to_string().contains("stopped after 10 redirects"),
        "{error}"
    );
}

#[tokio::test]
async fn credentials_stay_with_their_host() {
    let server = HelmHttp::start().await;
    server.require("u", "p");
    let elsewhere = RepositoryOptions {
        credentials: Credentials::Basic {
            username: "u".into(),
            password: Secret::new("p"),
        },
        ..options("https://example.com")
    };
    let here = RepositoryOptions {
        url: server.url(),
        ..elsewhere.clone()
    };
    let everywhere = RepositoryOptions {
        pass_credentials: true,
        ..elsewhere.clone()
    };
    let index = index_url(&server.url()).unwrap();
    get(&here, &index, 10_000).await.unwrap();
    get(&everywhere, &index, 10_000).await.unwrap();
    let error = get(&elsewhere, &index, 10_000).await.unwrap_err();
    assert!(error.to_string().ends_with("401 Unauthorized"), "{error}");
}

#[tokio::test]
async fn tls_needs_the_right_authority() {
    let (server, authority) = HelmHttp::start_tls().await;
    let index = index_url(&server.url()).unwrap();
    let plain = options(&server.url());
    assert!(get(&plain, &index, 10_000).await.is_err());
    let trusting = RepositoryOptions {
        client: ClientOptions {
            ca: Some(authority.into()),
            ..ClientOptions::default()
        },
        ..plain
    };
    get(&trusting, &index, 10_000).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_have_gos_words() {
    let server = HelmHttp::start().await;
    server.add_chart("app", "1.0.0", &[]);
    let (secure, _) = HelmHttp::start_tls().await;
    let (mutual, pki) = HelmHttp::start_mutual_tls().await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let plain = server.url();
    server.fault("broken", Fault::Broken(10), 1);
    server.fault("loop", Fault::RedirectLoop, 100);
    let host = |url: &str| url.split("://").nth(1).unwrap().to_owned();
    let refused = format!("dial tcp {}: connect: connection refused", host(&closed));
    for (url, words) in [
        (format!("{closed}/x"), refused.as_str()),
        (
            "http://nowhere.invalid/x".to_owned(),
            "dial tcp: lookup nowhere.invalid: ",
        ),
        (
            format!("{}/x", secure.url()),
            "tls: failed to verify certificate: x509: certificate signed by unknown authority",
        ),
        (
            format!("{}/x", plain.replace("http:", "https:")),
            "http: server gave HTTP response to HTTPS client",
        ),
        (format!("{plain}/loop"), "stopped after 10 redirects"),
    ] {
        let failed = get(&options(&url), &url, 1000).await.unwrap_err();
        let text = failed.to_string();
        let expected = format!("Get \"{url}\": {words}");
        assert!(text.starts_with(&expected), "{text} instead of {expected}");
    }
    let mut trusting = options(&mutual.url());
    trusting.client.ca = Some(pki.authority.into_bytes());
    let url = format!("{}/x", mutual.url());
    let failed = get(&trusting, &url, 1000).await.unwrap_err().to_string();
    assert!(
        failed.ends_with(": remote error: tls: certificate required"),
        "{failed}"
    );
    let broken = format!("{plain}/index.yaml?broken");
    server.fault("index", Fault::Broken(10), 1);
    let failed = get(&options(&broken), &broken, 1000).await.unwrap_err();
    assert!(failed.to_string().ends_with("EOF"), "{failed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_in_urls_do_not_show() {
    let server = HelmHttp::start().await;
    let url = server.url().replace("http://", "http://u:hunter2@");
    let url = format!("{url}/nope");
    let failed = get(&options(&url), &url, 1000).await.unwrap_err();
    let text = failed.to_string();
    assert!(
        text.contains("://u:***@") && !text.contains("hunter2"),
        "{text}"
    );
}
