//! Mail addresses and URLs as the library that Helm uses accepts them.

use std::sync::LazyLock;

use gocompat::regexp::Regexp;
use gotemplate::url::Url;

/// Characters outside of ASCII that mail addresses may have.
const WIDE: &str = r"\x{00A0}-\x{D7FF}\x{F900}-\x{FDCF}\x{FDF0}-\x{FFEF}";

static EMAIL: LazyLock<Regexp> = LazyLock::new(|| {
    let letter = format!("a-zA-Z{WIDE}");
    let atom = format!(r"[{letter}0-9!#$%&'*+\-/=?^_`{{|}}~]+");
    let space = r"(([ \t]*\r\n)?[ \t]+)?";
    let inner = format!(
        r"([\x01-\x08\x0b\x0c\x0e-\x1f\x7f!#-\[\]-~{WIDE}]|\([\x01-\x09\x0b-\x7f]|[{WIDE}])"
    );
    // The opening quote is wanted before each character: a slip of the library that counts.
    let quoted = format!(r#"("{space}{inner})*{space}""#);
    let label = format!(r"[{letter}0-9]([{letter}0-9\-._~]*[{letter}0-9])?");
    let last = format!(r"[{letter}]([{letter}0-9\-_~]*[{letter}])?");
    compiled(&format!(
        r"^({atom}(\.{atom})*|{quoted})@({label}\.)+{last}\.?$"
    ))
});

static URL: LazyLock<Regexp> = LazyLock::new(|| {
    let wide = r"\x{00a1}-\x{ffff}";
    let scheme = "((ftp|tcp|udp|wss?|https?)://)?";
    let user = r"(\S+(:\S*)?@)?";
    let octet = r"(\d{1,2}|1\d\d|2[0-4]\d|25[0-5])";
    let ipv4 = format!(
        r"([1-9]\d?|1\d\d|2[01]\d|22[0-3]|24\d|25[0-5])(\.{octet}){{2}}\.(\d\d?|1\d\d|2[0-4]\d|25[0-5])"
    );
    let ipv6 = r"\[[0-9a-fA-F:.]+(%[0-9a-zA-Z]+)?\]";
    let first = r"[a-zA-Z0-9]([a-zA-Z0-9_-]+)?[a-zA-Z0-9]([-.][a-zA-Z0-9]+)*";
    let below = r"(www\.|[a-zA-Z0-9]+([-_.]?[a-zA-Z0-9])*[a-zA-Z0-9]\.[a-zA-Z0-9]+)?";
    let word = format!(r"([a-zA-Z{wide}0-9]+-?-?)*[a-zA-Z{wide}0-9]+");
    let top = format!(r"(\.[a-zA-Z{wide}]+)?");
    compiled(&format!(
        r"^{scheme}{user}({ipv4}|{ipv6}|({first}|{below})?{word}{top})\.?(:\d{{1,5}})?([/?#]\S*)?$"
    ))
});

fn compiled(pattern: &str) -> Regexp {
    Regexp::new(pattern).expect("the pattern is a constant")
}

/// Whether a text is a mail address.
pub(super) fn is_email(text: &str) -> bool {
    EMAIL.is_match(text.as_bytes())
}

/// Whether a text is a URL; the scheme may be missing.
pub(super) fn is_url(text: &str) -> bool {
    if text.chars().count() >= 2083 || text.len() <= 3 || text.starts_with('.') {
        return false;
    }
    let absolute = if text.contains(':') && !text.contains("://") {
        format!("http://{text}")
    } else {
        text.to_owned()
    };
    let Ok(url) = Url::parse(&absolute) else {
        return false;
    };
    if url.host.starts_with('.')
        || (url.host.is_empty() && !url.path.is_empty() && !url.path.contains('.'))
    {
        return false;
    }
    URL.is_match(text.as_bytes())
}

/// Whether a text is a URL with a scheme, as a request line may have it.
pub(super) fn is_request_url(text: &str) -> bool {
    // There are no fragments in requests.
    let text = text.replace('#', "%23");
    Url::parse(&text).is_ok_and(|url| !url.scheme.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, mail, url, request) in [
            ("a@b.co", true, true, false),
            ("a@b", false, false, false),
            ("\"a b\"@c.de", false, false, false),
            ("http://a.b/c#d", false, true, true),
            ("github.com/x", false, true, false),
            ("https://[::1]:80/", false, true, true),
            ("nohost", false, false, false),
            ("x:y", false, false, true),
            ("http://a b", false, false, false),
        ] {
            let actual = (is_email(text), is_url(text), is_request_url(text));
            assert_eq!(actual, (mail, url, request), "{text}");
        }
    }
}
