//! The keys of bodies: what each may be, how it is read, and how it is described. All three from one declaration.

use std::{borrow::Cow, time::Duration};

use sealroom_domain::{
    DisplayName, EncryptedContent, GroupName, KeyEpoch, Limits, MAX_SAFE_INTEGER, NameError, Refusal,
    Retention, Role, Seq, UserId, Username,
};
use sealroom_wire::{
    RawValue,
    fields::{self, Raw},
    values::{integer, one_of},
};
use serde_json::Value as Json;
use utoipa::openapi::{
    ObjectBuilder, Schema,
    schema::{AdditionalProperties, ArrayBuilder, ArrayItems, SchemaType, Type},
};

use super::body::Object;

/// A value that a key may have.
pub(crate) trait Value: Sized {
    /// Reads it; `key` is for the refusal to tell.
    fn read(key: &'static str, raw: &RawValue, limits: &Limits) -> Result<Self, Refusal>;

    /// What it may be.
    fn schema() -> Schema;
}

/// A key: of a value that must be there, or in an [`Option`] of one that may be absent or `null`.
pub(crate) trait Field: Sized {
    /// Whether it must be there.
    const REQUIRED: bool;

    fn read(key: &'static str, object: &Object<'_>) -> Result<Self, Refusal>;

    fn schema() -> Schema;
}

impl<T: Value> Field for T {
    const REQUIRED: bool = true;

    fn read(key: &'static str, object: &Object<'_>) -> Result<Self, Refusal> {
        T::read(key, fields::required(key, object.get(key))?, object.limits)
    }

    fn schema() -> Schema {
        T::schema()
    }
}

impl<T: Value> Field for Option<T> {
    const REQUIRED: bool = false;

    fn read(key: &'static str, object: &Object<'_>) -> Result<Self, Refusal> {
        let raw: Raw<'_> = object.get(key);
        raw.map(|raw| T::read(key, raw, object.limits)).transpose()
    }

