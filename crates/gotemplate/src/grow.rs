//! How much room Go's slices have: `slice` may reach past a list's end into it.

/// Sizes of memory that Go's allocator hands out, in bytes.
const SIZES: [usize; 67] = [
    8, 16, 24, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240, 256, 288, 320, 352,
    384, 416, 448, 480, 512, 576, 640, 704, 768, 896, 1024, 1152, 1280, 1408, 1536, 1792, 2048,
    2304, 2688, 3072, 3200, 3456, 4096, 4864, 5376, 6144, 6528, 6784, 6912, 8192, 9472, 9728,
    10240, 10880, 12288, 13568, 14336, 16384, 18432, 19072, 20480, 21760, 24576, 27264, 28672,
    32768,
];

/// Larger memory comes in pages of so many bytes.
const PAGE: usize = 8192;

/// Memory with pointers beyond this size has a header.
const HEADLESS_MAX: usize = 512;
const HEADER: usize = 8;

/// Bytes that are handed out where so many are asked for.
fn rounded(bytes: usize, pointers: bool) -> usize {
    let header = if pointers && bytes > HEADLESS_MAX {
        HEADER
    } else {
        0
    };
    let asked = bytes + header;
    match SIZES.iter().find(|size| **size >= asked) {
        Some(size) if asked <= 32768 - HEADER => size - header,
        _ => bytes.next_multiple_of(PAGE),
    }
}

/// Room of a slice after `append` has made it this long, of elements with so many bytes.
pub(crate) fn extended(room: usize, len: usize, width: usize, pointers: bool) -> usize {
    if len <= room {
        return room;
    }
    let mut wanted = room;
    if len > room * 2 {
        wanted = len;
    } else if room < 256 {
        wanted *= 2;
    } else {
        while wanted < len {
            wanted += (wanted + 3 * 256) / 4;
        }
    }
    rounded(wanted * width, pointers) / width
}

/// Room of a slice to which so many elements were appended, one by one.
pub(crate) fn appended(start: usize, len: usize, width: usize, pointers: bool) -> usize {
    let mut room = start;
    while room < len {
        room = extended(room, room + 1, width, pointers);
    }
    room
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_grow_as_go_s() {
        let rooms =
            |width, pointers| [0, 1, 3, 5, 9, 17, 33, 65].map(|n| appended(0, n, width, pointers));
        assert_eq!(rooms(16, true), [0, 1, 4, 8, 16, 32, 71, 71]);
        assert_eq!(rooms(8, false), [0, 1, 4, 8, 16, 32, 64, 128]);
        assert_eq!(extended(40, 41, 16, true), 87);
        assert_eq!(extended(3, 4, 16, true), 6);
        assert_eq!(extended(2, 5, 16, true), 5);
    }
}
