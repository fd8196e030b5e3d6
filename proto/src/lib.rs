//! flowline's control API: the messages of `control.proto`.

/// Version 1 of the messages.
#[allow(missing_docs, reason = "generated; the .proto file says what they are")]
pub mod v1 {
    include!(concat!(env!("OUT_DIR"), "/flowline.control.v1.rs"));
}
