//! How far a list that comes in pages has got.

use std::collections::BTreeSet;

use crate::refusal::Refusal;

/// The pages of one list.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    token: Option<String>,
    seen: BTreeSet<String>,
}

impl Pages {
    /// The token of the page to ask for; `None` for the first one.
    pub(crate) fn token(&self) -> Option<String> {
        self.token.clone()
    }

    /// Goes on to the page that was promised. False when there is none.
    ///
    /// # Errors
    /// When that page was promised before: tokens that go round in a circle have no end.
    pub(crate) fn go_on(&mut self, promised: Option<String>) -> Result<bool, Refusal> {
        if let Some(token) = &promised
            && !self.seen.insert(token.clone())
        {
            return Err(Refusal::repeated_token());
        }
        self.token = promised;
        Ok(self.token.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_ends_without_a_token_and_a_circle_of_tokens_is_refused() {
        let mut pages = Pages::default();
        assert_eq!(pages.token(), None);
        for token in ["a", "b"] {
            assert!(pages.go_on(Some(token.to_owned())).is_ok_and(|more| more));
            assert_eq!(pages.token().as_deref(), Some(token));
        }
        assert!(pages.go_on(Some("a".to_owned())).is_err());
        assert!(pages.go_on(None).is_ok_and(|more| !more));
    }
}
