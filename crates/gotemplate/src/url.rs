//! URLs as Go's `net/url` reads, escapes and writes them.

use std::fmt;

use gocompat::netip;
use gocompat::quote::quote;

/// Escapes a query value: unreserved characters stay, space becomes `+`.
pub fn query_escape(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for &byte in bytes {
        match byte {
            b' ' => out.push('+'),
            _ => push_escaped(&mut out, byte, ""),
        }
    }
    out
}

fn push_escaped(out: &mut String, byte: u8, allowed: &str) {
    if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) || allowed.as_bytes().contains(&byte)
    {
        out.push(char::from(byte));
    } else {
        out.push_str(&format!("%{byte:02X}"));
    }
}

fn escape(text: &str, allowed: &str) -> String {
    let mut out = String::with_capacity(text.len());
    text.bytes()
        .for_each(|byte| push_escaped(&mut out, byte, allowed));
    out
}

/// Characters that stay in a path.
const PATH: &str = "$&+,/:;=@";
/// Characters that stay in user and password.
const USER: &str = "$&+,;=";
/// Characters that stay in a host.
const HOST: &str = "!$&'()*+,;=:[]<>\"";
/// Characters that stay in a fragment.
const FRAGMENT: &str = "$&+,/:;=?@!()*";

/// User and password of a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Userinfo {
    user: String,
    password: Option<String>,
}

impl fmt::Display for Userinfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escape(&self.user, USER))?;
        if let Some(password) = &self.password {
            write!(f, ":{}", escape(password, USER))?;
        }
        Ok(())
    }
}

/// A URL in parts, unescaped but for the query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Url {
    /// Scheme in lower case.
    pub scheme: String,
    /// What follows the scheme without a slash.
    pub opaque: String,
    /// User and password.
    pub userinfo: Option<Userinfo>,
    /// Host and port.
    pub host: String,
    /// Path.
    pub path: String,
    /// Query as written, without `?`.
    pub query: String,
    /// Fragment, without `#`.
    pub fragment: String,
    /// Path as it was written, where that differs from escaping anew; may be empty.
    pub raw_path: String,
    /// Whether a `?` without a query was written.
    pub force_query: bool,
}

/// A text that is no URL, with Go's message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("parse {}: {message}", quote(.url.as_bytes()))]
pub struct UrlError {
    url: String,
    message: String,
}

impl Url {
    /// Reads a URL or a reference.
    ///
    /// # Errors
    /// The text has control characters, bad escapes, a bad host or port.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let (body, fragment) = text.split_once('#').unwrap_or((text, ""));
        let fail = |shown: &str, message: String| UrlError {
            url: shown.to_owned(),
            message,
        };
        let mut url = Self::parse_body(body).map_err(|message| fail(body, message))?;
        url.fragment = unescape(fragment).map_err(|message| fail(text, message))?;
        Ok(url)
    }

    fn parse_body(text: &str) -> Result<Self, String> {
        if text.bytes().any(|b| b < b' ' || b == 0x7f) {
            return Err("net/url: invalid control character in URL".to_owned());
        }
        let mut url = Self::default();
        if text == "*" {
            url.path = "*".to_owned();
            return Ok(url);
        }
        let (scheme, mut rest) = split_scheme(text)?;
        url.scheme = scheme.to_ascii_lowercase();
        if let Some((before, query)) = rest.split_once('?') {
            rest = before;
            url.force_query = query.is_empty();
            query.clone_into(&mut url.query);
        }
        if !rest.starts_with('/') {
            if !url.scheme.is_empty() {
                rest.clone_into(&mut url.opaque);
                return Ok(url);
            }
            if rest
                .split('/')
                .next()
                .is_some_and(|segment| segment.contains(':'))
            {
                return Err("first path segment in URL cannot contain colon".to_owned());
            }
        }
        if let Some(after) = rest.strip_prefix("//")
            && (!url.scheme.is_empty() || !after.starts_with('/'))
        {
            let (authority, path) = after.split_at(after.find('/').unwrap_or(after.len()));
            url.set_authority(authority)?;
            rest = path;
        }
        url.path = unescape(rest)?;
        if escape(&url.path, PATH) != rest {
            rest.clone_into(&mut url.raw_path);
        }
        Ok(url)
    }

    fn set_authority(&mut self, authority: &str) -> Result<(), String> {
        let host = match authority.rsplit_once('@') {
            None => authority,
            Some((userinfo, host)) => {
                let valid = |b: u8| b.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&b);
                if !userinfo.bytes().all(valid) {
                    return Err("net/url: invalid userinfo".to_owned());
                }
                let (user, password) = match userinfo.split_once(':') {
                    Some((user, password)) => (user, Some(unescape(password)?)),
                    None => (userinfo, None),
                };
                self.userinfo = Some(Userinfo {
                    user: unescape(user)?,
                    password,
                });
                host
            }
        };
        self.host = parse_host(&self.scheme, host)?;
        Ok(())
    }

    /// The host without port and brackets.
    pub fn hostname(&self) -> &str {
        let host = match self.host.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
            _ => &self.host,
        };
        host.strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host)
    }
}

