//! The npy format, version 1.0 (NumPy Enhancement Proposal 1).

/// The header before an array's numbers, row by row, in a file: `descr` is their type as NumPy writes it.
///
/// ```
/// let header = lookback_view::npy::header("<f4", &[2, 3]);
/// assert_eq!(header.len() % 64, 0);
/// assert!(String::from_utf8_lossy(&header).contains("'shape': (2, 3)"));
/// ```
///
/// # Panics
/// Where the shape has thousands of axes.
#[must_use]
pub fn header(descr: &str, shape: &[usize]) -> Vec<u8> {
    let axes: Vec<String> = shape.iter().map(usize::to_string).collect();
    // Python writes a tuple of one with a comma.
    let axes = match axes.as_slice() {
        [one] => format!("{one},"),
        several => several.join(", "),
    };
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({axes}), }}");
    // Magic, version, length and header with its line end fill a multiple of 64 bytes.
    let padding = (64 - (10 + header.len() + 1) % 64) % 64;
    header.push_str(&" ".repeat(padding));
    header.push('\n');
    let length = u16::try_from(header.len()).expect("a shape of a few axes is short");
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend(length.to_le_bytes());
    file.extend(header.as_bytes());
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_fills_whole_lines_of_64_bytes() {
        for shape in [&[7][..], &[2, 3], &[30, 9, 8192, 8192]] {
            let header = header("<f4", shape);
            assert_eq!(header.len() % 64, 0);
            assert_eq!(&header[..8], b"\x93NUMPY\x01\x00");
            let length = usize::from(u16::from_le_bytes([header[8], header[9]]));
            assert_eq!(header.len(), 10 + length);
            assert_eq!(header.last(), Some(&b'\n'));
        }
    }

    #[test]
    fn one_axis_is_a_tuple_too() {
        assert!(String::from_utf8_lossy(&header("<f8", &[7])).contains("'shape': (7,)"));
    }
}
