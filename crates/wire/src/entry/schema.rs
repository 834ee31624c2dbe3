//! What a document says of entries.

use std::borrow::Cow;

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{AllOf, ObjectBuilder, OneOf, Ref, RefOr, Schema},
};

use super::{
    CurrentEntry, EventEntry, LogEntry,
    body::{AddedBody, DeletedBody, EditedBody, KeyEpochBody, MessageBody, RemovedBody},
};
use crate::values::{Count, one_of};

impl PartialSchema for CurrentEntry<'_> {
    fn schema() -> RefOr<Schema> {
        let edited = Edited::schema();
        let mut both = AllOf::new();
        both.description = Some("A message as it stands now.".to_owned());
        both.items = vec![Ref::from_schema_name(MessageBody::name()).into(), edited];
        Schema::AllOf(both).into()
    }
}

impl ToSchema for CurrentEntry<'_> {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("CurrentMessage")
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        with_its_own::<MessageBody<'_>>(schemas);
        Edited::schemas(schemas);
    }
}

/// What a message as it stands now has besides.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the schema of keys that `Current` writes")]
struct Edited {
    /// The place of the last edit, whose content and key epoch these are; only there where there is one.
    #[schema(nullable = false)]
    edited_seq: Option<Count>,
}

/// An entry as its event carries it may only be described where it is a message: nothing else is answered so.
impl PartialSchema for EventEntry<'_> {
    fn schema() -> RefOr<Schema> {
        MessageBody::schema()
    }
}

impl ToSchema for EventEntry<'_> {
    fn name() -> Cow<'static, str> {
        MessageBody::name()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        MessageBody::schemas(schemas);
    }
}

impl PartialSchema for LogEntry<'_> {
    fn schema() -> RefOr<Schema> {
        let mut kinds = OneOf::new();
        kinds.description = Some("An entry of a group's log: what its `type` says.".to_owned());
        kinds.items = vec![
            typed::<MessageBody<'_>>("new_message"),
            typed::<EditedBody<'_>>("message_edited"),
            typed::<DeletedBody>("message_deleted"),
            typed::<AddedBody>("member_added"),
            typed::<RemovedBody>("member_removed"),
            typed::<KeyEpochBody>("key_epoch_changed"),
        ];
        Schema::OneOf(kinds).into()
    }
}

impl ToSchema for LogEntry<'_> {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Entry")
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        with_its_own::<MessageBody<'_>>(schemas);
        with_its_own::<EditedBody<'_>>(schemas);
        with_its_own::<DeletedBody>(schemas);
        with_its_own::<AddedBody>(schemas);
        with_its_own::<RemovedBody>(schemas);
        with_its_own::<KeyEpochBody>(schemas);
    }
}

fn with_its_own<T: ToSchema>(schemas: &mut Vec<(String, RefOr<Schema>)>) {
    schemas.push((T::name().into_owned(), T::schema()));
    T::schemas(schemas);
}

/// The keys of an entry, and its `type`.
fn typed<T: ToSchema>(kind: &str) -> RefOr<Schema> {
    let mut both = AllOf::new();
    let named = ObjectBuilder::new()
        .property("type", one_of([kind]))
        .required("type");
    both.items = vec![Ref::from_schema_name(T::name()).into(), named.into()];
    Schema::AllOf(both).into()
}
