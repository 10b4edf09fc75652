//! The order in which Go's `sort.Sort` leaves items that compare equal.
//!
//! Go promises no order among equals, but its pattern-defeating quicksort is deterministic, and programs print what it
//! leaves: to print the same, every comparison and swap has to be the same. The sort that keeps equals in place is `Vec::sort`.

/// Slices up to this length are sorted by insertion.
const INSERTION_MAX: usize = 12;
/// Slices from this length on get a pivot of nine candidates, and have single items shifted.
const LONG: usize = 50;
/// Items that are shifted before a slice no longer counts as almost sorted.
const SHIFTS_MAX: usize = 5;
/// Exchanges among nine candidates that speak for a falling order.
const FALLING: usize = 12;

/// Sorts items as `sort.Sort` does with this `Less`.
pub fn sort<T>(items: &mut [T], less: impl Fn(&T, &T) -> bool) {
    let end = items.len();
    let mut sorter = Sorter { items, less };
    if end > 1 {
        sorter.quick(0, end, bit_length(end));
    }
}

fn bit_length(number: usize) -> u32 {
    usize::BITS - number.leading_zeros()
}

/// What the candidates of a pivot tell about a slice.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hint {
    Unknown,
    Rising,
    Falling,
}

struct Sorter<'a, T, L> {
    items: &'a mut [T],
    less: L,
}

