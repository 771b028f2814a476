//! Padmé padding: the length of what is sealed says little about it.
//!
//! Owns the padded form `length (4 bytes, big-endian) | content | zeros`, whose total length is rounded up so that only
//! O(log log n) bits of it leak, at most 12 % longer (Nikitin et al., "Reducing Metadata Leakage from Encrypted Files",
//! PoPETs 2019, §4).

/// Returns the padded length for a length.
fn padded_length(length: usize) -> usize {
    if length < 2 {
        return length;
    }
    let exponent = length.ilog2();
    let kept_bits = exponent.ilog2() + 1;
    let mask = (1usize << (exponent - kept_bits.min(exponent))) - 1;
    (length + mask) & !mask
}

/// Pads content.
pub(crate) fn pad(content: &[u8]) -> Vec<u8> {
    // Content is bounded far below 4 GiB by the protocol's limits.
    let length = u32::try_from(content.len()).unwrap_or(u32::MAX);
    let mut padded = Vec::with_capacity(padded_length(4 + content.len()));
    padded.extend_from_slice(&length.to_be_bytes());
    padded.extend_from_slice(content);
    padded.resize(padded_length(padded.len()), 0);
    padded
}

/// Returns the content of a padded form; none if it is not one.
pub(crate) fn unpad(padded: &[u8]) -> Option<&[u8]> {
    let (length, rest) = padded.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let (content, zeros) = rest.split_at_checked(length)?;
    let exact = padded.len() == padded_length(4 + length);
    (exact && zeros.iter().all(|byte| *byte == 0)).then_some(content)
}

#[cfg(test)]
mod tests {
    use super::{pad, padded_length, unpad};

    #[test]
    fn lengths_are_those_of_the_paper() {
        // E = floor(log2 L), S = floor(log2 E) + 1, the last E - S bits are zero.
        for (length, padded) in [
            (9, 10),
            (100, 104),
            (1000, 1024),
            (1025, 1088),
            (22_500, 22_528),
        ] {
            assert_eq!(padded_length(length), padded, "length {length}");
        }
    }

    #[test]
    fn padding_comes_off_and_nothing_else_does() {
        for length in (0..300).chain([4_096, 65_537]) {
            let content = vec![7; length];
            let padded = pad(&content);
            assert_eq!(unpad(&padded), Some(content.as_slice()), "length {length}");
            assert!(
                padded.len() * 100 <= (length + 4) * 112 + 100,
                "length {length}"
            );
            let mut longer = padded.clone();
            longer.push(0);
            assert_eq!(unpad(&longer), None, "length {length}");
        }
        assert_eq!(unpad(&[0, 0, 0, 9, 1]), None);
    }
}
