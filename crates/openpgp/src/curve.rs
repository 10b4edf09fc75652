//! ECDSA over short Weierstrass curves, `y² = x³ + ax + b`, in Jacobian coordinates.
//!
//! Only for checking: everything is public, a few milliseconds a signature are enough.

use crate::math::{Integer, integer};

/// A curve by its parameters in hexadecimal digits (SEC 2, RFC 5639).
#[derive(Debug)]
pub(crate) struct Curve {
    oid: &'static str,
    p: &'static str,
    a: &'static str,
    b: &'static str,
    n: &'static str,
    gx: &'static str,
    gy: &'static str,
}

/// A point that is known to lie on its curve.
#[derive(Clone, Debug)]
pub(crate) struct Point {
    x: Integer,
    y: Integer,
}

/// The curve of a name.
pub(crate) fn by_oid(oid: &[u8]) -> Option<&'static Curve> {
    let name = hex::encode_upper(oid);
    CURVES.iter().find(|curve| curve.oid == name)
}

fn number(digits: &str) -> Integer {
    Integer::parse_bytes(digits.as_bytes(), 16).expect("parameters are hexadecimal")
}

impl Curve {
    /// Reads an uncompressed point; nothing where it does not lie on the curve.
    pub(crate) fn point(&self, bytes: &[u8]) -> Option<Point> {
        let p = number(self.p);
        let half = usize::try_from(p.bits().div_ceil(8)).ok()?;
        let (first, rest) = bytes.split_first()?;
        if *first != 4 || rest.len() != 2 * half {
            return None;
        }
        let (x, y) = (integer(&rest[..half]), integer(&rest[half..]));
        let right = (&x * &x * &x + number(self.a) * &x + number(self.b)) % &p;
        (x < p && y < p && &y * &y % &p == right).then_some(Point { x, y })
    }

    /// Whether the two numbers are the signature of the digest by the key (FIPS 186-4, 6.4).
    pub(crate) fn verify(&self, key: &Point, digest: &[u8], r: &[u8], s: &[u8]) -> bool {
        let n = number(self.n);
        let (r, s) = (integer(r), integer(s));
        let inside = |number: &Integer| *number != Integer::ZERO && *number < n;
        if !inside(&r) || !inside(&s) {
            return false;
        }
        let Some(w) = s.modinv(&n) else {
            return false;
        };
        let (first, second) = (left_bits(digest, n.bits()) * &w % &n, &r * &w % &n);
        let field = Field {
            p: number(self.p),
            a: number(self.a),
        };
        let generator = Point {
            x: number(self.gx),
            y: number(self.gy),
        };
        let sum = field.combine(&first, &generator, &second, key);
        field.affine_x(&sum).is_some_and(|x| x % &n == r)
    }
}

/// As many bits of a digest as the order has.
fn left_bits(digest: &[u8], bits: u64) -> Integer {
    let bytes = usize::try_from(bits.div_ceil(8)).unwrap_or(usize::MAX);
    let digest = &digest[..digest.len().min(bytes)];
    let excess = (digest.len() as u64 * 8).saturating_sub(bits);
    integer(digest) >> excess
}

/// A point `(x/z², y/z³)`; the point at infinity has no `z`.
#[derive(Clone)]
struct Jacobian {
    x: Integer,
    y: Integer,
    z: Integer,
}

struct Field {
    p: Integer,
    a: Integer,
}

impl Field {
    fn sub(&self, a: &Integer, b: &Integer) -> Integer {
        (a + &self.p - b % &self.p) % &self.p
    }

    fn mul(&self, a: &Integer, b: &Integer) -> Integer {
        a * b % &self.p
    }

    /// `first · one + second · two`, both at once from the highest bit.
    fn combine(&self, first: &Integer, one: &Point, second: &Integer, two: &Point) -> Jacobian {
        let lift = |point: &Point| Jacobian {
            x: point.x.clone(),
            y: point.y.clone(),
            z: Integer::from(1_u8),
        };
        let (one, two) = (lift(one), lift(two));
        let both = self.add(&one, &two);
        let mut sum = Jacobian {
            x: Integer::from(1_u8),
            y: Integer::from(1_u8),
            z: Integer::ZERO,
        };
        for bit in (0..first.bits().max(second.bits())).rev() {
            sum = self.double(&sum);
            match (first.bit(bit), second.bit(bit)) {
                (true, true) => sum = self.add(&sum, &both),
                (true, false) => sum = self.add(&sum, &one),
                (false, true) => sum = self.add(&sum, &two),
                (false, false) => {}
            }
        }
        sum
    }

