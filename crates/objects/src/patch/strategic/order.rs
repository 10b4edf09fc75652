//! The order of merged lists.

use crate::Value;

use super::{DIRECTIVE, StrategicError, key_of, map_of};

/// Sorts items of the patch by its order, the others by the live order, and interleaves both by the live order.
pub(super) fn normalize(
    patch: Vec<Value>,
    server_only: Vec<Value>,
    patch_order: &[Value],
    server_order: &[Value],
    key: &str,
    maps: bool,
) -> Result<Vec<Value>, StrategicError> {
    let patch = sort_by(patch, patch_order, key, maps)?;
    let server_only = sort_by(server_only, server_order, key, maps)?;
    let at = |item: &Value| index(server_order, item, key);
    let (mut left, mut right) = (
        server_only.into_iter().peekable(),
        patch.into_iter().peekable(),
    );
    let mut all = Vec::with_capacity(left.len() + right.len());
    loop {
        let take_left = match (left.peek(), right.peek()) {
            (None, None) => return Ok(all),
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (Some(l), Some(r)) => matches!((at(l), at(r)), (Some(l), Some(r)) if l < r),
        };
        all.extend(if take_left { left.next() } else { right.next() });
    }
}

/// Sorts items by their place in `order`; items to delete go last.
pub(super) fn sort_by(
    items: Vec<Value>,
    order: &[Value],
    key: &str,
    maps: bool,
) -> Result<Vec<Value>, StrategicError> {
    let (mut items, deleted) = if maps {
        for item in items.iter().chain(order) {
            key_of(map_of(item)?, key)?;
        }
        items
            .into_iter()
            .partition(|item| item.get(DIRECTIVE).and_then(Value::as_str) != Some("delete"))
    } else {
        (items, Vec::new())
    };
    let places: Vec<Option<usize>> = items.iter().map(|item| index(order, item, key)).collect();
    if places.iter().all(Option::is_some) {
        let mut placed: Vec<(Option<usize>, Value)> = places.into_iter().zip(items).collect();
        placed.sort_by_key(|(place, _)| *place);
        items = placed.into_iter().map(|(_, item)| item).collect();
    } else {
        insertion_sort(&mut items, places);
    }
    items.extend(deleted);
    Ok(items)
}

/// Reproduces upstream's order where some items have no place: such pairs always swap.
fn insertion_sort(items: &mut [Value], mut places: Vec<Option<usize>>) {
    for i in 1..items.len() {
        for j in (1..=i).rev() {
            let before = match (places[j], places[j - 1]) {
                (Some(a), Some(b)) => a < b,
                _ => true,
            };
            if !before {
                break;
            }
            items.swap(j, j - 1);
            places.swap(j, j - 1);
        }
    }
}

fn index(order: &[Value], item: &Value, key: &str) -> Option<usize> {
    if key.is_empty() {
        return order.iter().position(|other| other == item);
    }
    let own = item.get(key)?;
    order.iter().position(|other| other.get(key) == Some(own))
}
