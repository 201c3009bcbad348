//! The events, told apart by `type`, a number.

use crate::{
    Json, Rest, UnixSeconds,
    payload::{Field, Names, Object, Payload, Reader, codes, events, from_json, payload, words},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::SerializeMap};

events! {
    /// A GeeLark callback.
    ///
    /// GeeLark sends no event id. Renamed and deleted phones, changed tags and installed apps have
    /// no [`dedup_key`](crate::WebhookEvent::dedup_key): a repeated delivery looks like a second,
    /// equal event.
    pub enum Event in "type" {
        /// A cloud phone was started, or failed to start.
        1 => PhoneStarted(PhoneState) as "phone_started"
            key |it| [it.id, it.event_time; it.result],
        /// A patch was installed on a phone, or the installation failed. On the Chinese pages only.
        2 => PatchInstalled(PhoneTask) as "patch_installed" key |it| [it.task_id; it.result],
        /// A file was uploaded to a phone, or the upload failed.
        4 => FileUploaded(PhoneTask) as "file_uploaded" key |it| [it.task_id; it.result],
        /// A screenshot was taken, or failed.
        5 => Screenshot(PhoneTask) as "screenshot" key |it| [it.task_id; it.result],
        /// An RPA task ended.
        6 => TaskCompleted(TaskCompleted) as "task_completed" key |it| [it.task_id; it.result],
        /// An order was paid, or the payment failed. On the Chinese pages only.
        7 => PaymentCompleted(PaymentCompleted) as "payment_completed"
            key |it| [it.order_id; it.result],
        /// A cloud phone was stopped.
        8 => PhoneStopped(PhoneState) as "phone_stopped" key |it| [it.id, it.event_time],
        /// Cloud phones got new names.
        9 => PhonesRenamed(Phones<RenamedPhone>) as "phones_renamed",
        /// Cloud phones were deleted.
        10 => PhonesDeleted(Phones<DeletedPhone>) as "phones_deleted",
        /// The tags of cloud phones changed.
        11 => TagsChanged(TagsChanged) as "tags_changed",
        /// RPA tasks were created.
        12 => TasksCreated(Tasks) as "tasks_created" key |it| [it.task_ids],
        /// RPA tasks were cancelled.
        13 => TasksCancelled(Tasks) as "tasks_cancelled" key |it| [it.task_ids],
        /// Contacts were imported, or the import failed.
        14 => ContactsImported(ContactsImported) as "contacts_imported"
            key |it| [it.task_id; it.status],
        /// An app was installed on a phone, or the installation failed.
        15 => AppInstalled(AppInstalled) as "app_installed",
        _ => Unknown(Unknown),
    }
}

