//! The picture of a run: reward and held-out accuracy over steps, as SVG.

use std::ops::Range;
use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

use super::error::{LearnerError, Result};
use super::folder::replace;
use super::record::History;

const WIDTH: u32 = 960;
const HEIGHT: u32 = 640;
const FONT: &str = "sans-serif";
const RAW: RGBColor = RGBColor(186, 202, 220);
const SMOOTH: RGBColor = RGBColor(31, 93, 163);
const HELD_OUT: RGBColor = RGBColor(176, 66, 25);

/// Writes the picture.
///
/// # Errors
/// When it cannot be written.
pub fn write(path: &Path, title: &str, history: &History) -> Result<()> {
    replace(path, draw(title, history)?.as_bytes())
}

/// The picture: two panels, one above the other, over the same steps.
///
/// # Errors
/// Never, unless the drawing library fails.
pub fn draw(title: &str, history: &History) -> Result<String> {
    let mut svg = String::new();
    let drawn = draw_into(&mut svg, title, history);
    drawn.map_err(|error| LearnerError::other(format!("cannot draw the plot: {error}")))?;
    Ok(svg)
}

type Drawing<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = std::result::Result<(), Box<dyn std::error::Error>>;

fn draw_into(svg: &mut String, title: &str, history: &History) -> Drawn {
    let area = SVGBackend::with_string(svg, (WIDTH, HEIGHT)).into_drawing_area();
    area.fill(&WHITE)?;
    let area = area.titled(title, (FONT, 22))?;
    let (upper, lower) = area.split_vertically(HEIGHT / 2 - 20);

    let rewards: Vec<(f64, f64)> =
        history.steps.iter().filter_map(|step| Some((step.step as f64, finite(step.reward)?))).collect();
    let accuracies: Vec<(f64, f64)> =
        history.evals.iter().filter_map(|eval| Some((eval.step as f64, finite(eval.accuracy)?))).collect();
    let last = rewards.iter().chain(&accuracies).map(|(step, _)| *step).fold(1.0, f64::max);

    reward_panel(&upper, last, &rewards)?;
    accuracy_panel(&lower, last, &accuracies)?;
    area.present()?;
    Ok(())
}

fn reward_panel(area: &Drawing, last: f64, rewards: &[(f64, f64)]) -> Drawn {
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(70)
        .build_cartesian_2d(0.0..last, span(rewards))?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .label_style((FONT, 14))
        .x_desc("step")
        .y_desc("mean reward in training")
        .x_label_formatter(&whole)
        .draw()?;
    chart
        .draw_series(LineSeries::new(rewards.iter().copied(), RAW.stroke_width(1)))?
        .label("each step")
        .legend(|(x, y)| PathElement::new([(x, y), (x + 18, y)], RAW.stroke_width(2)));
    chart
        .draw_series(LineSeries::new(smoothed(rewards), SMOOTH.stroke_width(2)))?
        .label("moving mean")
        .legend(|(x, y)| PathElement::new([(x, y), (x + 18, y)], SMOOTH.stroke_width(2)));
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.mix(0.8))
        .label_font((FONT, 14))
        .draw()?;
    Ok(())
}

fn accuracy_panel(area: &Drawing, last: f64, accuracies: &[(f64, f64)]) -> Drawn {
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(70)
        .build_cartesian_2d(0.0..last, 0.0..1.0)?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .label_style((FONT, 14))
        .x_desc("step")
        .y_desc("accuracy on held-out tasks")
        .x_label_formatter(&whole)
        .y_label_formatter(&|share| format!("{:.0} %", 100.0 * share))
        .draw()?;
    chart.draw_series(LineSeries::new(accuracies.iter().copied(), HELD_OUT.stroke_width(2)))?;
    chart.draw_series(accuracies.iter().map(|point| Circle::new(*point, 3, HELD_OUT.filled())))?;
    for (at, (step, accuracy)) in accuracies.iter().enumerate() {
        if at == 0 || at + 1 == accuracies.len() {
            let text = format!("{:.1} %", 100.0 * accuracy);
            // Beside the point and inside the panel.
            let (x, y) = (if at == 0 { 8 } else { -52 }, if *accuracy > 0.85 { 8 } else { -18 });
            chart
                .draw_series([EmptyElement::at((*step, *accuracy)) + Text::new(text, (x, y), (FONT, 14))])?;
        }
    }
    Ok(())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form a formatter has")]
fn whole(step: &f64) -> String {
    format!("{step:.0}")
}

fn finite(value: Option<f64>) -> Option<f64> {
    value.filter(|value| value.is_finite())
}

/// From the least to the greatest, with room.
fn span(points: &[(f64, f64)]) -> Range<f64> {
    let (low, high) =
        points.iter().fold((0.0_f64, 0.0_f64), |(low, high), (_, y)| (low.min(*y), high.max(*y)));
    let room = if high > low { (high - low) * 0.05 } else { 1.0 };
    (if low < 0.0 { low - room } else { 0.0 })..high + room
}

/// The mean of each point with those around it.
fn smoothed(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let reach = (points.len() / 40).clamp(1, 25);
    (0..points.len())
        .map(|at| {
            let around = &points[at.saturating_sub(reach)..(at + reach + 1).min(points.len())];
            (points[at].0, around.iter().map(|(_, y)| y).sum::<f64>() / around.len() as f64)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learner::metrics::{EvalMetrics, StepMetrics};

    fn history(n: u64) -> History {
        let mut history = History::default();
        for step in 0..=n {
            let reward = (step > 0).then(|| 1.1 - 1.0 / (step as f64).sqrt() + (step % 7) as f64 * 0.02);
            if step > 0 {
                history.steps.push(StepMetrics { step, reward, ..StepMetrics::default() });
            }
            if step % 20 == 0 {
                let accuracy = Some(0.3 + 0.65 * step as f64 / n.max(1) as f64);
                history.evals.push(EvalMetrics { step, accuracy, ..EvalMetrics::default() });
            }
        }
        history
    }

    #[test]
    fn both_panels_are_labelled() {
        let svg = draw("a run", &history(200)).unwrap();
        if let Some(path) = std::env::var_os("GAVEL_TEST_PLOT") {
            std::fs::write(path, &svg).unwrap();
        }
        for text in
            ["a run", "mean reward in training", "accuracy on held-out tasks", "step", "30.0 %", "95.0 %"]
        {
            assert!(svg.contains(text), "{text}");
        }
        assert!(svg.len() < 200_000, "{}", svg.len());
    }

    #[test]
    fn hardly_any_points_are_drawn_too() {
        let mut odd = history(1);
        odd.steps[0].reward = Some(f64::NAN);
        for history in [History::default(), history(0), history(1), odd] {
            let svg = draw("a & b < c", &history).unwrap();
            assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
            assert!(!svg.contains("NaN") && svg.contains("a &amp; b &lt; c"));
        }
    }
}
