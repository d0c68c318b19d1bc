//! Chance that can be repeated.

use bytes::Bytes;

/// `SplitMix64`: the same numbers for the same seed, wherever it runs.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    pub fn choose<'a, T>(&mut self, things: &'a [T]) -> &'a T {
        &things[self.below(things.len())]
    }

    pub fn bytes(&mut self, length: usize) -> Bytes {
        let numbers = (0..length / 8).flat_map(|_| self.next().to_le_bytes());
        numbers.collect()
    }

    /// From one byte to `max_length`: each order of magnitude is as frequent as the others.
    pub fn part_of(&mut self, source: &Bytes, max_length: usize) -> Bytes {
        let magnitude = 1 << self.below(max_length.ilog2() as usize + 1);
        let length = (magnitude + self.below(magnitude)).min(max_length);
        let start = self.below(source.len() - length);
        source.slice(start..start + length)
    }
}
