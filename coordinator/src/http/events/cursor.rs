//! How far a page has come in all logs of an attempt, as text: `job:12,step-0:340@2`. It is the id of `lines` events,
//! so a browser sends it back by itself.

use std::fmt;

use protocol::ids::StreamId;

use crate::http::follow::Positions;

/// An attempt has fewer streams than this.
const MAX_STREAMS: usize = 400;

/// Lines had per stream, and of which attempt they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// Lines had of each stream.
    pub positions: Positions,
    /// The attempt's number; `None`: the newest.
    pub attempt: Option<u32>,
}

impl Cursor {
    /// Takes a cursor from outside. `None`: it is none.
    pub fn parse(text: &str) -> Option<Cursor> {
        let (streams, attempt) = match text.split_once('@') {
            Some((streams, number)) => (streams, Some(number.parse().ok()?)),
            None => (text, None),
        };
        let mut positions = Positions::new();
        for part in streams.split(',').filter(|part| !part.is_empty()) {
            let (stream, lines) = part.rsplit_once(':')?;
            positions.insert(StreamId::parse(stream)?, lines.parse().ok()?);
            if positions.len() > MAX_STREAMS {
                return None;
            }
        }
        Some(Cursor { positions, attempt })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (stream, lines)) in self.positions.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            write!(f, "{comma}{stream}:{lines}")?;
        }
        match self.attempt {
            Some(attempt) => write!(f, "@{attempt}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for text in ["", "@1", "job:12,step-0:340", "job:12,service-my_db.2:7,step-0:340@2"] {
            assert_eq!(Cursor::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_cursor_is_none() {
        for text in ["job", "job:x", "job:-1", "../x:1", "job:1@x", "job:1;step-0:2"] {
            assert_eq!(Cursor::parse(text), None, "{text}");
        }
    }
}
