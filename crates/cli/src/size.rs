//! Numbers of bytes, as people write and read them.

use std::str::FromStr;

use anyhow::{Context, bail};

/// A number of bytes, perhaps a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) u64);

impl FromStr for Size {
    type Err = anyhow::Error;

    /// Reads `100MiB/s`, `100M`, `1.5GB` and `4096`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = text.trim().trim_end_matches("/s");
        let end = rest
            .find(|character: char| !character.is_ascii_digit() && character != '.')
            .unwrap_or(rest.len());
        let (number, unit) = rest.split_at(end);
        let expected = || format!("`{text}` is no number of bytes: expected such as `100MiB`");
        let number: f64 = number.parse().with_context(expected)?;
        let factor: u32 = match unit.trim().to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "k" | "kib" => 1 << 10,
            "m" | "mib" => 1 << 20,
            "g" | "gib" => 1 << 30,
            "kb" => 1_000,
            "mb" => 1_000_000,
            "gb" => 1_000_000_000,
            _ => bail!(expected()),
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "what does not fit becomes the largest, and digits have no sign"
        )]
        let bytes = (number * f64::from(factor)) as u64;
        if bytes == 0 {
            bail!("`{text}` is nothing: expected a number of bytes such as `100MiB`");
        }
        Ok(Self(bytes))
    }
}

/// Bytes for a person.
pub(crate) fn show(bytes: u64) -> String {
    indicatif::HumanBytes(bytes).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_of_both_kinds() {
        let read = |text: &str| text.parse::<Size>().unwrap().0;

        assert_eq!(read("100MiB/s"), 100 << 20);
        assert_eq!(read("100M"), 100 << 20);
        assert_eq!(read("1.5GB"), 1_500_000_000);
        assert_eq!(read("4096"), 4_096);
        for text in ["", "x", "-1", "0", "1TB", "1..2", "MiB"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }
}