    fn double(&self, point: &Jacobian) -> Jacobian {
        let Jacobian { x, y, z } = point;
        let yy = self.mul(y, y);
        let s = self.mul(&Integer::from(4_u8), &self.mul(x, &yy));
        let zz = self.mul(z, z);
        let slope = (self.mul(x, x) * 3_u8 + self.mul(&self.a, &self.mul(&zz, &zz))) % &self.p;
        let x3 = self.sub(&self.mul(&slope, &slope), &(&s * 2_u8));
        let eight = self.mul(&yy, &yy) * 8_u8;
        let y3 = self.sub(&self.mul(&slope, &self.sub(&s, &x3)), &eight);
        let z3 = self.mul(y, z) * 2_u8 % &self.p;
        Jacobian {
            x: x3,
            y: y3,
            z: z3,
        }
    }

    fn add(&self, one: &Jacobian, two: &Jacobian) -> Jacobian {
        if one.z == Integer::ZERO {
            return two.clone();
        }
        if two.z == Integer::ZERO {
            return one.clone();
        }
        let (zz1, zz2) = (self.mul(&one.z, &one.z), self.mul(&two.z, &two.z));
        let (u1, u2) = (self.mul(&one.x, &zz2), self.mul(&two.x, &zz1));
        let s1 = self.mul(&one.y, &self.mul(&zz2, &two.z));
        let s2 = self.mul(&two.y, &self.mul(&zz1, &one.z));
        if u1 == u2 {
            if s1 == s2 {
                return self.double(one);
            }
            return Jacobian {
                z: Integer::ZERO,
                ..one.clone()
            };
        }
        let (h, r) = (self.sub(&u2, &u1), self.sub(&s2, &s1));
        let hh = self.mul(&h, &h);
        let (hhh, v) = (self.mul(&hh, &h), self.mul(&u1, &hh));
        let x = self.sub(&self.mul(&r, &r), &(&hhh + &v * 2_u8));
        let y = self.sub(&self.mul(&r, &self.sub(&v, &x)), &self.mul(&s1, &hhh));
        let z = self.mul(&h, &self.mul(&one.z, &two.z));
        Jacobian { x, y, z }
    }

    /// The first coordinate; the point at infinity has none.
    fn affine_x(&self, point: &Jacobian) -> Option<Integer> {
        let inverse = point.z.modinv(&self.p)?;
        Some(self.mul(&point.x, &self.mul(&inverse, &inverse)))
    }
}

