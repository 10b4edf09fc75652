//! ECDSA over P-256.

use std::sync::LazyLock;

use num_bigint::BigUint;

use super::Random;
use super::rsa::random_number;

fn constant(hex: &[u8]) -> BigUint {
    BigUint::parse_bytes(hex, 16).expect("the constant is hexadecimal")
}

static FIELD: LazyLock<BigUint> =
    LazyLock::new(|| constant(b"ffffffff00000001000000000000000000000000ffffffffffffffffffffffff"));
static ORDER: LazyLock<BigUint> =
    LazyLock::new(|| constant(b"ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"));
static BASE: LazyLock<Point> = LazyLock::new(|| Point {
    x: constant(b"6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"),
    y: constant(b"4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"),
    z: BigUint::from(1_u8),
});

/// A point in Jacobian coordinates; `z` is 0 at infinity.
#[derive(Clone)]
struct Point {
    x: BigUint,
    y: BigUint,
    z: BigUint,
}

fn sub(a: &BigUint, b: &BigUint) -> BigUint {
    (a + &*FIELD - b) % &*FIELD
}

fn mul(a: &BigUint, b: &BigUint) -> BigUint {
    a * b % &*FIELD
}

impl Point {
    fn double(&self) -> Self {
        let delta = mul(&self.z, &self.z);
        let gamma = mul(&self.y, &self.y);
        let beta = mul(&self.x, &gamma);
        let alpha = mul(
            &BigUint::from(3_u8),
            &mul(&sub(&self.x, &delta), &((&self.x + &delta) % &*FIELD)),
        );
        let x = sub(&mul(&alpha, &alpha), &(&beta * 8_u8 % &*FIELD));
        let sum = (&self.y + &self.z) % &*FIELD;
        let z = sub(&sub(&mul(&sum, &sum), &gamma), &delta);
        let y = sub(
            &mul(&alpha, &sub(&(&beta * 4_u8 % &*FIELD), &x)),
            &(mul(&gamma, &gamma) * 8_u8 % &*FIELD),
        );
        Self { x, y, z }
    }

    fn add(&self, other: &Self) -> Self {
        if self.z == BigUint::ZERO {
            return other.clone();
        }
        if other.z == BigUint::ZERO {
            return self.clone();
        }
        let (z1, z2) = (mul(&self.z, &self.z), mul(&other.z, &other.z));
        let (u1, u2) = (mul(&self.x, &z2), mul(&other.x, &z1));
        let s1 = mul(&mul(&self.y, &other.z), &z2);
        let s2 = mul(&mul(&other.y, &self.z), &z1);
        let (h, r) = (sub(&u2, &u1), sub(&s2, &s1));
        if h == BigUint::ZERO && r == BigUint::ZERO {
            return self.double();
        }
        let h2 = mul(&h, &h);
        let (h3, v) = (mul(&h2, &h), mul(&u1, &h2));
        let x = sub(&sub(&mul(&r, &r), &h3), &(&v * 2_u8 % &*FIELD));
        let y = sub(&mul(&r, &sub(&v, &x)), &mul(&s1, &h3));
        let z = mul(&mul(&self.z, &other.z), &h);
        Self { x, y, z }
    }

    fn times(&self, scalar: &BigUint) -> Self {
        let mut result = Self {
            x: BigUint::from(1_u8),
            y: BigUint::from(1_u8),
            z: BigUint::ZERO,
        };
        for bit in (0..scalar.bits()).rev() {
            result = result.double();
            if scalar.bit(bit) {
                result = result.add(self);
            }
        }
        result
    }

    fn affine(&self) -> (BigUint, BigUint) {
        let inverse = self.z.modinv(&FIELD).unwrap_or_default();
        let square = mul(&inverse, &inverse);
        (mul(&self.x, &square), mul(&self.y, &mul(&square, &inverse)))
    }
}

pub(super) fn padded(number: &BigUint) -> Vec<u8> {
    let bytes = number.to_bytes_be();
    [vec![0; 32_usize.saturating_sub(bytes.len())], bytes].concat()
}

/// A private scalar within the order of the curve.
pub(super) fn generate(random: Random<'_>) -> BigUint {
    random_number(random, 320) % (&*ORDER - 1_u8) + 1_u8
}

/// The public key as an uncompressed point.
pub(super) fn public_point(private: &BigUint) -> Vec<u8> {
    let (x, y) = BASE.times(private).affine();
    [vec![4], padded(&x), padded(&y)].concat()
}

/// Signs a 256-bit digest.
pub(super) fn sign(private: &BigUint, digest: &[u8], random: Random<'_>) -> (BigUint, BigUint) {
    let message = BigUint::from_bytes_be(digest);
    let mut nonce = generate(random);
    loop {
        let r = BASE.times(&nonce).affine().0 % &*ORDER;
        let inverse = nonce.modinv(&ORDER).unwrap_or_default();
        let s = inverse * (&message + &r * private) % &*ORDER;
        if r != BigUint::ZERO && s != BigUint::ZERO {
            return (r, s);
        }
        // Never seen to happen; the next number will do as well as a random one.
        nonce += 1_u8;
    }
}
