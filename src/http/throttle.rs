//! Slows down whoever guesses keys. Owns how many wrong keys an address may send; leaves keys to `security`.

use std::{
    hash::{BuildHasher, RandomState},
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Wrong keys an address may send at once; a client with an old key must not lock its neighbours out.
const BURST: u32 = 30;

/// After the burst: one wrong key a second.
const REFILL: Duration = Duration::from_secs(1);

/// Addresses share this many buckets, so that memory is constant whatever the number of addresses.
const BUCKETS: usize = 1024;

/// A token bucket for each address, <https://en.wikipedia.org/wiki/Token_bucket>, kept as the moment at
/// which it is full again (the generic cell rate algorithm, ITU-T I.371).
#[derive(Debug)]
pub(super) struct Throttle {
    hasher: RandomState,
    full_at: Mutex<Vec<Option<Instant>>>,
}

impl Default for Throttle {
    fn default() -> Self {
        Self { hasher: RandomState::new(), full_at: Mutex::new(vec![None; BUCKETS]) }
    }
}

impl Throttle {
    fn bucket(&self, address: IpAddr) -> usize {
        let network = match address.to_canonical() {
            // One customer has a whole /64 (RFC 6177).
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (!0 << 64))),
            v4 => v4,
        };
        // The remainder of a division by BUCKETS fits.
        (self.hasher.hash_one(network) % BUCKETS as u64) as usize
    }

    /// Whether a key from `address` may be looked at; otherwise how long to wait.
    pub(super) fn check(&self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = full_at[self.bucket(address)].map_or(Duration::ZERO, |it| it.duration_since(now));
        let most = REFILL * (BURST - 1);
        if missing <= most { Ok(()) } else { Err(missing - most) }
    }

    /// Takes down a wrong key from `address`.
    pub(super) fn wrong(&self, address: IpAddr, now: Instant) {
        let bucket = self.bucket(address);
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        full_at[bucket] = Some(full_at[bucket].map_or(now, |it| it.max(now)) + REFILL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_one_a_second_for_each_address() {
        let throttle = Throttle::default();
        let start = Instant::now();
        let guesser: IpAddr = "2001:db8::1".parse().unwrap();
        for _ in 0..BURST {
            assert_eq!(throttle.check(guesser, start), Ok(()));
            throttle.wrong(guesser, start);
        }
        assert_eq!(throttle.check(guesser, start), Err(REFILL));
        assert!(throttle.check("2001:db8::2".parse().unwrap(), start).is_err(), "the same network");
        let others = (0..=255).map(|it| IpAddr::from([192, 168, 0, it]));
        assert!(others.filter(|it| throttle.check(*it, start).is_err()).count() < 10, "others are let in");
        let later = start + REFILL;
        assert_eq!(throttle.check(guesser, later), Ok(()));
        throttle.wrong(guesser, later);
        assert_eq!(throttle.check(guesser, later), Err(REFILL));
        assert_eq!(throttle.check(guesser, later + REFILL * BURST), Ok(()));
    }
}
