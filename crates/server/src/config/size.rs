//! Numbers of bytes as people write them: `64MiB`, `10 GB`, `4096`.

/// Reads a number of bytes.
pub(super) fn parse(text: &str) -> Option<u64> {
    let end = text
        .find(|character: char| !matches!(character, '0'..='9' | '.'))
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let factor = factor(unit.trim_start())?;
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(factor);
    }
    let (whole, part) = number.split_once('.')?;
    let digits = u32::try_from(part.len()).ok()?;
    let part = part.parse::<u64>().ok()?.checked_mul(factor)? / 10_u64.checked_pow(digits)?;
    whole
        .parse::<u64>()
        .ok()?
        .checked_mul(factor)?
        .checked_add(part)
}

fn factor(unit: &str) -> Option<u64> {
    let factor = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1 << 40,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        _ => return None,
    };
    Some(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_and_without_a_unit() {
        let table = [
            ("0", 0),
            ("4096", 4_096),
            ("64MiB", 64 << 20),
            ("64M", 64 << 20),
            ("10 GB", 10_000_000_000),
            ("1.5kib", 1_536),
        ];

        for (text, bytes) in table {
            assert_eq!(parse(text), Some(bytes), "{text}");
        }
    }

    #[test]
    fn other_texts_are_no_sizes() {
        for text in ["", "MiB", "-1", "1x", "1.2.3", ".", "99999999999TiB", "1e3"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
