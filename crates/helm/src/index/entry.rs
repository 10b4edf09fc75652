//! One version of a chart as the index holds it, typed by the rules of Go's decoder.

use serde_json::{Map, Value};

use super::Summary;
use crate::metadata::{Metadata, Reader};

/// One version of a chart.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Entry {
    /// What the chart says of itself.
    pub metadata: Metadata,
    /// Addresses of the archive, relative ones below the index.
    pub urls: Vec<String>,
    /// When the version was added, in RFC 3339; empty where the index does not say.
    pub created: String,
    /// Whether the version was withdrawn.
    pub removed: bool,
    /// SHA-256 of the archive in hexadecimal; may be empty.
    pub digest: String,
    /// `checksum`, `engine`, `tillerVersion` and `url` of old indexes, which mean nothing any more.
    pub(super) old: [String; 4],
}

/// Names of the fields of [`Entry::old`].
pub(super) const OLD: [&str; 4] = ["checksum", "engine", "tillerVersion", "url"];

impl Entry {
    /// Name of the chart.
    pub fn name(&self) -> &str {
        &self.metadata.name
    }

    /// Version of the chart.
    pub fn version(&self) -> &str {
        &self.metadata.version
    }

    /// Types the fields; unknown ones are an error where strict.
    pub(super) fn read(map: &Map<String, Value>, strict: bool) -> Result<Self, String> {
        let mut entry = Self::default();
        let mut r = Reader::new(strict);
        for (key, value) in map {
            let old = OLD.iter().position(|old| old.eq_ignore_ascii_case(key));
            match (key.to_ascii_lowercase().as_str(), old) {
                (_, Some(index)) => r.text(value, "ChartVersion.entries", &mut entry.old[index]),
                ("urls", _) => r.texts(value, "ChartVersion.entries.urls", &mut entry.urls),
                ("created", _) => time(&mut r, value, &mut entry.created),
                ("removed", _) => r.flag(value, "ChartVersion.entries.removed", &mut entry.removed),
                ("digest", _) => r.text(value, "ChartVersion.entries.digest", &mut entry.digest),
                _ => entry.metadata.read_field(&mut r, key, value),
            }
        }
        r.error.map_or(Ok(entry), Err)
    }

    /// Checks what Helm checks when it loads an index.
    pub(super) fn validate(&mut self) -> Result<(), String> {
        if self.metadata.api_version.is_empty() {
            "v1".clone_into(&mut self.metadata.api_version);
        }
        match self.metadata.validate() {
            // Dependencies of equal names came to be invalid later than many indexes were made.
            Err(error) if !error.starts_with(TOLERATED) => {
                Err(format!("version {:?}: {error}", self.version()))
            }
            _ => Ok(()),
        }
    }
}

const TOLERATED: &str = "validation: more than one dependency with name or alias";

/// Types what stands beside the entries.
pub(super) fn read_head(
    head: Map<String, Value>,
    strict: bool,
    summary: &mut Summary,
) -> Result<(), String> {
    let mut r = Reader::new(strict);
    let mut annotations = None;
    for (key, value) in head {
        let lower = key.to_ascii_lowercase();
        match lower.as_str() {
            "apiversion" => r.text(&value, "IndexFile.apiVersion", &mut summary.api_version),
            "generated" => time(&mut r, &value, &mut summary.generated),
            "publickeys" => r.texts(&value, "IndexFile.publicKeys", &mut summary.public_keys),
            "annotations" => r.annotations(&value, "IndexFile.annotations", &mut annotations),
            "serverinfo" => match value {
                Value::Object(map) => summary.server_info = map,
                Value::Null => {}
                other => r.mismatch(&other, "IndexFile.serverInfo", "map[string]interface {}"),
            },
            _ => r.unknown(&key),
        }
    }
    summary.annotations = annotations.unwrap_or_default();
    r.error.map_or(Ok(()), Err)
}

fn time(r: &mut Reader, value: &Value, into: &mut String) {
    match value {
        Value::Null => {}
        Value::String(text) => match go_time(text) {
            Some(time) => *into = time,
            None => r.fail(format!(
                "parsing time {text:?} as \"2006-01-02T15:04:05Z07:00\": it is no time of RFC 3339"
            )),
        },
        _ => r.fail("Time.UnmarshalJSON: input is not a JSON string".to_owned()),
    }
}

/// A time as Go prints one that it read; `None` where Go does not read it.
fn go_time(text: &str) -> Option<String> {
    let form = text.as_bytes();
    let digit_or = |at: usize, b: u8| match b {
        b'0' => form.get(at).is_some_and(u8::is_ascii_digit),
        other => form.get(at) == Some(&other),
    };
    let pattern = b"0000-00-00T00:00:00";
    if !pattern.iter().enumerate().all(|(at, &b)| digit_or(at, b)) {
        return None;
    }
    let number = |at: usize, length: usize| text[at..at + length].parse::<i16>().ok();
    jiff::civil::Date::new(
        number(0, 4)?,
        number(5, 2)?.try_into().ok()?,
        number(8, 2)?.try_into().ok()?,
    )
    .ok()?;
    if number(11, 2)? > 23 || number(14, 2)? > 59 || number(17, 2)? > 59 {
        return None;
    }
    let mut rest = &text[19..];
    let mut fraction = "";
    if let Some(after) = rest.strip_prefix(['.', ',']) {
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return None;
        }
        fraction = after[..digits.min(9)].trim_end_matches('0');
        rest = &after[digits..];
    }
    let zone = match rest.as_bytes() {
        b"Z" | b"+00:00" | b"-00:00" => "Z",
        [b'+' | b'-', h1, h2, b':', m1, m2] => {
            let two = |a: u8, b: u8| {
                (a.is_ascii_digit() && b.is_ascii_digit()).then(|| (a - b'0') * 10 + (b - b'0'))
            };
            (two(*h1, *h2)? <= 23 && two(*m1, *m2)? <= 59).then_some(rest)?
        }
        _ => return None,
    };
    let dot = if fraction.is_empty() { "" } else { "." };
    Some(format!("{}{dot}{fraction}{zone}", &text[..19]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_printed_as_go_prints_them() {
        for (text, expected) in [
            ("2020-01-02T03:04:05Z", Some("2020-01-02T03:04:05Z")),
            ("2020-01-02T03:04:05.120Z", Some("2020-01-02T03:04:05.12Z")),
            (
                "2020-01-02T03:04:05.000+02:00",
                Some("2020-01-02T03:04:05+02:00"),
            ),
            ("2020-01-02T03:04:05+00:00", Some("2020-01-02T03:04:05Z")),
            (
                "2020-01-02T03:04:05.1234567891Z",
                Some("2020-01-02T03:04:05.123456789Z"),
            ),
            ("2020-02-30T03:04:05Z", None),
            ("2020-01-02 03:04:05Z", None),
            ("2020-01-02T03:04:05", None),
            ("2020-01-02T24:04:05Z", None),
            ("", None),
        ] {
            assert_eq!(go_time(text).as_deref(), expected, "{text}");
        }
    }
}
