//! Super board: the results of file conversions.
//!
//! Page: <https://doc-zh.zego.im/super-board-server/file-callback>.

use crate::{
    UnixSeconds,
    payload::{codes, events, payload},
};

events! {
    /// A callback of the family *super board*.
    pub enum BoardEvent in "event" {
        /// The conversion of a file ended.
        "cvt_finish" => Converted(BoardConverted) as "board.cvt_finish"
            key |it| [it.data.as_ref()?.task_id],
    }
}

payload! {
    /// Payload of `cvt_finish`.
    pub struct BoardConverted {
        /// The app's id.
        pub appid: Option<String>,
        /// When the callback was signed.
        pub timestamp: Option<UnixSeconds>,
        /// The conversion that ended.
        pub data: Option<Conversion>,
        ..rest
    }

    /// A conversion that ended.
    pub struct Conversion {
        /// The converted file's id.
        pub file_id: Option<String>,
        /// The task's id.
        pub task_id: Option<String>,
        /// Whether it worked.
        pub status: Option<ConversionStatus>,
        ..rest
    }
}

codes! {
    /// Whether a file was converted.
    pub enum ConversionStatus {
        /// The file was converted.
        Ok = 16,
        /// The conversion failed.
        Failed = 32,
        /// The task was cancelled.
        Cancelled = 64,
        /// The file has a password.
        Password = 128,
        /// The file is too large.
        TooLarge = 256,
        /// The spreadsheet has too many sheets.
        TooManySheets = 512,
        /// The file is empty.
        Empty = 1024,
        /// The file cannot be opened.
        OpenFailed = 2048,
        /// The target format is not supported.
        UnsupportedTarget = 4096,
        /// The file is read-only.
        ReadOnly = 8192,
        /// The file could not be downloaded, or its hash is wrong.
        DownloadFailed = 16384,
        /// The file has elements that cannot be converted, such as ink.
        UnsupportedElements = 32768,
        /// The file is no valid Office file.
        InvalidOffice = 32769,
    }
}
