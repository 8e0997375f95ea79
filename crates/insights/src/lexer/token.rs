//! The words of the language.

use crate::{ast::Path, error::Fault, period::Period, span::Span};

/// One word of a query, and where it stands.
#[derive(Clone, Debug)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Where.
    pub span: Span,
}

/// What a word is.
#[derive(Clone, Debug, PartialEq)]
pub enum TokenKind {
    /// A field's path, a keyword or the name of a function: only its place tells which.
    Path {
        /// Its parts.
        path: Path,
        /// Whether it was typed without backticks, so that it may be a keyword.
        bare: bool,
    },
    /// A number, as typed; the sign is not part of it.
    Number(String),
    /// A period, `5m`.
    Period(Period),
    /// What stands between quotes, escapes undone.
    Text(String),
    /// What stands between slashes, as typed.
    Regex(String),
    /// A sign.
    Sign(Sign),
    /// Characters that form no word.
    Bad(BadToken),
    /// The end of the text.
    End,
}

/// Characters that form no word, with what is wrong about them.
#[derive(Clone, Debug, PartialEq)]
pub struct BadToken(pub(crate) Box<Fault>);

macro_rules! signs {
    ($($name:ident $typed:literal $says:literal,)*) => {
        /// A sign.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Sign {
            $(#[doc = $says] $name,)*
        }

        impl Sign {
            /// Every sign with how it is typed, longer ones first.
            pub(crate) const ALL: &[(&'static str, Self)] = &[$(($typed, Self::$name),)*];

            /// As it is typed.
            pub fn typed(self) -> &'static str {
                match self {
                    $(Self::$name => $typed,)*
                }
            }
        }
    };
}

signs! {
    Match "=~" "is found by a regular expression",
    NotEqual "!=" "differs",
    LessEqual "<=" "is at most",
    GreaterEqual ">=" "is at least",
    Equal "=" "equals",
    Less "<" "is less",
    Greater ">" "is more",
    Pipe "|" "ends a command",
    Comma "," "separates",
    Open "(" "opens a group or arguments",
    Close ")" "closes them",
    OpenList "[" "opens a list",
    CloseList "]" "closes it",
    OpenBrace "{" "opens a pair of key and values",
    CloseBrace "}" "closes it",
    Colon ":" "stands between a name and its value",
    Plus "+" "adds",
    Minus "-" "takes away",
    Star "*" "multiplies; any, in names",
    Slash "/" "divides",
    Percent "%" "leaves the rest of a division",
    Caret "^" "raises to a power",
    Bang "!" "negates",
}

impl Token {
    /// The word, if it may be a keyword, a command or the name of a function.
    pub fn word(&self) -> Option<&str> {
        match &self.kind {
            TokenKind::Path { path, bare: true } => path.single(),
            _ => None,
        }
    }

    /// Whether it is this keyword, in any case.
    pub fn is_word(&self, word: &str) -> bool {
        self.word().is_some_and(|found| found.eq_ignore_ascii_case(word))
    }

    /// Whether it is this sign.
    pub fn is_sign(&self, sign: Sign) -> bool {
        self.kind == TokenKind::Sign(sign)
    }
}
