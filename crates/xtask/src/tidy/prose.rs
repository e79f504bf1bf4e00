//! Rules for Markdown.

use super::{Complaint, Source};

/// Complains of lines that hold more than one sentence, so that a change of prose shows as the sentence it is.
pub(crate) fn check(source: &Source) -> Vec<Complaint> {
    if !source.has_extension("md") {
        return Vec::new();
    }
    let mut complaints = Vec::new();
    let mut in_code = false;
    for (number, line) in source.text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if !in_code && !line.starts_with('|') && has_two_sentences(line) {
            let place = format!("{}:{}", source.name(), number + 1);
            complaints.push(Complaint::new(place, "one sentence a line"));
        }
    }
    complaints
}

fn has_two_sentences(line: &str) -> bool {
    let mut in_code = false;
    let characters: Vec<char> = line.chars().collect();
    for (index, window) in characters.windows(3).enumerate() {
        if window[0] == '`' {
            in_code = !in_code;
        }
        let ends = matches!(window[0], '.' | '!' | '?') && window[1] == ' ';
        let numbered = characters[..index]
            .iter()
            .all(|c| c.is_ascii_digit() || *c == ' ');
        if !in_code && ends && !numbered && window[2].is_uppercase() {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::has_two_sentences;

    #[test]
    fn two_sentences_on_a_line_are_told_from_numbers_and_code() {
        assert!(has_two_sentences("One. Two."));
        assert!(!has_two_sentences("1. One."));
        assert!(!has_two_sentences("See `a. B` and go on."));
        assert!(!has_two_sentences("Version 1.2 is out."));
    }
}
