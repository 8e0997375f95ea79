//! What a configuration may say and its writer should know: `muster config check` tells it, and so does the log of
//! `muster serve`.

use fleet::policy::Mode;

use super::{Config, ladder, preset::Preset};

impl Config {
    /// Sentences; none for a configuration without surprises.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = ladder::warnings(self);
        let goes = |mode: Mode| {
            self.policy.mode == mode
                || self.ladder.iter().any(|entry| entry.mode == Some(mode))
                || self.headroom.iter().any(|entry| entry.mode == mode)
        };
        let (acts_alone, asks) = (goes(Mode::Act), goes(Mode::Approve));
        let told = self.notices.told();
        if acts_alone && told.is_empty() {
            warnings.push(
                "mode = \"act\" and nobody is told: without a [[receiver]] and a route in [notices], what muster does stands \
                 in its log and journal alone"
                    .to_owned(),
            );
        }
        if asks && told.is_empty() {
            warnings.push(
                "mode = \"approve\" and nobody is asked: without a [[receiver]] and a route in [notices], approvals wait in \
                 `muster case list` until somebody looks there"
                    .to_owned(),
            );
        }
        for name in self.receiver_names() {
            if !told.contains(&name) {
                warnings.push(format!("[[receiver]] `{name}` is never told anything: no route of [notices] names it"));
            }
        }
        let used = |name: &str| {
            self.ladder
                .iter()
                .flat_map(|entry| entry.rungs.iter().flatten())
                .any(|rung| rung.custom.as_deref() == Some(name))
        };
        for custom in self.custom.iter().filter(|custom| !used(&custom.name)) {
            warnings.push(format!("[[custom]] `{}` is never run: no rung of a [[ladder]] names it", custom.name));
        }
        if self.policy.preset == Some(Preset::AgentMonitor) && !self.may_act() {
            warnings.push(
                "preset = \"agent-monitor\" as it stands only says what it would do: add mode = \"act\" to have hosts replaced"
                    .to_owned(),
            );
        }
        for entry in self.headroom.iter().filter(|entry| entry.scale_in && !self.audits_tasks()) {
            warnings.push(format!(
                "[[headroom]] of {}: scale_in = true and sweeps do not list tasks: hosts with a daemon on them may never be \
                 known to be empty; set audit_tasks = true in [sweep]",
                entry.service.as_ref().or(entry.task.as_ref()).map_or("nothing", String::as_str)
            ));
        }
        if self.replace.outside_groups {
            warnings.push(
                "outside_groups = true: a machine that no Auto Scaling group owns is terminated, and nobody replaces it"
                    .to_owned(),
            );
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warnings(text: &str) -> String {
        Config::parse("muster.toml", text).unwrap_or_else(|mistakes| panic!("{mistakes}")).warnings().join("\n")
    }

    #[test]
    fn the_default_configuration_has_no_surprises() {
        assert_eq!(warnings(""), "");
    }

    #[test]
    fn acting_without_telling_anybody_is_told() {
        assert!(warnings("[policy]\nmode = \"act\"\n").contains("nobody is told"));
        assert!(warnings("[[ladder]]\nclusters = [\"a\"]\nmode = \"approve\"\n").contains("nobody is asked"));
    }

    #[test]
    fn a_receiver_that_no_route_names_is_told() {
        let receiver = "[[receiver]]\nname = \"team\"\nurl = \"env:A\"\n";
        assert!(warnings(receiver).contains("`team` is never told anything"));
        assert_eq!(warnings(&format!("{receiver}[notices]\nroutes = [{{ receivers = [\"team\"] }}]\n")), "");
    }

    #[test]
    fn harsh_remedies_before_mild_ones_are_allowed_and_told() {
        let text = "[[ladder]]\nrungs = [{ remedy = \"replace\" }, { remedy = \"restart-agent\" }]\n";
        assert!(warnings(text).contains("replace comes before the milder restart-agent"));
        let text = "[[ladder]]\nrungs = [{ remedy = \"restart-agent\" }, { remedy = \"replace\" }]\n";
        assert_eq!(warnings(text), "");
    }

    #[test]
    fn what_nobody_uses_is_told() {
        assert!(warnings("[[custom]]\nname = \"fix\"\nlambda = \"x\"\n").contains("`fix` is never run"));
        assert!(warnings("[replace]\noutside_groups = true\n").contains("nobody replaces it"));
        assert!(warnings("[policy]\npreset = \"agent-monitor\"\n").contains("add mode = \"act\""));
    }
}
