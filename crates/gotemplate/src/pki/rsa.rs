//! RSA: prime search, key parts, PKCS #1 signatures.

use num_bigint::BigUint;

use super::{NotRandom, Random};

/// An RSA private key.
#[derive(Clone, Debug)]
pub(crate) struct RsaKey {
    pub(super) modulus: BigUint,
    pub(super) public: BigUint,
    pub(super) private: BigUint,
    pub(super) primes: [BigUint; 2],
}

const PUBLIC_EXPONENT: u32 = 65_537;
/// Odd primes below this are tried as divisors before the costly test.
const SIEVE_MAX: u32 = 2_000;
/// Rounds of the probabilistic test: the error is far below 2^-80 for the sizes used.
const ROUNDS: usize = 6;

pub(super) fn random_number(random: Random<'_>, bits: usize) -> BigUint {
    let mut bytes = vec![0; bits.div_ceil(8)];
    random(&mut bytes);
    let spare = bytes.len() * 8 - bits;
    bytes[0] &= 0xff >> spare;
    BigUint::from_bytes_be(&bytes)
}

fn small_primes() -> Vec<u32> {
    let is_prime = |n: &u32| {
        (3..)
            .step_by(2)
            .take_while(|d| d * d <= *n)
            .all(|d| !n.is_multiple_of(d))
    };
    (3..SIEVE_MAX).step_by(2).filter(is_prime).collect()
}

/// Whether an odd number above the sieve is most probably prime.
fn is_prime(number: &BigUint, random: Random<'_>) -> bool {
    let one = BigUint::from(1_u8);
    let zero = BigUint::ZERO;
    if small_primes()
        .into_iter()
        .any(|prime| number % prime == zero)
    {
        return false;
    }
    let below = number - &one;
    let twos = below.trailing_zeros().unwrap_or(0);
    let odd = &below >> twos;
    (0..ROUNDS).all(|_| {
        let base = random_number(random, number.bits() as usize - 1) + 2_u8;
        let mut power = base.modpow(&odd, number);
        if power == one || power == below {
            return true;
        }
        (1..twos).any(|_| {
            power = &power * &power % number;
            power == below
        })
    })
}

/// Most candidates for one prime. One of 710 odd numbers of 2,048 bits is prime: the chance that good
/// randomness needs more is below 2^-40.
const CANDIDATES_MAX: usize = 20_000;

/// Draws candidates until one is prime.
///
/// # Errors
/// The source repeats itself, or is otherwise no source of randomness.
pub(super) fn search(
    random: Random<'_>,
    draw: impl Fn(Random<'_>) -> Option<BigUint>,
) -> Result<BigUint, NotRandom> {
    let mut last = None;
    for _ in 0..CANDIDATES_MAX {
        let candidate = draw(random);
        if candidate.is_some() && candidate == last {
            return Err(NotRandom);
        }
        if let Some(number) = candidate.as_ref().filter(|number| is_prime(number, random)) {
            return Ok(number.clone());
        }
        last = candidate;
    }
    Err(NotRandom)
}

/// Most pairs of primes that are tried; equal ones do not happen with good randomness.
const PAIRS_MAX: usize = 8;

/// A prime with its two highest bits set.
fn prime(random: Random<'_>, bits: usize) -> Result<BigUint, NotRandom> {
    search(random, |random| {
        let mut candidate = random_number(random, bits);
        for bit in [bits as u64 - 1, bits as u64 - 2, 0] {
            candidate.set_bit(bit, true);
        }
        let fits = (&candidate - 1_u8) % PUBLIC_EXPONENT != BigUint::ZERO;
        fits.then_some(candidate)
    })
}

impl RsaKey {
    pub(super) fn generate(random: Random<'_>, bits: usize) -> Result<Self, NotRandom> {
        for _ in 0..PAIRS_MAX {
            let (p, q) = (prime(random, bits / 2)?, prime(random, bits / 2)?);
            let public = BigUint::from(PUBLIC_EXPONENT);
            let totient = (&p - 1_u8) * (&q - 1_u8);
            if let Some(private) = public.modinv(&totient).filter(|_| p != q) {
                return Ok(Self {
                    modulus: &p * &q,
                    public,
                    private,
                    primes: [p, q],
                });
            }
        }
        Err(NotRandom)
    }

    /// Exponents and coefficient for the Chinese remainder theorem.
    pub(super) fn precomputed(&self) -> [BigUint; 3] {
        let [p, q] = &self.primes;
        [
            &self.private % (p - 1_u8),
            &self.private % (q - 1_u8),
            q.modinv(p).unwrap_or_default(),
        ]
    }

    /// Signs an encoded digest (PKCS #1 v1.5).
    pub(super) fn sign(&self, digest_info: &[u8]) -> Vec<u8> {
        let len = self.modulus.bits().div_ceil(8) as usize;
        let padding = len.saturating_sub(digest_info.len() + 3);
        let block = [&[0, 1][..], &vec![0xff; padding], &[0], digest_info].concat();
        let message = BigUint::from_bytes_be(&block);
        let [p, q] = &self.primes;
        let [dp, dq, coefficient] = self.precomputed();
        let (m1, m2) = (message.modpow(&dp, p), message.modpow(&dq, q));
        let difference = (&m1 + p - (&m2 % p)) % p;
        let signature = &m2 + (coefficient * difference % p) * q;
        let bytes = signature.to_bytes_be();
        [vec![0; len.saturating_sub(bytes.len())], bytes].concat()
    }
}
