//! JSON indexes: one pass without a tree; versions of charts that nobody asks for are not even typed.

use std::fmt;
use std::io::BufRead;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::{Gathered, IndexError, Sink, is_entries};

/// Reads an index.
pub(super) fn read(
    input: &mut impl BufRead,
    gathered: &mut Gathered,
    sink: &mut dyn Sink,
) -> Result<(), IndexError> {
    run(input, gathered, Some(sink))
}

/// Reads what stands beside the entries.
pub(super) fn read_head(
    input: &mut impl BufRead,
    gathered: &mut Gathered,
) -> Result<(), IndexError> {
    run(input, gathered, None)
}

fn run(
    input: &mut impl BufRead,
    gathered: &mut Gathered,
    mut sink: Option<&mut dyn Sink>,
) -> Result<(), IndexError> {
    let mut failure = None;
    let mut deserializer = serde_json::Deserializer::from_reader(input);
    let top = Top {
        gathered,
        sink: sink.as_mut().map(|sink| &mut **sink as &mut dyn Sink),
        failure: &mut failure,
    };
    let outcome = top
        .deserialize(&mut deserializer)
        .and_then(|()| deserializer.end());
    match (failure, outcome) {
        (Some(failure), _) => Err(failure),
        (None, Err(error)) => Err(IndexError::Malformed(error.to_string())),
        (None, Ok(())) => Ok(()),
    }
}

/// The index; its own failures travel beside those of the decoder.
struct Top<'a> {
    gathered: &'a mut Gathered,
    sink: Option<&'a mut dyn Sink>,
    failure: &'a mut Option<IndexError>,
}

struct Charts<'a> {
    gathered: &'a mut Gathered,
    sink: &'a mut dyn Sink,
    failure: &'a mut Option<IndexError>,
}

struct Versions<'a> {
    gathered: &'a mut Gathered,
    sink: &'a mut dyn Sink,
    failure: &'a mut Option<IndexError>,
}

impl<'de> DeserializeSeed<'de> for Top<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Top<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a repository index")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Top {
            gathered,
            mut sink,
            failure,
        } = self;
        while let Some(key) = map.next_key::<String>()? {
            if !is_entries(&key) {
                let value: Value = map.next_value()?;
                gathered.head.insert(key, value);
                continue;
            }
            match &mut sink {
                None => drop(map.next_value::<IgnoredAny>()?),
                Some(sink) => map.next_value_seed(Charts {
                    gathered: &mut *gathered,
                    sink: &mut **sink,
                    failure: &mut *failure,
                })?,
            }
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Charts<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for Charts<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("versions by the names of charts")
    }

    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            if let Err(error) = self.gathered.begin(&name, self.sink) {
                return Err(noted(self.failure, error));
            }
            map.next_value_seed(Versions {
                gathered: &mut *self.gathered,
                sink: &mut *self.sink,
                failure: &mut *self.failure,
            })?;
        }
        Ok(())
    }
}

fn noted<E: serde::de::Error>(failure: &mut Option<IndexError>, error: IndexError) -> E {
    let text = error.to_string();
    failure.get_or_insert(error);
    E::custom(text)
}

impl<'de> DeserializeSeed<'de> for Versions<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for Versions<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of versions")
    }

    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        if !self.sink.wants() {
            while list.next_element::<IgnoredAny>()?.is_some() {
                self.gathered.summary.versions += 1;
            }
            return Ok(());
        }
        while let Some(value) = list.next_element::<Value>()? {
            if let Err(error) = self.gathered.version(value, false, self.sink) {
                return Err(noted(self.failure, error));
            }
        }
        Ok(())
    }
}