    fn schema() -> Schema {
        nullable(T::schema())
    }
}

fn nullable(schema: Schema) -> Schema {
    let or_null = |present: SchemaType| match present {
        SchemaType::Type(present) => SchemaType::Array(vec![present, Type::Null]),
        other => other,
    };
    match schema {
        Schema::Object(mut object) => {
            object.schema_type = or_null(object.schema_type);
            if let Some(values) = &mut object.enum_values {
                values.push(Json::Null);
            }
            Schema::Object(object)
        }
        Schema::Array(mut array) => {
            array.schema_type = or_null(array.schema_type);
            Schema::Array(array)
        }
        other => other,
    }
}

/// The schema of a body: its keys in their order, and no others.
pub(crate) fn object_schema<const N: usize>(
    description: &str,
    keys: [(&'static str, bool, Schema, &str); N],
) -> Schema {
    let object = ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some(description.trim()))
        .additional_properties(Some(AdditionalProperties::FreeForm(false)));
    keys.into_iter()
        .fold(object, |object, (key, required, schema, description)| {
            let object = object.property(key, described(schema, description.trim()));
            if required { object.required(key) } else { object }
        })
        .into()
}

/// The key's own description, before what is always said of such a value.
fn described(mut schema: Schema, text: &str) -> Schema {
    let description = match &mut schema {
        Schema::Object(object) => &mut object.description,
        Schema::Array(array) => &mut array.description,
        _ => return schema,
    };
    let rules = description.take();
    *description = Some(rules.map_or_else(|| text.to_owned(), |rules| format!("{text} {rules}")));
    schema
}

/// Declares a body: a struct whose fields are its keys, read strictly and described by their types and docs.
macro_rules! body {
    (
        $(#[doc = $doc:literal])+
        $name:ident {
            $($(#[doc = $key_doc:literal])+ $key:ident: $value:ty,)+
        }
    ) => {
        $(#[doc = $doc])+
        pub(crate) struct $name {
            $($(#[doc = $key_doc])+ pub(crate) $key: $value,)+
        }

        // Only its name: among the values are passwords and tokens.
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }

        impl $crate::input::body::Fields for $name {
            const NAME: &'static str = stringify!($name);
            const KEYS: &'static [&'static str] = &[$(stringify!($key)),+];

            fn read(
                object: &$crate::input::body::Object<'_>,
            ) -> Result<Self, sealroom_domain::Refusal> {
                Ok(Self {
                    $($key: <$value as $crate::input::fields::Field>::read(stringify!($key), object)?,)+
                })
            }

            fn schema() -> utoipa::openapi::Schema {
                $crate::input::fields::object_schema(
                    concat!($($doc),+),
                    [$((
                        stringify!($key),
                        <$value as $crate::input::fields::Field>::REQUIRED,
                        <$value as $crate::input::fields::Field>::schema(),
                        concat!($($key_doc),+),
                    )),+],
                )
            }
        }
    };
}

pub(crate) use body;

/// A text as it came.
fn text<'a>(key: &'static str, raw: &'a RawValue) -> Result<Cow<'a, str>, Refusal> {
    fields::required(key, fields::text(key, Some(raw))?)
}

/// What people read: see the rules of names in [`sealroom_domain`].
fn label() -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(256))
        .pattern(Some(r"^[^\u0000-\u001f\u007f-\u009f]*$"))
        .description(Some(
            "1 to 256 bytes of UTF-8, no control characters, not white space alone.",
        ))
        .into()
}

macro_rules! labels {
    ($($name:ident),+) => {
        $(impl Value for $name {
            fn read(key: &'static str, raw: &RawValue, _limits: &Limits) -> Result<Self, Refusal> {
                Self::new(&*text(key, raw)?).map_err(|NameError| Refusal::invalid(key))
            }

            fn schema() -> Schema {
                label()
            }
        })+
    };
}

labels!(DisplayName, GroupName, Username);

impl Value for UserId {
    fn read(key: &'static str, raw: &RawValue, _limits: &Limits) -> Result<Self, Refusal> {
        fields::required(key, fields::user_id(key, Some(raw))?)
    }

    fn schema() -> Schema {
        integer(1).description(Some("An id.")).into()
    }
}

impl Value for Seq {
    fn read(key: &'static str, raw: &RawValue, _limits: &Limits) -> Result<Self, Refusal> {
        fields::required(key, fields::seq(key, Some(raw))?)
    }

    fn schema() -> Schema {
        integer(0).description(Some("A place in a log.")).into()
    }
}

impl Value for KeyEpoch {
    fn read(key: &'static str, raw: &RawValue, _limits: &Limits) -> Result<Self, Refusal> {
        fields::required(key, fields::key_epoch(key, Some(raw))?)
    }

    fn schema() -> Schema {
        integer(0).description(Some("A key epoch.")).into()
    }
}

/// A text of any kind, which a use case has rules for.
impl Value for String {
    fn read(key: &'static str, raw: &RawValue, _limits: &Limits) -> Result<Self, Refusal> {
        text(key, raw).map(Cow::into_owned)
    }

    fn schema() -> Schema {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some(r"^[^\u0000]*$"))
            .into()
    }
}

impl Value for Retention {
    fn read(key: &'static str, raw: &RawValue, limits: &Limits) -> Result<Self, Refusal> {
        let object = Object::parse(raw.get().as_bytes(), &["age_s", "count"], limits)
            .map_err(|_shape| Refusal::invalid(key))?;
        // As long as a place in a log, and not 0.
        let number = |name| match fields::seq(key, object.get(name))? {
            Some(Seq::ZERO) => Err(Refusal::invalid(key)),
            number => Ok(number.and_then(|number| u64::try_from(number.get()).ok())),
        };
        Ok(Self {
            age: number("age_s")?.map(Duration::from_secs),
            count: number("count")?,
        })
    }

    fn schema() -> Schema {
        let most = |text| integer(1).maximum(Some(MAX_SAFE_INTEGER)).description(Some(text));
        ObjectBuilder::new()
            .schema_type(Type::Object)
            .additional_properties(Some(AdditionalProperties::FreeForm(false)))
            .property(
                "age_s",
                nullable(most("Entries that are older in seconds are forgotten.").into()),
            )
            .property(
                "count",
                nullable(most("Entries before the last so many are forgotten.").into()),
            )
            .into()
    }
}

impl Value for Role {
    fn read(key: &'static str, raw: &RawValue, _limits: &Limits) -> Result<Self, Refusal> {
        fields::required(key, fields::role(key, Some(raw))?)
    }

    fn schema() -> Schema {
        one_of([Self::Member, Self::Admin, Self::Owner].map(Self::as_str)).into()
    }
}

impl Value for EncryptedContent {
    fn read(key: &'static str, raw: &RawValue, limits: &Limits) -> Result<Self, Refusal> {
        fields::content(key, Some(raw), limits.content_bytes)
    }

    fn schema() -> Schema {
        let most = Limits::default().content_bytes;
        ObjectBuilder::new()
            .schema_type(Type::String)
            .min_length(Some(1))
            .max_length(Some(most))
            .pattern(Some(r"^[^\u0000]*$"))
            .description(Some(format!(
                "1 to {most} bytes of UTF-8 (a setting) without U+0000, kept byte for byte."
            )))
            .into()
    }
}

impl<T: Value> Value for Vec<T> {
    fn read(key: &'static str, raw: &RawValue, limits: &Limits) -> Result<Self, Refusal> {
        let items: Vec<&RawValue> =
            serde_json::from_str(raw.get()).map_err(|_not_an_array| Refusal::invalid(key))?;
        items.into_iter().map(|item| T::read(key, item, limits)).collect()
    }

    fn schema() -> Schema {
        ArrayBuilder::new()
            .items(ArrayItems::RefOrSchema(Box::new(T::schema().into())))
            .into()
    }
}

#[cfg(test)]
mod tests {
    use sealroom_domain::ErrorCode;
    use serde_json::json;

    use super::*;
    use crate::input::body::Fields as _;

    body! {
        /// A body.
        Sample {
            /// What it says.
            content: EncryptedContent,
            /// Who reads it.
            readers: Option<Vec<UserId>>,
            /// As what.
            role: Option<Role>,
        }
    }

    fn read(json: &str) -> Result<Sample, Refusal> {
        let mut limits = Limits::default();
        limits.content_bytes = 4;
        Sample::read(&Object::parse(json.as_bytes(), Sample::KEYS, &limits)?)
    }

    #[test]
    fn keys_are_read_as_their_types_say() {
        let sample = read(r#"{"readers":[7,8],"content":"é\n","role":"owner"}"#).unwrap();
        assert_eq!(sample.content.as_str(), "é\n");
        let readers: Vec<_> = sample.readers.unwrap().into_iter().map(UserId::get).collect();
        assert_eq!((readers, sample.role), (vec![7, 8], Some(Role::Owner)));
        let sample = read(r#"{"content":"a","readers":null}"#).unwrap();
        assert!(sample.readers.is_none() && sample.role.is_none());
    }

    #[test]
    fn values_are_not_printed() {
        let sample = read(r#"{"content":"abcd"}"#).unwrap();
        assert_eq!(format!("{sample:?}"), "Sample { .. }");
    }

    #[test]
    fn the_key_at_fault_is_told() {
        for (json, key) in [
            ("{}", "content"),
            (r#"{"content":null}"#, "content"),
            (r#"{"content":""}"#, "content"),
            (r#"{"content":"a","readers":[null]}"#, "readers"),
            (r#"{"content":"a","readers":7}"#, "readers"),
            (r#"{"content":"a","role":"root"}"#, "role"),
            (r#"{"content":"a","role":"owner","role":"owner"}"#, "role"),
        ] {
            assert_eq!(read(json).unwrap_err(), Refusal::invalid(key), "{json}");
        }
        let too_large = read(r#"{"content":"abcde"}"#).unwrap_err();
        assert_eq!(too_large.code, ErrorCode::PayloadTooLarge);
    }

    #[test]
    fn the_schema_says_what_is_read() {
        let schema = serde_json::to_value(Sample::schema()).unwrap();
        assert_eq!(schema["description"], "A body.");
        assert_eq!(schema["additionalProperties"], false);
        assert_eq!(schema["required"], json!(["content"]));
        let keys: Vec<_> = schema["properties"].as_object().unwrap().keys().collect();
        assert_eq!(keys.len(), Sample::KEYS.len());
        let readers = &schema["properties"]["readers"];
        assert_eq!(readers["type"], json!(["array", "null"]));
        assert_eq!(readers["items"]["maximum"], json!(9_007_199_254_740_991_i64));
        let roles = json!(["member", "admin", "owner", null]);
        assert_eq!(schema["properties"]["role"]["enum"], roles);
        let content = &schema["properties"]["content"];
        assert!(
            content["description"]
                .as_str()
                .unwrap()
                .starts_with("What it says. 1 to")
        );
    }
}
