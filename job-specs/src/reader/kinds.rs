//! Kinds of values that many keys have: what each looks like, with the function that reads it.

use serde::de::DeserializeOwned;
use serde::de::value::{BorrowedStrDeserializer, Error};

use crate::reader::keys::{Kind, Shape, kind};
use crate::source::Location;

/// A text.
pub(crate) const TEXT: Kind<String> = kind(Shape::Text, |reader, slot, _| reader.text(slot));

/// A text that may also be written as a number or true/false.
pub(crate) const SCALAR: Kind<String> = kind(Shape::Scalar, |reader, slot, _| reader.text(slot));

/// A text that a shell or Docker will run: only values of the matrix are substituted.
pub(crate) const SHELL_TEXT: Kind<String> = kind(Shape::Text, |reader, slot, _| reader.shell_text(slot));

/// A name that is written out.
pub(crate) const NAME: Kind<String> = kind(Shape::Name, |reader, slot, _| reader.literal(slot));

/// A name that is written out, and where.
pub(crate) const LOCATED_NAME: Kind<(String, Location)> = kind(Shape::Name, |reader, slot, _| {
    Some((reader.literal(slot)?, slot.location()))
});

/// A list of texts; one alone is taken too.
pub(crate) const TEXTS: Kind<Vec<String>> = kind(Shape::List(&Shape::Text), |reader, slot, _| Some(reader.texts(slot)));

/// A text or a list of them.
pub(crate) const ONE_OR_MORE_TEXTS: Kind<Vec<String>> = kind(Shape::OneOrMany(&Shape::Text), |reader, slot, _| {
    Some(reader.texts(slot))
});

/// `true` or `false`.
pub(crate) const FLAG: Kind<bool> = kind(Shape::Flag, |reader, slot, _| reader.flag(slot));

/// `on` or `off`.
pub(crate) const SWITCH: Kind<bool> = kind(Shape::Switch, |reader, slot, _| reader.switch(slot));

/// A duration in milliseconds, longer than nothing.
pub(crate) const DURATION: Kind<u64> = kind(Shape::Duration, |reader, slot, _| reader.duration_ms(slot));

/// A duration in milliseconds, which may be nothing.
pub(crate) const DURATION_OR_ZERO: Kind<u64> =
    kind(Shape::Duration, |reader, slot, _| reader.duration_or_zero_ms(slot));

/// A duration in whole seconds, rounded up.
pub(crate) const SECONDS: Kind<u64> = kind(Shape::Duration, |reader, slot, _| reader.duration_secs(slot));

/// Bytes of memory.
pub(crate) const MEMORY: Kind<u64> = kind(Shape::Size, |reader, slot, _| reader.size_bytes(slot));

/// Bytes, however few.
pub(crate) const SIZE: Kind<u64> = kind(Shape::Size, |reader, slot, _| reader.any_size(slot));

/// Processors, in thousandths.
pub(crate) const CPUS: Kind<u64> = kind(Shape::Number, |reader, slot, _| reader.cpu_millis(slot));

/// A TCP port.
pub(crate) const PORT: Kind<u16> = kind(Shape::Whole(1, 65_535), |reader, slot, _| {
    u16::try_from(reader.whole(slot, 1..=65_535)?).ok()
});

/// A whole number in a range.
pub(crate) const fn whole(min: i64, max: i64) -> Kind<i64> {
    Kind {
        shape: Shape::Whole(min, max),
        read: |reader, slot, shape| match shape {
            Shape::Whole(min, max) => reader.whole(slot, *min..=*max),
            _ => None,
        },
    }
}

/// One of some words, which the model's JSON has too.
pub(crate) const fn word<T: DeserializeOwned>(words: &'static [&'static str]) -> Kind<T> {
    Kind {
        shape: Shape::Choice(words),
        read: |reader, slot, shape| match shape {
            Shape::Choice(words) => {
                T::deserialize(BorrowedStrDeserializer::<Error>::new(reader.choice(slot, words)?)).ok()
            }
            _ => None,
        },
    }
}

/// One of some words.
pub(crate) const fn choice(words: &'static [&'static str]) -> Kind<&'static str> {
    Kind {
        shape: Shape::Choice(words),
        read: |reader, slot, shape| match shape {
            Shape::Choice(words) => reader.choice(slot, words),
            _ => None,
        },
    }
}
