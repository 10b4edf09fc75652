//! Private keys and certificates.

use std::any::Any;
use std::borrow::Cow;
use std::net::IpAddr;

use crate::function::{Call, CallError, CallResult, Function, Type};
use crate::object::Object;
use crate::pki::{
    CertificateInput, Issuer, Key, NotRandom, decode_pem, generate_dsa, issue, issuer_of,
};
use crate::value::{Kind, Value};

const T: Type = Type::Text;
const I: Type = Type::Int;
const L: Type = Type::List;
const CERT: Type = Type::Object("sprig.certificate");
const RSA_BITS: usize = 2048;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::fixed("genPrivateKey", &[T], T, private_key),
    Function::fixed("buildCustomCert", &[T, T], CERT, custom),
    Function::fixed("genCA", &[T, I], CERT, |c| authority(c, None)),
    Function::fixed("genCAWithKey", &[T, I, T], CERT, |c| authority(c, Some(2))),
    Function::fixed("genSelfSignedCert", &[T, L, L, I], CERT, |c| {
        certificate(c, None, None)
    }),
    Function::fixed("genSelfSignedCertWithKey", &[T, L, L, I, T], CERT, |c| {
        certificate(c, Some(4), None)
    }),
    Function::fixed("genSignedCert", &[T, L, L, I, CERT], CERT, |c| {
        certificate(c, None, Some(4))
    }),
    Function::fixed("genSignedCertWithKey", &[T, L, L, I, CERT, T], CERT, |c| {
        certificate(c, Some(5), Some(4))
    }),
];

/// A certificate with its key, both PEM.
#[derive(Clone, Debug)]
struct Certificate {
    cert: String,
    key: String,
}

impl Object for Certificate {
    fn type_name(&self) -> Cow<'static, str> {
        "sprig.certificate".into()
    }

    fn kind(&self) -> Kind {
        Kind::Struct
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn field(&self, name: &str) -> Option<Value> {
        match name {
            "Cert" => Some(self.cert.as_str().into()),
            "Key" => Some(self.key.as_str().into()),
            _ => None,
        }
    }

    fn fields(&self) -> Vec<(String, Value)> {
        ["Cert", "Key"]
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), self.field(name)?)))
            .collect()
    }
}

/// Work charged for making one key of 2,048 bits, about half a second; a chart makes a handful.
const KEY_COST: u64 = 60_000_000;
/// Work charged for larger keys and for parameters of DSA: some seconds.
const LARGE_KEY_COST: u64 = 300_000_000;

fn private_key(c: &mut Call<'_, '_>) -> CallResult {
    let kind = c.str(0).into_owned();
    let large = matches!(kind.as_str(), "" | "rsa" | "dsa");
    c.run
        .charge(if large { LARGE_KEY_COST } else { KEY_COST })?;
    let host = c.host();
    let mut random = |buffer: &mut [u8]| host.random(buffer);
    let key = match kind.as_str() {
        "" | "rsa" => Key::generate_rsa(&mut random, 4096),
        "ecdsa" => Ok(Key::generate_curve(&mut random)),
        "ed25519" => Ok(Key::generate_edwards(&mut random)),
        "dsa" => return Ok(generate_dsa(&mut random).map_err(no_key)?.into()),
        other => return Ok(format!("Unknown type {other}").into()),
    };
    Ok(key.map_err(no_key)?.to_pem().into())
}

fn given_or_new_key(c: &mut Call<'_, '_>, index: Option<usize>) -> Result<Key, CallError> {
    if let Some(index) = index {
        let key = Key::from_pem(&c.str(index));
        return key.map_err(|error| CallError::text(format!("parsing private key: {error}")));
    }
    c.run.charge(KEY_COST)?;
    let host = c.host();
    let key = Key::generate_rsa(&mut |buffer: &mut [u8]| host.random(buffer), RSA_BITS);
    key.map_err(no_key)
}

fn no_key(error: NotRandom) -> CallError {
    CallError::text(format!("failed to generate private key: {error}"))
}

