//! A part lies inside the content, and a chunk's range is written as it was read.

#![no_main]

use boxyard_oci::{ContentRange, RangeRequest, parse_range};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u64, &str)| {
    let (size, header) = input;

    match parse_range(header, size) {
        RangeRequest::Whole => {}
        RangeRequest::Part {
            start,
            end_inclusive,
        } => {
            assert!(start <= end_inclusive && end_inclusive < size);
            let plain = format!("bytes={start}-{end_inclusive}");
            assert_eq!(
                parse_range(&plain, size),
                RangeRequest::Part {
                    start,
                    end_inclusive
                }
            );
        }
        RangeRequest::Unsatisfiable => assert!(size > 0 && header.contains('-')),
    }
    if let Ok(range) = header.parse::<ContentRange>() {
        assert!(range.start <= range.end_inclusive && range.len() > 0);
        assert_eq!(range.to_string().parse(), Ok(range));
        assert_eq!(format!("bytes {range}/*").parse(), Ok(range));
    }
});
