//! Casts that no recorded value shows.
