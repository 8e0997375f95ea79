//! Bars: how much of something is left, at a glance.

use owo_colors::Style;

/// Cells of a bar.
const CELLS: u64 = 10;

/// A bar of what is free: full cells for what is left, none left for nothing, one at least for anything.
pub fn free(free: u64, total: u64) -> String {
    let cells = (free.min(total) * CELLS).checked_div(total).unwrap_or(0);
    let cells = if free > 0 && total > 0 { cells.max(1) } else { cells };
    let full = usize::try_from(cells).unwrap_or(0);
    format!("{}{}", "█".repeat(full), "░".repeat(CELLS as usize - full))
}

/// A bar of how much something is of the most.
pub fn share(part: f64, most: f64) -> String {
    let share = if most > 0.0 { (part / most).clamp(0.0, 1.0) } else { 0.0 };
    "█".repeat((share * CELLS as f64).round() as usize)
}

/// How loud it is that so little is left: red below a tenth, yellow below a quarter.
pub fn style(free: u64, total: u64) -> Style {
    match (free.saturating_mul(100)).checked_div(total) {
        None => Style::new().dimmed(),
        Some(0..10) => Style::new().red().bold(),
        Some(10..25) => Style::new().yellow(),
        Some(_) => Style::new().green(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_never_shown_as_nothing_and_nothing_never_as_something() {
        assert_eq!(free(0, 100), "░░░░░░░░░░");
        assert_eq!(free(1, 1_000), "█░░░░░░░░░");
        assert_eq!(free(55, 100), "█████░░░░░");
        assert_eq!(free(100, 100), "██████████");
        assert_eq!(free(0, 0), "░░░░░░░░░░");
        assert_eq!(free(7, 3), "██████████", "more than there is is all there is");
    }
}
