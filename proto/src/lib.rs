//! flowline's control API: the messages, client and service of `control.proto`.

/// Version 1.
#[allow(
    missing_docs,
    clippy::all,
    reason = "generated; the .proto file says what they are"
)]
pub mod v1 {
    include!(concat!(env!("OUT_DIR"), "/flowline.control.v1.rs"));
}

/// The compiled `control.proto`, which server reflection answers with.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/control.bin"));
