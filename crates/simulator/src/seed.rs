//! Chance that can be repeated: one small generator a purpose, so that a new draw for one purpose leaves the others
//! as they were.

/// What a stream of random numbers is for. Add at the end: the position is part of the seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Purpose {
    Shape,
    Recycle,
    Gap,
    Notice,
    Backoff,
    Boot,
    Placement,
    TaskLife,
    Churn,
    Flap,
    Groups,
    Cohort,
    Delivery,
    Mangling,
    Reads,
    Errors,
    Swarm,
}

const PURPOSES: usize = Purpose::Swarm as usize + 1;

/// All streams of one seed.
#[derive(Clone, Debug)]
pub struct Streams {
    streams: [Random; PURPOSES],
}

impl Streams {
    /// The streams of `seed`.
    pub fn new(seed: u64) -> Self {
        Self { streams: std::array::from_fn(|purpose| Random::new(mix(seed ^ mix(purpose as u64 + 1)))) }
    }

    /// The stream for a purpose.
    pub fn of(&mut self, purpose: Purpose) -> &mut Random {
        &mut self.streams[purpose as usize]
    }
}

/// xoshiro256++ (Blackman and Vigna), started by splitmix64.
#[derive(Clone, Debug)]
pub struct Random {
    state: [u64; 4],
}

impl Random {
    /// A generator of its own.
    pub fn new(seed: u64) -> Self {
        let mut walk = seed;
        let state = std::array::from_fn(|_| {
            walk = walk.wrapping_add(0x9e37_79b9_7f4a_7c15);
            mix(walk)
        });
        Self { state }
    }

    /// Sixty-four random bits.
    pub fn bits(&mut self) -> u64 {
        let s = &mut self.state;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// Below `bound`; 0 when `bound` is 0. The bias of the multiply-shift is far below anything seen here.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u64
    }

    /// From `low` to `high`, both included; `low` when they are the wrong way round.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        if high <= low {
            return low;
        }
        low + self.below((high - low) as u64 + 1) as i64
    }

    /// From 0 to below 1.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True with this chance. A chance of zero draws nothing.
    pub fn chance(&mut self, chance: f64) -> bool {
        chance > 0.0 && self.unit() < chance
    }

    /// One of these.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        of.get(self.below(of.len() as u64) as usize)
    }
}

/// The finaliser of splitmix64: a permutation of the 64-bit numbers.
pub fn mix(value: u64) -> u64 {
    let mut z = value;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The inverse of [`mix`]: an id made by `mix` is read back without an index.
pub fn unmix(value: u64) -> u64 {
    let mut z = value;
    z = z ^ (z >> 31) ^ (z >> 62);
    z = z.wrapping_mul(0x3196_42b2_d24d_8ec3);
    z = z ^ (z >> 27) ^ (z >> 54);
    z = z.wrapping_mul(0x96de_1b17_3f11_9089);
    z ^ (z >> 30) ^ (z >> 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixing_is_undone() {
        let mut random = Random::new(7);
        for _ in 0..10_000 {
            let value = random.bits();
            assert_eq!(unmix(mix(value)), value);
        }
    }

    #[test]
    fn a_draw_for_one_purpose_leaves_the_other_streams_alone() {
        let (mut first, mut second) = (Streams::new(42), Streams::new(42));
        first.of(Purpose::Gap).bits();
        assert_eq!(first.of(Purpose::Recycle).bits(), second.of(Purpose::Recycle).bits());
        assert_ne!(Streams::new(42).of(Purpose::Gap).bits(), Streams::new(43).of(Purpose::Gap).bits());
    }

    #[test]
    fn draws_stay_in_their_bounds() {
        let mut random = Random::new(1);
        for _ in 0..1000 {
            assert!((3..=5).contains(&random.between(3, 5)));
            assert!((0.0..1.0).contains(&random.unit()));
        }
        assert_eq!((random.between(5, 3), random.below(0), random.pick::<u8>(&[])), (5, 0, None));
    }
}
