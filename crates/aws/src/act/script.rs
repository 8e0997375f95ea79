//! The scripts that muster runs on hosts: one a platform, fixed, chosen by an action's name. No text from outside ever
//! becomes part of one.

use serde_json::{Value, json};

use crate::{settings::Documents, ssm::Pinged};

const LINUX: &str = include_str!("scripts/linux.sh");
const WINDOWS: &str = include_str!("scripts/windows.ps1");
const BOTTLEROCKET: &str = include_str!("scripts/bottlerocket.sh");

const SHELL_DOCUMENT: &str = "AWS-RunShellScript";
const POWERSHELL_DOCUMENT: &str = "AWS-RunPowerShellScript";

/// Exit codes of the scripts.
pub(crate) mod exit {
    /// Done, and the trouble is still there.
    pub(crate) const UNHEALED: i64 = 1;
    /// There is nothing here to do it to.
    pub(crate) const NOTHING_HERE: i64 = 3;
}

/// What a script is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    RestartAgent,
    RestartRuntime,
    Reboot,
    SaveEvidence,
}

impl Action {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::RestartAgent => "restart-agent",
            Self::RestartRuntime => "restart-runtime",
            Self::Reboot => "reboot",
            Self::SaveEvidence => "save-evidence",
        }
    }
}

/// What is known of a machine's shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shell {
    Linux,
    Windows,
    Bottlerocket,
}

impl Shell {
    /// By what SSM says; an error says why nothing can be run there.
    pub(crate) fn of(machine: &Pinged) -> Result<Self, String> {
        if machine.platform.to_ascii_lowercase().contains("bottlerocket") {
            return Ok(Self::Bottlerocket);
        }
        match machine.platform_type.as_str() {
            "Linux" => Ok(Self::Linux),
            "Windows" => Ok(Self::Windows),
            other => Err(format!("SSM says that its platform is {other:?}; muster has scripts for Linux and Windows")),
        }
    }
}

/// Document and parameters for an action, or why there are none.
pub(crate) fn document(
    shell: Shell,
    action: Action,
    documents: &Documents,
    limit_secs: u32,
) -> Result<(String, Value), String> {
    let (own, usual, line, script) = match (shell, action) {
        (Shell::Linux, _) => (&documents.shell, SHELL_DOCUMENT, format!("action={}", action.word()), LINUX),
        (Shell::Windows, _) => {
            (&documents.powershell, POWERSHELL_DOCUMENT, format!("$action = '{}'", action.word()), WINDOWS)
        }
        (Shell::Bottlerocket, Action::Reboot) => (&None, SHELL_DOCUMENT, String::new(), BOTTLEROCKET),
        (Shell::Bottlerocket, _) => {
            return Err(
                "Bottlerocket has no shell on the host: commands run in its control container, which reaches neither \
                 the ECS agent nor its logs; what remains is a reboot or a replacement"
                    .to_owned(),
            );
        }
    };
    if let Some(own) = own {
        return Ok((own.clone(), json!({ "Action": [action.word()] })));
    }
    let parameters = json!({ "commands": [line, script], "executionTimeout": [limit_secs.to_string()] });
    Ok((usual.to_owned(), parameters))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(platform_type: &str, platform: &str) -> Pinged {
        Pinged { ping: "Online".to_owned(), platform_type: platform_type.to_owned(), platform: platform.to_owned() }
    }

    #[test]
    fn the_shell_follows_from_what_ssm_says() {
        assert_eq!(Shell::of(&machine("Linux", "Amazon Linux")), Ok(Shell::Linux));
        assert_eq!(Shell::of(&machine("Linux", "Bottlerocket")), Ok(Shell::Bottlerocket));
        assert_eq!(Shell::of(&machine("Windows", "Microsoft Windows Server 2022 Core")), Ok(Shell::Windows));
        assert!(Shell::of(&machine("MacOS", "macOS")).is_err() && Shell::of(&machine("", "")).is_err());
    }

    #[test]
    fn ssm_finds_no_parameter_of_its_own_in_the_scripts() {
        // `{{ name }}` is replaced by SSM before a script runs.
        for script in [LINUX, WINDOWS, BOTTLEROCKET] {
            assert!(!script.contains("{{"));
        }
    }

    #[test]
    fn every_action_is_known_to_the_scripts_of_linux_and_windows() {
        for action in [Action::RestartAgent, Action::RestartRuntime, Action::Reboot, Action::SaveEvidence] {
            assert!(LINUX.contains(&format!("\n  {}) ", action.word())), "{action:?}");
            assert!(WINDOWS.contains(&format!("\n  '{}' {{", action.word())), "{action:?}");
        }
    }

    #[test]
    fn bottlerocket_can_be_rebooted_and_nothing_else() {
        let documents = Documents::default();
        assert!(document(Shell::Bottlerocket, Action::Reboot, &documents, 60).is_ok());
        for action in [Action::RestartAgent, Action::RestartRuntime, Action::SaveEvidence] {
            let why = document(Shell::Bottlerocket, action, &documents, 60).unwrap_err();
            assert!(why.contains("reboot or a replacement"), "{why}");
        }
    }

    #[test]
    fn a_document_of_ones_own_is_given_a_word_and_no_script() {
        let documents = Documents { shell: Some("muster-linux".to_owned()), powershell: None };
        let (name, parameters) = document(Shell::Linux, Action::RestartAgent, &documents, 60).unwrap();
        assert_eq!((name.as_str(), parameters), ("muster-linux", json!({"Action": ["restart-agent"]})));
        let (name, parameters) = document(Shell::Windows, Action::RestartAgent, &documents, 60).unwrap();
        assert_eq!(name, POWERSHELL_DOCUMENT);
        assert_eq!(parameters["commands"][0], "$action = 'restart-agent'");
    }
}
