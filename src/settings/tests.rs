//! Settings taken, refused and read.

use super::*;

#[test]
fn a_slip_is_told_with_the_nearest_key() {
    let mut settings = Settings::default();
    for (slip, near) in [
        ("table.exec.state.tll", "table.exec.state.ttl"),
        (
            "taskmanager.numberOfTaskSlot",
            "taskmanager.numberOfTaskSlots",
        ),
        (
            "state.backend.rocksdb.localdirr",
            "state.backend.rocksdb.localdir",
        ),
        (
            "execution.checkpointing.intervall",
            "execution.checkpointing.interval",
        ),
    ] {
        let help = settings.set(slip, "1").unwrap_err().help.unwrap();
        assert_eq!(help, format!("did you mean '{near}'?"));
        assert!(settings.reset(slip).is_err());
    }
    let far = settings.set("colour", "red").unwrap_err();
    assert!(far.help.unwrap().contains("parallelism.default, "));
    assert_eq!(settings.iter().count(), 0);
}

#[test]
fn old_names_are_the_new_keys() {
    let mut settings = Settings::default();
    settings.set("state.checkpoints.dir", "/tmp/x").unwrap();
    settings.set("restart-strategy", "none").unwrap();
    assert_eq!(settings.checkpoint_dir(), "/tmp/x");
    assert_eq!(settings.restarts().attempts, 0);
    settings.reset("execution.checkpointing.dir").unwrap();
    assert_eq!(settings.checkpoint_dir(), CHECKPOINT_DIR);
}

#[test]
fn what_is_given_from_outside_goes_over_the_files() {
    let mut settings = Settings::default();
    settings.fix("table.exec.state.ttl", "1 h").unwrap();
    settings.set("table.exec.state.ttl", "1 d").unwrap();
    settings.reset_all();
    settings.set("table.exec.state.ttl", "2 d").unwrap();
    assert_eq!(settings.state_ttl(), Some(Duration::from_secs(3600)));
}

#[test]
fn a_wrong_value_is_told_with_what_the_key_takes() {
    let error = Settings::default()
        .set("flowline.arithmetic.overflow", "saturate")
        .unwrap_err();
    assert!(error.message.contains("does not take 'saturate'"));
    assert!(error.help.unwrap().contains("one of wrap, error"));
}
