//! A plot of the ratios, as SVG.

use std::fmt::Write;

use crate::cases::Case;
use crate::measure::Figure;
use crate::report::Results;

const ROW: u32 = 28;
const LEFT: u32 = 300;
const WIDTH: f64 = 420.0;

/// A bar for the CPU time of each kind of work, on a scale of powers of ten from a thousandth to ten times that of distribution 3.1.1.
pub(crate) fn draw(cases: &[&Case], results: &Results) -> String {
    let height = ROW * (u32::try_from(cases.len()).unwrap_or(0) + 2);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"800\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n<text x=\"8\" y=\"18\">CPU time of the server for the same work, distribution 3.1.1 = 1</text>\n"
    );
    for (mark, label) in [
        (0.001, "0.001"),
        (0.01, "0.01"),
        (0.1, "0.1"),
        (1.0, "1"),
        (10.0, "10"),
    ] {
        let x = f64::from(LEFT) + place(mark);
        let _ = writeln!(
            svg,
            "<line x1=\"{x:.0}\" y1=\"{ROW}\" x2=\"{x:.0}\" y2=\"{height}\" stroke=\"#ccc\"/><text x=\"{x:.0}\" y=\"{}\" fill=\"#666\" text-anchor=\"middle\">{label}</text>",
            height - 6
        );
    }
    for (row, case) in (1u32..).zip(cases) {
        let Some(cpu) = results.ratio(case.name, Figure::Cpu) else {
            continue;
        };
        let y = ROW * row;
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text><rect x=\"{LEFT}\" y=\"{}\" width=\"{:.0}\" height=\"16\" fill=\"#2a6fb0\"/><text x=\"{:.0}\" y=\"{}\">{cpu:.3}</text>",
            LEFT - 8,
            y + 18,
            case.name,
            y + 5,
            place(cpu),
            f64::from(LEFT) + place(cpu) + 6.0,
            y + 18
        );
    }
    svg.push_str("</svg>\n");
    svg
}

/// How far to the right a ratio lies.
fn place(ratio: f64) -> f64 {
    (ratio.clamp(0.001, 10.0).log10() + 3.0) / 4.0 * WIDTH
}