fn split_scheme(text: &str) -> Result<(&str, &str), String> {
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if at > 0 => {}
            b':' if at == 0 => return Err("missing protocol scheme".to_owned()),
            b':' => return Ok((&text[..at], &text[at + 1..])),
            _ => return Ok(("", text)),
        }
    }
    Ok(("", text))
}

fn parse_host(scheme: &str, host: &str) -> Result<String, String> {
    let invalid_port = |port: &str| {
        Err(format!(
            "invalid port {} after host",
            quote(port.as_bytes())
        ))
    };
    let port_is_valid = |port: &str| {
        port.is_empty()
            || port
                .strip_prefix(':')
                .is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
    };
    if host.rfind('[').is_some_and(|at| at > 0) {
        return Err("invalid IP-literal".to_owned());
    }
    if host.starts_with('[') {
        let Some(close) = host.rfind(']') else {
            return Err("missing ']' in host".to_owned());
        };
        let port = &host[close + 1..];
        if !port_is_valid(port) {
            return invalid_port(port);
        }
        let inside = address_in_brackets(&host[1..close])?;
        return Ok(format!("[{inside}]{port}"));
    }
    // Other schemes may list several hosts with their ports.
    let strict = matches!(scheme, "http" | "https");
    let colon = if strict {
        host.find(':')
    } else {
        host.rfind(':')
    };
    if let Some(colon) = colon {
        let port = &host[colon..];
        if !port_is_valid(port) {
            return invalid_port(port);
        }
    }
    unescape_host(host)
}

/// An IPv6 address between brackets; its zone may be escaped in any way.
fn address_in_brackets(text: &str) -> Result<String, String> {
    let (address, zone) = text.split_at(text.find("%25").unwrap_or(text.len()));
    let text = unescape_host(address)? + &unescape(zone)?;
    match netip::parse_addr(&text) {
        Ok(netip::Address::V4) => Err("invalid IP-literal".to_owned()),
        Ok(netip::Address::V6 { .. }) => Ok(text),
        Err(error) => Err(format!("invalid host: {error}")),
    }
}

fn unescape_host(host: &str) -> Result<String, String> {
    for (at, byte) in host.bytes().enumerate() {
        if byte.is_ascii()
            && byte != b'%'
            && !byte.is_ascii_alphanumeric()
            && !b"-_.~".contains(&byte)
            && !HOST.as_bytes().contains(&byte)
        {
            let shown = quote(&host.as_bytes()[at..=at]);
            return Err(format!("invalid character {shown} in host name"));
        }
    }
    if let Some(at) = host.find('%') {
        let escape = &host[at..host.len().min(at + 3)];
        // Only bytes beyond ASCII may be escaped in a host.
        let beyond = escape
            .get(1..)
            .and_then(|hex| u8::from_str_radix(hex, 16).ok())
            .is_some_and(|b| b >= 0x80);
        if escape.len() < 3 || !beyond {
            return Err(format!("invalid URL escape {}", quote(escape.as_bytes())));
        }
    }
    unescape(host)
}

fn unescape(text: &str) -> Result<String, String> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] != b'%' {
            out.push(bytes[at]);
            at += 1;
            continue;
        }
        let digits = bytes
            .get(at + 1..at + 3)
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let Some(digits) = digits else {
            let end = bytes.len().min(at + 3);
            return Err(format!("invalid URL escape {}", quote(&bytes[at..end])));
        };
        let value = |digit: u8| char::from(digit).to_digit(16).unwrap_or(0) as u8;
        out.push(value(digits[0]) << 4 | value(digits[1]));
        at += 3;
    }
    Ok(String::from_utf8_lossy(&out).into_owned())
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.scheme.is_empty() {
            write!(f, "{}:", self.scheme)?;
        }
        if self.opaque.is_empty() {
            self.write_hierarchy(f)?;
        } else {
            f.write_str(&self.opaque)?;
        }
        if self.force_query || !self.query.is_empty() {
            write!(f, "?{}", self.query)?;
        }
        if !self.fragment.is_empty() {
            write!(f, "#{}", escape(&self.fragment, FRAGMENT))?;
        }
        Ok(())
    }
}

impl Url {
    fn write_hierarchy(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.scheme.is_empty() || !self.host.is_empty() || self.userinfo.is_some() {
            if !self.host.is_empty() || !self.path.is_empty() || self.userinfo.is_some() {
                f.write_str("//")?;
            }
            if let Some(userinfo) = &self.userinfo {
                write!(f, "{userinfo}@")?;
            }
            f.write_str(&escape(&self.host, HOST))?;
        }
        let path = if self.raw_path.is_empty() {
            escape(&self.path, PATH)
        } else {
            self.raw_path.clone()
        };
        if !path.is_empty() && !path.starts_with('/') && !self.host.is_empty() {
            f.write_str("/")?;
        }
        if self.scheme.is_empty() && self.host.is_empty() && self.userinfo.is_none() {
            // A colon in the first segment would read as a scheme.
            if path
                .split('/')
                .next()
                .is_some_and(|segment| segment.contains(':'))
            {
                f.write_str("./")?;
            }
        }
        f.write_str(&path)
    }
}
