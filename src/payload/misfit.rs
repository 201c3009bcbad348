//! Members that did not fit their documented type.

use std::{fmt, sync::Arc};

/// A member that is not of its documented type and is therefore absent from the typed event.
///
/// Its text is in the `rest` of its payload, unless another member gave the value. Elements of
/// lists and repeated members are only in [`Verified::body`](crate::Verified::body). Repeated
/// members without a documented name are one misfit, with the path of the object that they are in:
/// their names are any text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    path: Box<str>,
    expected: &'static str,
}

impl Misfit {
    pub(crate) fn new(path: String, expected: &'static str) -> Self {
        Self { path: path.into(), expected }
    }

    /// The path from the root of the body: `detail.file_info[2].size`. It is empty for the body
    /// itself. A member with several known spellings has the one that was sent.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What the member should be, such as `a whole number`.
    pub fn expected(&self) -> &'static str {
        self.expected
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: not {}", self.path, self.expected)
    }
}

/// The misfits of one event, at most 64. Cheap to clone; an empty list takes no memory.
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
