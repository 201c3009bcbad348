//! What did not fit its documented type.

use std::{fmt, sync::Arc};

/// A member that is not of its documented type, and therefore absent from the typed event.
///
/// Its text is in the `rest` of the payload that it belongs to. Where it was an element of a list,
/// a repeated member, or the body is gone, only [`Verified::body`](crate::Verified::body) has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    path: Box<str>,
    expected: &'static str,
}

impl Misfit {
    pub(crate) fn new(path: String, expected: &'static str) -> Self {
        Self { path: path.into(), expected }
    }

    /// Where it is, from the root of the body, by documented names: `detail.file_info[2].size`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What the documentation makes of it: `a whole number`.
    pub fn expected(&self) -> &'static str {
        self.expected
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: not {}", self.path, self.expected)
    }
}

/// The misfits of one event, at most 64; cheap to clone, and no memory where there are none.
#[derive(Clone, Debug, Default)]
pub struct Misfits(Option<Arc<[Misfit]>>);

impl Misfits {
    pub(crate) fn none() -> &'static Self {
        static NONE: Misfits = Misfits(None);
        &NONE
    }

    pub(crate) fn new(misfits: Vec<Misfit>) -> Self {
        Self((!misfits.is_empty()).then(|| misfits.into()))
    }
}

impl std::ops::Deref for Misfits {
    type Target = [Misfit];

    fn deref(&self) -> &[Misfit] {
        self.0.as_deref().unwrap_or_default()
    }
}
