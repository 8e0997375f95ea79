//! What stands out, and in which colour. The stream strips colours where they are not wanted, so everybody may use
//! these without asking.

use fleet::verdict::Verdict;
use owo_colors::Style;

/// How loud a verdict is.
pub fn of(verdict: Verdict) -> Style {
    match verdict {
        Verdict::Present => Style::new().green(),
        Verdict::Draining | Verdict::Changing => Style::new().blue(),
        Verdict::Flapping | Verdict::Suspected | Verdict::Doubt | Verdict::Unknown => Style::new().yellow(),
        Verdict::AgentLost
        | Verdict::RuntimeImpaired
        | Verdict::HostDown
        | Verdict::HostImpaired
        | Verdict::NeverRegistered
        | Verdict::Ghost
        | Verdict::RegistrationFailed
        | Verdict::DrainStuck
        | Verdict::ShortOfRoom
        | Verdict::ExternalOffline => Style::new().red().bold(),
    }
}

/// Headings.
pub fn heading() -> Style {
    Style::new().bold()
}

/// What may be overlooked.
pub fn quiet() -> Style {
    Style::new().dimmed()
}

/// What must not be overlooked.
pub fn alarm() -> Style {
    Style::new().red().bold()
}

/// What muster would do.
pub fn remedy() -> Style {
    Style::new().cyan().bold()
}
