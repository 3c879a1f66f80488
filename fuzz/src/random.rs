//! The numbers behind the inputs: the same everywhere for the same seed, so that a failure can be had again.

/// `SplitMix64`: small, and the same on every machine.
pub struct Random(u64);

impl Random {
    /// The numbers of one input: nothing that came before has a part in them.
    #[must_use]
    pub fn of_input(seed: u64, index: u64) -> Random {
        let mut random = Random(seed ^ 0x5851_f42d_4c95_7f2d);
        Random(random.next() ^ index.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// Numbers that depend on the bytes alone: how a target chooses between several ways to read them.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Random {
        let step = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        Random(bytes.iter().fold(0xcbf2_9ce4_8422_2325, step))
    }

    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to `limit`, without it; 0 when there is nothing below it.
    pub fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % (limit.max(1) as u64)).unwrap_or(0)
    }

    /// True once in `count` times.
    pub fn once_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    /// One of them.
    ///
    /// # Panics
    /// When there is none.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}
