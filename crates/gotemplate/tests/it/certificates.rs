//! What stands in generated certificates, as Go's `x509.CreateCertificate` writes it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::language::run;

const AUTHORITY_KEY: &[u8] = &[0x06, 3, 0x55, 0x1d, 0x23];
const SUBJECT_KEY: &[u8] = &[0x06, 3, 0x55, 0x1d, 0x0e];
const CRITICAL_NAMES: &[u8] = &[0x06, 3, 0x55, 0x1d, 0x11, 1, 1, 0xff];

fn find(data: &[u8], part: &[u8]) -> Option<usize> {
    data.windows(part.len()).position(|window| window == part)
}

/// The certificates, in DER, of a template that prints them after each other.
fn certificates(template: &str) -> Vec<Vec<u8>> {
    let authority = "{{ $ca := genCAWithKey \"ca\" 1 (genPrivateKey \"ecdsa\") }}{{ $key := genPrivateKey \"ed25519\" }}";
    let printed = run(&format!("{authority}{template}")).unwrap();
    let ends = "-----END CERTIFICATE-----";
    let one = |text: &str| {
        let body = text
            .replace("-----BEGIN CERTIFICATE-----", "")
            .replace('\n', "");
        STANDARD.decode(body).unwrap()
    };
    let texts = printed.split(ends).filter(|text| !text.trim().is_empty());
    texts.map(one).collect()
}

#[test]
fn a_signed_certificate_names_the_key_of_its_authority() {
    let made = certificates(
        "{{ $ca.Cert }}{{ (genSignedCertWithKey \"x\" nil (list \"x.y\") 1 $ca $key).Cert }}",
    );
    let at = find(&made[0], SUBJECT_KEY).unwrap();
    // The identifier stands in an octet string inside an octet string.
    let identifier = &made[0][at + 9..at + 29];
    let at = find(&made[1], AUTHORITY_KEY).unwrap();
    assert_eq!(&made[1][at + 11..at + 31], identifier);
    assert_eq!(find(&made[1], SUBJECT_KEY), None);
    assert_eq!(find(&made[1], CRITICAL_NAMES), None);
}

#[test]
fn an_authority_of_the_same_name_is_not_named() {
    let made = certificates("{{ (genSignedCertWithKey \"ca\" nil nil 1 $ca $key).Cert }}");
    assert_eq!(find(&made[0], AUTHORITY_KEY), None);
}

#[test]
fn names_without_a_subject_are_critical() {
    let made = certificates("{{ (genSignedCertWithKey \"\" nil (list \"x.y\") 1 $ca $key).Cert }}");
    assert!(find(&made[0], CRITICAL_NAMES).is_some());
}

#[test]
fn asterisks_and_ampersands_are_not_printable() {
    let made = certificates(
        "{{ (genSignedCertWithKey \"*.x\" nil nil 1 $ca $key).Cert }}{{ (genSignedCertWithKey \"a.x\" nil nil 1 $ca $key).Cert }}",
    );
    assert!(find(&made[0], b"\x0c\x03*.x").is_some());
    assert!(find(&made[1], b"\x13\x03a.x").is_some());
}
