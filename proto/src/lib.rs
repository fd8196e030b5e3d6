//! flowline control API messages.