fn finish(
    c: &Call<'_, '_>,
    input: &CertificateInput<'_>,
    key: &Key,
    signer: Option<&(Key, Issuer)>,
) -> Value {
    let host = c.host();
    let mut random = |buffer: &mut [u8]| host.random(buffer);
    let cert = match signer {
        Some((signer, issuer)) => issue(input, key, signer, Some(issuer), &mut random),
        None => issue(input, key, key, None, &mut random),
    };
    Value::object(Certificate {
        cert,
        key: key.to_pem(),
    })
}

fn authority(c: &mut Call<'_, '_>, key: Option<usize>) -> CallResult {
    let key = given_or_new_key(c, key)?;
    let now = c.host().now();
    let input = CertificateInput {
        common_name: &c.str(0),
        addresses: &[],
        names: &[],
        not_before: &now,
        days: c.int(1),
        is_authority: true,
    };
    Ok(finish(c, &input, &key, None))
}

fn certificate(c: &mut Call<'_, '_>, key: Option<usize>, signer: Option<usize>) -> CallResult {
    let key = given_or_new_key(c, key)?;
    let signer = signer.map(|index| signer_of(&c.value(index))).transpose()?;
    let addresses = addresses(&c.args[1])?;
    let names = names(&c.args[2])?;
    let now = c.host().now();
    let input = CertificateInput {
        common_name: &c.str(0),
        addresses: &addresses,
        names: &names,
        not_before: &now,
        days: c.int(3),
        is_authority: false,
    };
    Ok(finish(c, &input, &key, signer.as_ref()))
}

fn signer_of(value: &Value) -> Result<(Key, Issuer), CallError> {
    let certificate = match value {
        Value::Object(object) => object.as_any().downcast_ref::<Certificate>().cloned(),
        _ => None,
    };
    let certificate = certificate.ok_or_else(|| CallError::text("unable to decode certificate"))?;
    let (_, data) = decode_pem(&certificate.cert)
        .ok_or_else(|| CallError::text("unable to decode certificate"))?;
    let issuer = issuer_of(&data).ok_or_else(|| {
        CallError::text(
            "error parsing certificate: decodedSignerCert.Bytes: x509: malformed certificate",
        )
    })?;
    let key = Key::from_pem(&certificate.key);
    let key =
        key.map_err(|error| CallError::text(format!("error parsing private key: {error}")))?;
    Ok((key, issuer))
}

fn shown(value: &Value) -> String {
    String::from_utf8_lossy(&gocompat::fmt::sprint(std::slice::from_ref(value))).into_owned()
}

fn addresses(list: &Value) -> Result<Vec<IpAddr>, CallError> {
    let items = list.elements().unwrap_or_default();
    items
        .iter()
        .map(|item| match item {
            Value::Text(text) => text
                .to_str()
                .parse()
                .map_err(|_| CallError::text(format!("error parsing ip: {text}"))),
            other => Err(CallError::text(format!(
                "error parsing ip: {} is not a string",
                shown(other)
            ))),
        })
        .collect()
}

fn names(list: &Value) -> Result<Vec<String>, CallError> {
    let items = list.elements().unwrap_or_default();
    items
        .iter()
        .map(|item| match item {
            Value::Text(text) => Ok(text.to_str().into_owned()),
            other => Err(CallError::text(format!(
                "error processing alternate dns name: {} is not a string",
                shown(other)
            ))),
        })
        .collect()
}

fn custom(c: &mut Call<'_, '_>) -> CallResult {
    let decode = |index: usize, what: &str| {
        let bytes = super::encoding::base64_bytes(c.text(index));
        let bytes =
            bytes.map_err(|_| CallError::text(format!("unable to decode base64 {what}")))?;
        Ok::<String, CallError>(String::from_utf8_lossy(&bytes).into_owned())
    };
    let cert = decode(0, "certificate")?;
    let key = decode(1, "private key")?;
    let (_, data) =
        decode_pem(&cert).ok_or_else(|| CallError::text("unable to decode certificate"))?;
    if issuer_of(&data).is_none() {
        return Err(CallError::text(
            "error parsing certificate: decodedCert.Bytes: x509: malformed certificate",
        ));
    }
    Key::from_pem(&key)
        .map_err(|error| CallError::text(format!("error parsing private key: {error}")))?;
    Ok(Value::object(Certificate { cert, key }))
}
