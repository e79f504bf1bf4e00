//! A plot of what this registry takes as a share of what distribution takes, as SVG for light and dark pages.

use std::fmt::Write;

use crate::cases::Case;
use crate::measure::{Figure, significant};
use crate::report::Results;

const ROW: u32 = 26;
const TOP: u32 = 78;
const LEFT: u32 = 320;
const WIDTH: f64 = 440.0;
/// From a thousandth to twice of what distribution takes, by powers of ten.
const LEAST: f64 = 0.001;
const MOST: f64 = 2.0;

const STYLE: &str = "\
<style>
  text { font: 13px system-ui, sans-serif; fill: #24292f }
  .title { font-size: 16px; font-weight: 600 }
  .mark { fill: #57606a; font-size: 11px }
  .grid { stroke: #d0d7de }
  .one { stroke: #57606a; stroke-dasharray: 4 3 }
  .cpu { fill: #1f6feb }
  .p99 { fill: #d29922 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .mark { fill: #9198a1 }
    .grid { stroke: #30363d }
    .one { stroke: #9198a1 }
    .cpu { fill: #58a6ff }
    .p99 { fill: #e3b341 }
  }
</style>
";

/// A row for each kind of work that both did: a bar for CPU time, a dot for the tail.
pub(crate) fn draw(cases: &[&Case], results: &Results) -> String {
    let rows: Vec<(&str, f64, Option<f64>)> = cases
        .iter()
        .filter_map(|case| {
            let cpu = results.ratio(case.name, Figure::Cpu)?;
            Some((case.name, cpu, results.ratio(case.name, Figure::PacedP99)))
        })
        .collect();
    let bottom = TOP + ROW * u32::try_from(rows.len()).unwrap_or(0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 840 {}\" role=\"img\" aria-label=\"Boxyard as a share of distribution 3.1.1\">\n{STYLE}",
        bottom + 34
    );
    svg.push_str("<text class=\"title\" x=\"12\" y=\"24\">Boxyard as a share of distribution 3.1.1; less is better</text>\n");
    svg.push_str("<rect class=\"cpu\" x=\"12\" y=\"40\" width=\"22\" height=\"11\" rx=\"2\"/><text x=\"42\" y=\"50\">CPU time of the server for the same work</text>\n");
    svg.push_str("<circle class=\"p99\" cx=\"343\" cy=\"46\" r=\"5\"/><text x=\"356\" y=\"50\">p99 at half of distribution's rate</text>\n");
    axis(&mut svg, bottom);
    for (number, row) in (0u32..).zip(&rows) {
        draw_row(&mut svg, TOP + ROW * number, *row);
    }
    svg.push_str("</svg>\n");
    svg
}

fn axis(svg: &mut String, bottom: u32) {
    for (ratio, label) in [
        (0.001, "1/1000"),
        (0.01, "1/100"),
        (0.1, "1/10"),
        (1.0, "the same"),
    ] {
        let x = f64::from(LEFT) + place(ratio);
        let class = if ratio < 1.0 { "grid" } else { "one" };
        let _ = writeln!(
            svg,
            "<line class=\"{class}\" x1=\"{x:.1}\" y1=\"{}\" x2=\"{x:.1}\" y2=\"{bottom}\"/><text class=\"mark\" x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{label}</text>",
            TOP - 8,
            bottom + 18
        );
    }
}

fn draw_row(svg: &mut String, y: u32, (name, cpu, p99): (&str, f64, Option<f64>)) {
    let width = place(cpu);
    let _ = writeln!(
        svg,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{name}</text><rect class=\"cpu\" x=\"{LEFT}\" y=\"{}\" width=\"{width:.1}\" height=\"14\" rx=\"2\"/>",
        LEFT - 10,
        y + 15,
        y + 4
    );
    let mut end = width;
    if let Some(p99) = p99 {
        let x = place(p99);
        end = end.max(x + 5.0);
        let _ = writeln!(
            svg,
            "<circle class=\"p99\" cx=\"{:.1}\" cy=\"{}\" r=\"5\"/>",
            f64::from(LEFT) + x,
            y + 11
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{}\">{}</text>",
        f64::from(LEFT) + end + 7.0,
        y + 15,
        significant(cpu)
    );
}

/// How far to the right a ratio lies.
fn place(ratio: f64) -> f64 {
    (ratio.clamp(LEAST, MOST) / LEAST).log10() / (MOST / LEAST).log10() * WIDTH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_costs_as_much_lies_right_of_what_costs_a_tenth() {
        assert!(place(1.0) > place(0.1));
        assert!(place(0.0).abs() < 1e-9);
        assert!(place(100.0) <= WIDTH);
    }
}