payload! {
    /// Payload of `type` 1 and 8: a phone was started or stopped.
    pub struct PhoneState {
        /// The cloud phone's id.
        pub id: Option<String>,
        /// Whether it worked; of a start.
        pub result: Option<bool>,
        /// Who did it: an e-mail address or a plain name. Since 2025-12-19.
        pub username: Option<String>,
        /// That user's IP address, as GeeLark saw it. Since 2025-12-19.
        pub ip: Option<String>,
        /// When it happened. Since 2025-12-19.
        pub event_time: Option<UnixSeconds> = "eventTime",
        /// The minutes for which the phone was in use; of a stop. Since early 2026.
        pub use_min: Option<u64> = "useMin",
        ..rest
    }

    /// Payload of `type` 2, 4 and 5: a task on one phone ended.
    pub struct PhoneTask {
        /// The cloud phone's id.
        pub id: Option<String>,
        /// The task's id.
        pub task_id: Option<String> = "taskId",
        /// Whether it worked.
        pub result: Option<bool>,
        /// The result as text; of an installed patch.
        pub message: Option<String>,
        /// The picture's URL, which expires; of a screenshot.
        pub download_link: Option<String> = "downloadLink",
        ..rest
    }

    /// Payload of `type` 6.
    pub struct TaskCompleted {
        /// The task's id.
        pub task_id: Option<String> = "taskId",
        /// Whether it worked. A task may report success although it did nothing: query its status.
        pub result: Option<bool>,
        ..rest
    }

    /// Payload of `type` 7.
    pub struct PaymentCompleted {
        /// The order that was paid.
        pub order_id: Option<String> = "orderId",
        /// Whether it worked; the page lists `true` only.
        pub result: Option<bool>,
        ..rest
    }

    /// A phone with a new name.
    pub struct RenamedPhone {
        /// The cloud phone's id.
        pub id: Option<String>,
        /// Its new name.
        pub name: Option<String>,
        ..rest
    }

    /// A phone that was deleted.
    pub struct DeletedPhone {
        /// The cloud phone's id.
        pub id: Option<String>,
        /// Whether it is in the recycle bin.
        pub recycle: Option<bool>,
        ..rest
    }

    /// Payload of `type` 11. It does not say which tags changed: query them.
    pub struct TagsChanged {
        /// The cloud phones' ids.
        pub env_ids: Vec<String> = "envIds",
        ..rest
    }

    /// Payload of `type` 12 and 13.
    pub struct Tasks {
        /// The tasks' ids.
        pub task_ids: Vec<String> = "taskIds",
        /// Where the tasks were created or cancelled.
        pub channel: Option<Channel>,
        ..rest
    }

    /// Payload of `type` 14.
    pub struct ContactsImported {
        /// The task's id.
        pub task_id: Option<String> = "taskId",
        /// Whether it worked. The query API's codes 1, 2 and 3 have other meanings.
        pub status: Option<Outcome>,
        ..rest
    }

    /// Payload of `type` 15.
    pub struct AppInstalled {
        /// The cloud phone's id.
        pub id: Option<String>,
        /// The app's package.
        pub package_name: Option<String> = "packageName",
        /// The id of the app's version.
        pub app_version_id: Option<String> = "appVersionId",
        /// Whether it worked.
        pub result: Option<Outcome>,
        ..rest
    }
}

codes! {
    /// An outcome that GeeLark sends as a number.
    pub enum Outcome {
        /// Failed.
        Failed = 0,
        /// Succeeded.
        Succeeded = 1,
    }
}

words! {
    /// Where a task was created or cancelled.
    pub enum Channel {
        /// Through the API.
        Api = "api",
        /// In the desktop client.
        Client = "client",
    }
}

/// Payload of `type` 9 and 10.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Phones<P> {
    /// The phones; one phone, if the body has its members instead of `items`.
    pub items: Vec<P>,
    /// Members without a field here, and members that did not fit their type.
    pub rest: Rest,
}

impl<P: Payload + Serialize + Default + PartialEq> Payload for Phones<P> {
    fn read(object: &mut Object<'_>, at: &mut Reader<'_>) -> Self {
        let mut items = Vec::read(object, const { &Names::new(&["items"], &[]) }, at);
        // The pages' tables show the members of one phone, the examples a list.
        if !object.has("items") {
            items.extend(Some(P::read(object, at)).filter(|phone| *phone != P::default()));
        }
        Self { items, rest: Rest::default() }
    }

    fn write<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        if self.items.is_empty() && !self.rest.is_empty() {
            let rest = serde_json::to_string(&self.rest);
            let read = rest.and_then(|rest| serde_json::from_str::<Self>(&rest));
            // Without `items`, a phone's members in the rest would be read back as a phone, or taken
            // for missing.
            if read.is_ok_and(|read| read != *self) {
                map.serialize_entry("items", &self.items)?;
            }
        }
        Field::write(&self.items, "items", map)?;
        self.rest.write(map)
    }

    fn rest_mut(&mut self) -> Option<&mut Rest> {
        Some(&mut self.rest)
    }
}

impl<P: Payload + Serialize + Default + PartialEq> Serialize for Phones<P> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let mut map = out.serialize_map(None)?;
        Payload::write(self, &mut map)?;
        map.end()
    }
}

impl<'de, P: Payload + Serialize + Default + PartialEq> Deserialize<'de> for Phones<P> {
    fn deserialize<In: Deserializer<'de>>(input: In) -> Result<Self, In::Error> {
        from_json(&Json::deserialize(input)?)
    }
}
