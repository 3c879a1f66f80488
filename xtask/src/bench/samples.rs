//! Numbers that were measured several times.

use serde_json::{Value, json};
use std::time::Duration;

/// Measurements of one thing, in milliseconds unless its owner says otherwise.
#[derive(Debug, Default, Clone)]
pub struct Samples(Vec<f64>);

impl Samples {
    /// Adds one.
    pub fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    /// Adds one, in milliseconds.
    pub fn push_duration(&mut self, duration: Duration) {
        self.push(duration.as_secs_f64() * 1000.0);
    }

    /// The value that `part` (0 to 1) of the samples do not exceed; none without samples.
    pub fn quantile(&self, part: f64) -> Option<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let place = part * sorted.len().checked_sub(1)? as f64;
        let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
        Some(below + (above - below) * place.fract())
    }

    /// The middle.
    pub fn median(&self) -> Option<f64> {
        self.quantile(0.5)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// All of them, and their middle.
    pub fn json(&self) -> Value {
        json!({"median": self.median(), "p95": self.quantile(0.95), "all": self.0})
    }
}

#[cfg(test)]
mod tests {
    use super::Samples;

    #[test]
    fn the_middle_of_an_even_number_lies_between_two() {
        let samples = Samples(vec![4.0, 1.0, 2.0, 3.0]);
        assert_eq!(samples.median(), Some(2.5));
        assert_eq!(samples.quantile(1.0), Some(4.0));
        assert_eq!(Samples::default().median(), None);
    }
}
