//! A message as its event carries it.

use anyhow::ensure;
use sealroom_domain::{DisplayName, Entry, EntryBody, GroupId, Message, MessageId, Seq, Timestamp, UserId};
use sealroom_wire::EventEntry;

use crate::{Round, content};

pub(crate) struct Encode(Entry);

impl Encode {
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self(Entry {
            group_id: GroupId::new(12)?,
            seq: Seq::new(123_456)?,
            at: Timestamp::from_micros(1_700_000_000_123_456),
            body: EntryBody::Message(Message {
                id: MessageId::new(1_234_567)?,
                sender_id: UserId::new(42)?,
                sender_name: DisplayName::new("Somebody with a name")?,
                content: Some(content()?),
                client_message_id: None,
                key_epoch: None,
            }),
        }))
    }
}

impl Round for Encode {
    fn play(&mut self) -> anyhow::Result<()> {
        let text = serde_json::to_string(&EventEntry(&self.0))?;
        ensure!(text.len() > 256, "{text}");
        Ok(())
    }
}