const CURVES: &[Curve] = &[
    Curve {
        oid: "2A8648CE3D030107",
        p: "FFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF",
        a: "FFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFC",
        b: "5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B",
        n: "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551",
        gx: "6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296",
        gy: "4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5",
    },
    Curve {
        oid: "2B81040022",
        p: "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFFFFF0000000000000000FFFFFFFF",
        a: "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFFFFF0000000000000000FFFFFFFC",
        b: "B3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE8141120314088F5013875AC656398D8A2ED19D2A85C8EDD3EC2AEF",
        n: "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973",
        gx: "AA87CA22BE8B05378EB1C71EF320AD746E1D3B628BA79B9859F741E082542A385502F25DBF55296C3A545E3872760AB7",
        gy: "3617DE4A96262C6F5D9E98BF9292DC29F8F41DBD289A147CE9DA3113B5F0B8C00A60B1CE1D7E819D7A431D7C90EA0E5F",
    },
    Curve {
        oid: "2B81040023",
        p: "1FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
        a: "1FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC",
        b: "51953EB9618E1C9A1F929A21A0B68540EEA2DA725B99B315F3B8B489918EF109E156193951EC7E937B1652C0BD3BB1BF073573DF883D2C34F1EF451FD46B503F00",
        n: "1FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFA51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409",
        gx: "C6858E06B70404E9CD9E3ECB662395B4429C648139053FB521F828AF606B4D3DBAA14B5E77EFE75928FE1DC127A2FFA8DE3348B3C1856A429BF97E7E31C2E5BD66",
        gy: "11839296A789A3BC0045C8A5FB42C7D1BD998F54449579B446817AFBD17273E662C97EE72995EF42640C550B9013FAD0761353C7086A272C24088BE94769FD16650",
    },
    Curve {
        oid: "2B8104000A",
        p: "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFFC2F",
        a: "0",
        b: "7",
        n: "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141",
        gx: "79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798",
        gy: "483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8",
    },
    Curve {
        oid: "2B2403030208010107",
        p: "A9FB57DBA1EEA9BC3E660A909D838D726E3BF623D52620282013481D1F6E5377",
        a: "7D5A0975FC2C3057EEF67530417AFFE7FB8055C126DC5C6CE94A4B44F330B5D9",
        b: "26DC5C6CE94A4B44F330B5D9BBD77CBF958416295CF7E1CE6BCCDC18FF8C07B6",
        n: "A9FB57DBA1EEA9BC3E660A909D838D718C397AA3B561A6F7901E0E82974856A7",
        gx: "8BD2AEB9CB7E57CB2C4B482FFC81B7AFB9DE27E1E3BD23C23A4453BD9ACE3262",
        gy: "547EF835C3DAC4FD97F8461A14611DC9C27745132DED8E545C1D54C72F046997",
    },
    Curve {
        oid: "2B240303020801010B",
        p: "8CB91E82A3386D280F5D6F7E50E641DF152F7109ED5456B412B1DA197FB71123ACD3A729901D1A71874700133107EC53",
        a: "7BC382C63D8C150C3C72080ACE05AFA0C2BEA28E4FB22787139165EFBA91F90F8AA5814A503AD4EB04A8C7DD22CE2826",
        b: "4A8C7DD22CE28268B39B55416F0447C2FB77DE107DCD2A62E880EA53EEB62D57CB4390295DBC9943AB78696FA504C11",
        n: "8CB91E82A3386D280F5D6F7E50E641DF152F7109ED5456B31F166E6CAC0425A7CF3AB6AF6B7FC3103B883202E9046565",
        gx: "1D1C64F068CF45FFA2A63A81B7C13F6B8847A3E77EF14FE3DB7FCAFE0CBD10E8E826E03436D646AAEF87B2E247D4AF1E",
        gy: "8ABE1D7520F9C2A45CB1EB8E95CFD55262B70B29FEEC5864E19C054FF99129280E4646217791811142820341263C5315",
    },
    Curve {
        oid: "2B240303020801010D",
        p: "AADD9DB8DBE9C48B3FD4E6AE33C9FC07CB308DB3B3C9D20ED6639CCA703308717D4D9B009BC66842AECDA12AE6A380E62881FF2F2D82C68528AA6056583A48F3",
        a: "7830A3318B603B89E2327145AC234CC594CBDD8D3DF91610A83441CAEA9863BC2DED5D5AA8253AA10A2EF1C98B9AC8B57F1117A72BF2C7B9E7C1AC4D77FC94CA",
        b: "3DF91610A83441CAEA9863BC2DED5D5AA8253AA10A2EF1C98B9AC8B57F1117A72BF2C7B9E7C1AC4D77FC94CADC083E67984050B75EBAE5DD2809BD638016F723",
        n: "AADD9DB8DBE9C48B3FD4E6AE33C9FC07CB308DB3B3C9D20ED6639CCA70330870553E5C414CA92619418661197FAC10471DB1D381085DDADDB58796829CA90069",
        gx: "81AEE4BDD82ED9645A21322E9C4C6A9385ED9F70B5D916C1B43B62EEF4D0098EFF3B1F78E2D0D48D50D1687B93B97D5F7C6D5047406A5E688B352209BCB9F822",
        gy: "7DDE385D566332ECC0EABFA9CF7822FDF209F70024A57B1AA000C55B881F8111B2DCDE494A5F485E5BCA4BD88A2763AED1CA2B2FA8F0540678CD1E0F3AD80892",
    },
];