impl<T, L: Fn(&T, &T) -> bool> Sorter<'_, T, L> {
    fn less(&self, i: usize, j: usize) -> bool {
        (self.less)(&self.items[i], &self.items[j])
    }

    fn quick(&mut self, mut start: usize, mut end: usize, mut limit: u32) {
        let (mut balanced, mut partitioned) = (true, true);
        loop {
            let length = end - start;
            if length <= INSERTION_MAX {
                return self.insertion(start, end);
            }
            if limit == 0 {
                return self.heap(start, end);
            }
            if !balanced {
                self.break_patterns(start, end);
                limit -= 1;
            }
            let (mut pivot, mut hint) = self.choose_pivot(start, end);
            if hint == Hint::Falling {
                self.items[start..end].reverse();
                pivot = (end - 1) - (pivot - start);
                hint = Hint::Rising;
            }
            if balanced && partitioned && hint == Hint::Rising && self.almost_sorted(start, end) {
                return;
            }
            if start > 0 && !self.less(start - 1, pivot) {
                start = self.partition_equal(start, end, pivot);
                continue;
            }
            let (middle, already) = self.partition(start, end, pivot);
            partitioned = already;
            let (left, right) = (middle - start, end - middle);
            balanced = left.min(right) >= length / 8;
            if left < right {
                self.quick(start, middle, limit);
                start = middle + 1;
            } else {
                self.quick(middle + 1, end, limit);
                end = middle;
            }
        }
    }

    fn insertion(&mut self, start: usize, end: usize) {
        for i in start + 1..end {
            let mut at = i;
            while at > start && self.less(at, at - 1) {
                self.items.swap(at, at - 1);
                at -= 1;
            }
        }
    }

    fn heap(&mut self, start: usize, end: usize) {
        let length = end - start;
        for root in (0..=(length - 1) / 2).rev() {
            self.sift_down(root, length, start);
        }
        for last in (0..length).rev() {
            self.items.swap(start, start + last);
            self.sift_down(0, last, start);
        }
    }

    fn sift_down(&mut self, mut root: usize, length: usize, first: usize) {
        loop {
            let mut child = 2 * root + 1;
            if child >= length {
                return;
            }
            if child + 1 < length && self.less(first + child, first + child + 1) {
                child += 1;
            }
            if !self.less(first + root, first + child) {
                return;
            }
            self.items.swap(first + root, first + child);
            root = child;
        }
    }

    /// Splits into smaller items, the pivot, and the others; returns the pivot's place and whether nothing had to move.
    fn partition(&mut self, start: usize, end: usize, pivot: usize) -> (usize, bool) {
        self.items.swap(start, pivot);
        let (mut i, mut j) = (start + 1, end - 1);
        let mut already = true;
        loop {
            while i <= j && self.less(i, start) {
                i += 1;
            }
            while i <= j && !self.less(j, start) {
                j -= 1;
            }
            if i > j {
                break;
            }
            already = false;
            self.items.swap(i, j);
            i += 1;
            j -= 1;
        }
        self.items.swap(j, start);
        (j, already)
    }

    /// Splits into items equal to the pivot and greater ones; returns where the greater ones begin.
    fn partition_equal(&mut self, start: usize, end: usize, pivot: usize) -> usize {
        self.items.swap(start, pivot);
        let (mut i, mut j) = (start + 1, end - 1);
        loop {
            while i <= j && !self.less(start, i) {
                i += 1;
            }
            while i <= j && self.less(start, j) {
                j -= 1;
            }
            if i > j {
                return i;
            }
            self.items.swap(i, j);
            i += 1;
            j -= 1;
        }
    }

    /// Sorts a slice that is almost sorted; tells whether that worked.
    fn almost_sorted(&mut self, start: usize, end: usize) -> bool {
        let mut i = start + 1;
        for _ in 0..SHIFTS_MAX {
            while i < end && !self.less(i, i - 1) {
                i += 1;
            }
            if i == end {
                return true;
            }
            if end - start < LONG {
                return false;
            }
            self.items.swap(i, i - 1);
            if i - start >= 2 {
                let mut at = i - 1;
                while at >= 1 && self.less(at, at - 1) {
                    self.items.swap(at, at - 1);
                    at -= 1;
                }
            }
            if end - i >= 2 {
                let mut at = i + 1;
                while at < end && self.less(at, at - 1) {
                    self.items.swap(at, at - 1);
                    at += 1;
                }
            }
        }
        false
    }

    /// Moves three items by numbers that depend on the length alone.
    fn break_patterns(&mut self, start: usize, end: usize) {
        let length = end - start;
        if length < 8 {
            return;
        }
        let mut random = length as u64;
        let mask = (1_u64 << bit_length(length)) - 1;
        let first = start + length / 4 * 2 - 1;
        for i in 0..3 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let other = (random & mask) as usize;
            let other = if other >= length {
                other - length
            } else {
                other
            };
            self.items.swap(first + i, start + other);
        }
    }

    fn choose_pivot(&self, start: usize, end: usize) -> (usize, Hint) {
        let quarter = (end - start) / 4;
        let mut exchanges = 0;
        let mut candidates = [1, 2, 3].map(|times| start + quarter * times);
        if end - start >= LONG {
            candidates = candidates.map(|at| self.median([at - 1, at, at + 1], &mut exchanges));
        }
        let pivot = match end - start {
            0..8 => candidates[1],
            _ => self.median(candidates, &mut exchanges),
        };
        let hint = match exchanges {
            0 => Hint::Rising,
            FALLING => Hint::Falling,
            _ => Hint::Unknown,
        };
        (pivot, hint)
    }

    fn median(&self, [mut a, mut b, mut c]: [usize; 3], exchanges: &mut usize) -> usize {
        let mut order = |x: &mut usize, y: &mut usize| {
            if self.less(*y, *x) {
                *exchanges += 1;
                std::mem::swap(x, y);
            }
        };
        order(&mut a, &mut b);
        order(&mut b, &mut c);
        order(&mut a, &mut b);
        b
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys of different shape, many of them equal, with their first places.
    fn items(shape: u32, length: u32) -> Vec<(u32, u32)> {
        let mut state = shape * 7919 + length;
        let mut random = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 16
        };
        let key = |place: u32, random: u32| match shape {
            0 => random % 3,
            1 => random % 1000,
            2 => place / 7,
            3 => (length - place) / 5,
            4 => (place % 10) * (random % 2),
            _ => u32::from(random.is_multiple_of(50)) * random + place / 3,
        };
        (0..length)
            .map(|place| (key(place, random()), place))
            .collect()
    }

    /// FNV-1a of the places after the sort, recorded from Go 1.26's `sort.Sort` for each shape and length.
    const RECORDED: &str = include_str!("sort_golden.txt");

    #[test]
    fn equals_lie_where_go_leaves_them() {
        let mut lines = RECORDED.lines();
        for shape in 0..6 {
            for length in [0, 1, 2, 12, 13, 20, 49, 50, 51, 100, 257, 1000, 5000] {
                let mut items = items(shape, length);
                sort(&mut items, |a, b| a.0 < b.0);
                assert!(items.is_sorted_by_key(|item| item.0), "{shape} {length}");
                let hash = items.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, item| {
                    (hash ^ u64::from(item.1)).wrapping_mul(0x0100_0000_01b3)
                });
                let line = format!("{shape} {length} {hash:016x}");
                assert_eq!(lines.next(), Some(line.as_str()));
            }
        }
    }
}
