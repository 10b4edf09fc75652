//! Patterns and formats of texts.

use std::sync::OnceLock;

use parking_lot::Mutex;
use regex::Regex;

/// Patterns compiled so far; a server sees few different ones.
const PATTERNS_MAX: usize = 4096;

pub(super) fn matches_pattern(pattern: &str, text: &str) -> bool {
    type Cache = Mutex<std::collections::HashMap<String, Option<Regex>>>;
    static CACHE: OnceLock<Cache> = OnceLock::new();
    let mut cache = CACHE.get_or_init(Cache::default).lock();
    if cache.len() > PATTERNS_MAX {
        cache.clear();
    }
    let compiled = cache
        .entry(pattern.to_owned())
        .or_insert_with(|| Regex::new(pattern).ok());
    // A pattern that this library does not know refuses nothing.
    compiled.as_ref().is_none_or(|regex| regex.is_match(text))
}

pub(super) fn fits_format(format: &str, text: &str) -> bool {
    match format {
        "date-time" => text.parse::<jiff::Timestamp>().is_ok(),
        "date" => text.parse::<jiff::civil::Date>().is_ok(),
        "ipv4" => text.parse::<std::net::Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<std::net::Ipv6Addr>().is_ok(),
        "uuid" => uuid::Uuid::parse_str(text).is_ok(),
        "byte" => {
            use base64::Engine as _;
            base64::engine::general_purpose::STANDARD
                .decode(text)
                .is_ok()
        }
        "duration" => gocompat::duration::parse(text).is_ok(),
        "cidr" => {
            let parts = text.split_once('/');
            parts.is_some_and(|(address, bits)| {
                let address = address.parse::<std::net::IpAddr>();
                let most = |a: &std::net::IpAddr| if a.is_ipv4() { 32 } else { 128 };
                address.is_ok_and(|a| bits.parse::<u8>().is_ok_and(|bits| bits <= most(&a)))
            })
        }
        "hostname" => is_host_name(text),
        "email" => is_email(text),
        "uri" => is_absolute_uri(text),
        _ => true,
    }
}

/// Longest name of a host.
const HOST_NAME_MAX: usize = 255;

/// Tells whether a text is the name of a host, which begins and ends with a letter or digit in each part.
fn is_host_name(text: &str) -> bool {
    let part = |part: &str| {
        let sound = |c: char| c.is_ascii_alphanumeric() || c == '-';
        !part.is_empty()
            && part.len() <= 63
            && part.chars().all(sound)
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    text.len() <= HOST_NAME_MAX && text.split('.').all(part)
}

/// Tells whether a text is a plain address of mail: something on both sides of one `@`.
fn is_email(text: &str) -> bool {
    let parts = text.rsplit_once('@');
    parts.is_some_and(|(name, host)| {
        !name.is_empty() && !name.contains(char::is_whitespace) && is_host_name(host)
    })
}

/// Tells whether a text is a URI with a scheme, or a path from the root.
fn is_absolute_uri(text: &str) -> bool {
    let scheme = |scheme: &str| {
        let sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(sound)
    };
    let absolute = text.split_once(':').is_some_and(|(first, _)| scheme(first));
    let bytes = text.as_bytes();
    let escaped = (0..bytes.len()).filter(|at| bytes[*at] == b'%').all(|at| {
        bytes
            .get(at + 1..at + 3)
            .is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit))
    });
    (absolute || text.starts_with('/')) && escaped && !text.chars().any(char::is_control)
}
