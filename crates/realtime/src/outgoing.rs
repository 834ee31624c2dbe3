//! One thing that is sent to a socket, and how it looks on the wire.

use std::sync::Arc;

use sealroom_engine::{Published, Shared, Signal};
use sealroom_wire::{RawValue, event_name};
use socketioxide::socket::Socket;

use crate::{
    events::{ack_sender, encoding},
    frame,
    notices::{encode_signal, signal_name},
};

/// One thing to send.
pub(crate) enum Outgoing {
    /// An entry of a log, which all sockets share.
    Entry(Arc<Published>),
    /// A signal, which all sockets share.
    Signal(Arc<Shared<Signal>>),
    /// An event of this socket alone.
    Event(&'static str, Box<RawValue>),
    /// The answer to a request, under the number that the client gave it.
    Ack(i64, Box<RawValue>),
}

/// What goes on the wire.
pub(crate) enum Packet<'a> {
    Event(&'static str, &'a RawValue),
    Ack(i64, &'a RawValue),
}

impl Outgoing {
    /// `None` where it cannot be encoded.
    pub(crate) fn packet(&self) -> Option<Packet<'_>> {
        Some(match self {
            Self::Entry(published) => Packet::Event(event_name(published.entry()), encoding(published)?),
            Self::Signal(signal) => Packet::Event(signal_name(*signal.value()), encoded(signal)?),
            Self::Event(name, data) => Packet::Event(name, data),
            Self::Ack(id, data) => Packet::Ack(*id, data),
        })
    }
}

impl Packet<'_> {
    /// Its length, without the header of a frame.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Event(name, data) => frame::event_bytes(name, data.get()),
            Self::Ack(id, data) => frame::ack_bytes(*id, data.get()),
        }
    }

    /// Writes it as a frame to the end of `out`.
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Event(name, data) => frame::put_event(out, name, data.get()),
            Self::Ack(id, data) => frame::put_ack(out, *id, data.get()),
        }
    }

    /// Gives it to the library; `false` where that cannot take it.
    pub(crate) fn pass(&self, socket: &Arc<Socket>) -> bool {
        match self {
            Self::Event(name, data) => socket.emit(name, data).is_ok(),
            Self::Ack(id, data) => ack_sender(socket, *id).send(data).is_ok(),
        }
    }
}

fn encoded(signal: &Shared<Signal>) -> Option<&RawValue> {
    signal.encoding(encode_signal).and_then(Option::as_deref)
}
