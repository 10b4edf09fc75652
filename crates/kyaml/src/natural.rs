//! The order in which go-yaml prints keys: letters by code point, digits by value, signs before both.

use std::cmp::Ordering;

/// Compares two keys as go-yaml v2 orders them.
///
/// At the first difference: two letters by code point; a letter after anything else; otherwise the numbers
/// that start there, smaller first, then the one with fewer digits, then by code point. The relation is not
/// transitive for odd sets of keys, where upstream's own order varies from run to run.
pub fn natural_cmp(a: &str, b: &str) -> Ordering {
    compare(a, b, false)
}

/// Compares two keys as go-yaml v3 orders them: right behind a digit, letters come before signs.
pub fn natural_cmp_v3(a: &str, b: &str) -> Ordering {
    compare(a, b, true)
}

fn compare(a: &str, b: &str, v3: bool) -> Ordering {
    let same = common_prefix(a, b);
    let (rest_a, rest_b) = (&a[same..], &b[same..]);
    let (Some(ca), Some(cb)) = (rest_a.chars().next(), rest_b.chars().next()) else {
        return rest_a.len().cmp(&rest_b.len());
    };
    match (ca.is_alphabetic(), cb.is_alphabetic()) {
        (true, true) => return ca.cmp(&cb),
        (true, false) | (false, true) => {
            let digits = v3 && a[..same].chars().next_back().is_some_and(is_digit);
            return if ca.is_alphabetic() == digits {
                Ordering::Less
            } else {
                Ordering::Greater
            };
        }
        (false, false) => {}
    }
    let mut start = 0i64;
    if ca == '0' || cb == '0' {
        let mut before = a[..same].chars().rev().take_while(|c| is_digit(*c));
        start = i64::from(before.any(|c| c != '0'));
    }
    let (number_a, count_a) = number_at(rest_a, start);
    let (number_b, count_b) = number_at(rest_b, start);
    number_a
        .cmp(&number_b)
        .then(count_a.cmp(&count_b))
        .then(ca.cmp(&cb))
}

/// Returns the length of the common prefix, in bytes, at a character border.
fn common_prefix(a: &str, b: &str) -> usize {
    let mut same = a.bytes().zip(b.bytes()).take_while(|(x, y)| x == y).count();
    while !a.is_char_boundary(same) || !b.is_char_boundary(same) {
        same -= 1;
    }
    same
}

fn is_digit(c: char) -> bool {
    c.is_ascii_digit()
        || !c.is_ascii() && c.is_numeric() && c.to_digit(10).is_none() && is_decimal(c)
}

/// Tells whether a character beyond ASCII is a decimal digit; those of the common scripts are known.
fn is_decimal(c: char) -> bool {
    matches!(u32::from(c), 0x660..=0x669 | 0x6f0..=0x6f9 | 0x966..=0x96f | 0xff10..=0xff19)
}

/// Reads the digits that start the text onto `start`; returns the number, wrapping as Go does, and the count.
fn number_at(text: &str, start: i64) -> (i64, usize) {
    let mut number = start;
    let mut count = 0;
    for c in text.chars().take_while(|c| is_digit(*c)) {
        let digit = i64::from(u32::from(c)) - 48;
        number = number.wrapping_mul(10).wrapping_add(digit);
        count += 1;
    }
    (number, count)
}

/// Sorts by a relation that need not be transitive, without panicking: a merge sort.
pub(crate) fn sort_keys<T: Copy>(items: &mut [T], compare: impl Fn(&T, &T) -> Ordering + Copy) {
    let ordered = items
        .windows(2)
        .all(|pair| compare(&pair[0], &pair[1]) != Ordering::Greater);
    if ordered {
        return;
    }
    if items.len() <= 12 {
        return insertion_sort(items, compare);
    }
    let middle = items.len() / 2;
    sort_keys(&mut items[..middle], compare);
    sort_keys(&mut items[middle..], compare);
    let (left, right) = (items[..middle].to_vec(), items[middle..].to_vec());
    let (mut l, mut r) = (0, 0);
    for slot in items.iter_mut() {
        let from_left =
            r == right.len() || l < left.len() && compare(&right[r], &left[l]) != Ordering::Less;
        if from_left {
            *slot = left[l];
            l += 1;
        } else {
            *slot = right[r];
            r += 1;
        }
    }
}

fn insertion_sort<T: Copy>(items: &mut [T], compare: impl Fn(&T, &T) -> Ordering) {
    for index in 1..items.len() {
        let mut at = index;
        while at > 0 && compare(&items[at], &items[at - 1]) == Ordering::Less {
            items.swap(at, at - 1);
            at -= 1;
        }
    }
}
