//! Checkpoints over a store in memory.

use std::sync::Arc;

use arrow::array::{AsArray, Int64Array, RecordBatch, StringArray};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};

use super::*;
use crate::error::ErrorKind;
use crate::error::Result;
use crate::state::{KeyGroups, StateChanges, StatePart, Table, TableSnapshot};

fn rows(pairs: &[(&str, i64)]) -> RecordBatch {
    let keys: Vec<&str> = pairs.iter().map(|p| p.0).collect();
    let values: Vec<i64> = pairs.iter().map(|p| p.1).collect();
    RecordBatch::try_from_iter([
        ("k", Arc::new(StringArray::from(keys)) as _),
        ("v", Arc::new(Int64Array::from(values)) as _),
    ])
    .unwrap()
}

fn whole(pairs: &[(&str, i64)]) -> StatePart {
    StatePart::keyed("groups", rows(pairs), &[0]).unwrap()
}

fn changes(pairs: &[(&str, i64)], gone: &[&str]) -> StatePart {
    let gone: Vec<(&str, i64)> = gone.iter().map(|k| (*k, 0)).collect();
    StatePart {
        changes: Some(StateChanges {
            key: vec![0],
            gone_groups: whole(&gone).key_groups.values().iter().copied().collect(),
            gone: rows(&gone).project(&[0]).unwrap(),
            whole: KeyGroups::default(),
        }),
        ..whole(pairs)
    }
}

fn state(parts: Vec<StatePart>) -> JobState {
    state_of(parts.into_iter().map(TableSnapshot::from).collect())
}

fn state_of(parts: Vec<TableSnapshot>) -> JobState {
    JobState {
        time: 7,
        sources: vec![SourceState {
            id: "source/t".into(),
            place: None,
            partitions: Vec::new(),
        }],
        operators: vec![OperatorSnapshot {
            id: "s/GroupAggregate-1".into(),
            title: "GroupAggregate".into(),
            watermark: None,
            parts,
            ended: KeyGroups::default(),
        }],
        ..JobState::default()
    }
}

struct Store {
    raw: Arc<InMemory>,
    checkpoints: Checkpoints,
    owner: Owner,
    last: Option<Manifest>,
}

impl Store {
    async fn new() -> Self {
        let raw = Arc::new(InMemory::new());
        let checkpoints = Checkpoints::new(&Location::simulated(Arc::clone(&raw) as _), "job");
        let owner = checkpoints.own("test", false).await.unwrap();
        Self {
            raw,
            checkpoints,
            owner,
            last: None,
        }
    }

    async fn save(&mut self, epoch: u64, parts: Vec<StatePart>) -> Manifest {
        self.save_state(epoch, state(parts)).await
    }

    async fn save_state(&mut self, epoch: u64, state: JobState) -> Manifest {
        let saved = self.try_save(epoch, state).await.unwrap();
        self.last = Some(saved.clone());
        saved
    }

    async fn try_save(&self, epoch: u64, state: JobState) -> Result<Manifest> {
        let last = self.last.as_ref();
        let saved = self
            .checkpoints
            .save(&self.owner, epoch, Arc::new(state), last);
        saved.await
    }

    /// The rows of the operator in a checkpoint, sorted.
    async fn rows(&self, manifest: &Manifest) -> Vec<(String, i64)> {
        let mut all = Vec::new();
        for part in load(&self.checkpoints.location, &manifest.operators[0])
            .await
            .unwrap()
        {
            use arrow::array::AsArray;
            let keys = part.rows.column(0).as_string::<i32>();
            let values = part
                .rows
                .column(1)
                .as_primitive::<arrow::datatypes::Int64Type>();
            for (k, v) in keys.iter().zip(values.values()) {
                all.push((k.unwrap().to_string(), *v));
            }
        }
        all.sort();
        all
    }

    async fn files(&self) -> Vec<String> {
        use futures::TryStreamExt;
        let all: Vec<_> = self.raw.list(None).try_collect().await.unwrap();
        let mut names: Vec<String> = all.iter().map(|o| o.location.to_string()).collect();
        names.sort();
        names
    }
}

#[tokio::test]
async fn changes_are_stored_beside_what_they_change() {
    let mut store = Store::new().await;
    let first = store
        .save(1, vec![whole(&[("a", 1), ("b", 2), ("c", 3)])])
        .await;
    let second = store.save(2, vec![changes(&[("b", 20)], &["c"])]).await;
    assert_eq!(second.operators[0].tables["groups"].len(), 2);
    assert_eq!(
        second.new_bytes(),
        second.bytes() - first.bytes(),
        "what was there is not written again"
    );
    let expected = vec![("a".to_string(), 1), ("b".to_string(), 20)];
    assert_eq!(store.rows(&second).await, expected);
    // Nothing changed: nothing is written but the manifest.
    let third = store.save(3, vec![changes(&[], &[])]).await;
    assert_eq!((third.new_bytes(), third.bytes()), (0, second.bytes()));
    assert_eq!(store.rows(&third).await, expected);
}

#[tokio::test]
async fn a_whole_table_that_did_not_change_is_referred_to() {
    let mut store = Store::new().await;
    store.save(1, vec![whole(&[("a", 1)])]).await;
    let second = store.save(2, vec![whole(&[("a", 1)])]).await;
    assert_eq!(second.new_bytes(), 0);
    let third = store.save(3, vec![whole(&[("a", 2)])]).await;
    assert_eq!(third.operators[0].tables["groups"].len(), 1);
    assert_eq!(store.rows(&third).await, [("a".to_string(), 2)]);
}

/// However a table changes, and for however long: it consists of few files, which hold little more than the table.
#[tokio::test]
async fn what_was_replaced_is_not_kept_for_ever() {
    // How many of 6,000 rows change from checkpoint to checkpoint, and how many files there may be.
    for (changes, most) in [(1, 70), (600, 70), (4000, 4)] {
        let schema = rows(&[]).schema();
        let mut table = Table::new("groups", schema, &[0], &[0], None).unwrap();
        let (mut store, mut expected) = (Store::new().await, BTreeMap::new());
        let mut next = 0i64;
        for epoch in 1..150 {
            let n = if epoch == 1 { 6000 } else { changes };
            let written: Vec<(String, i64)> = (0..n)
                .map(|i| (format!("key {}", (next + i * 7) % 6000), next + i))
                .collect();
            next += n;
            let pairs: Vec<(&str, i64)> = written.iter().map(|(k, v)| (k.as_str(), *v)).collect();
            let batch = rows(&pairs);
            let keys = table.keys_of(&batch.columns()[..1], pairs.len()).unwrap();
            for (at, (_, value)) in pairs.iter().enumerate() {
                let (slot, _) = table.write(&keys, at).unwrap();
                table.set_int(1, slot, *value).unwrap();
            }
            expected.extend(written);
            // One goes, and comes again at some other time.
            if epoch % 5 == 0 {
                let slot = table.all()[7];
                let gone = table.rows(&[slot]).unwrap();
                let key = gone.column(0).as_string::<i32>().value(0).to_string();
                expected.remove(&key);
                table.remove(slot).unwrap();
            }
            let saved = store
                .save_state(epoch, state_of(table.snapshot().unwrap()))
                .await;
            let files = &saved.operators[0].tables["groups"];
            assert!(
                files.len() <= most,
                "{} files, {changes} changes",
                files.len()
            );
            let held: u64 = files.iter().map(|f| f.rows).sum();
            assert!(held < 4 * 6000, "{held} rows, {changes} changes");
            if epoch % 10 == 0 {
                let all: Vec<(String, i64)> = expected.clone().into_iter().collect();
                assert_eq!(store.rows(&saved).await, all);
            }
            store.checkpoints.retain(2, epoch).await.unwrap();
        }
        let files = store.files().await;
        assert!(files.len() < 90, "{files:?}");
    }
}

#[tokio::test]
async fn a_table_that_has_become_empty_needs_no_files() {
    let mut store = Store::new().await;
    let schema = rows(&[]).schema();
    let mut table = Table::new("groups", schema, &[0], &[0], None).unwrap();
    let keys = table
        .keys_of(&rows(&[("a", 0), ("b", 0)]).columns()[..1], 2)
        .unwrap();
    table.write_all(&keys).unwrap();
    table
        .all()
        .into_iter()
        .for_each(|slot| table.set_int(1, slot, 0).unwrap());
    store
        .save_state(1, state_of(table.snapshot().unwrap()))
        .await;
    table
        .all()
        .into_iter()
        .for_each(|slot| table.remove(slot).unwrap());
    for epoch in 2..4 {
        let saved = store
            .save_state(epoch, state_of(table.snapshot().unwrap()))
            .await;
        assert_eq!(saved.files().count(), 0, "{saved:?}");
    }
}

#[tokio::test]
async fn how_far_event_time_had_come_is_kept_without_rows_too() {
    let mut store = Store::new().await;
    for epoch in 1..3 {
        let mut state = state(vec![whole(&[])]);
        state.operators[0].watermark = Some(7);
        let saved = store.save_state(epoch, state).await;
        let operator = &saved.operators[0];
        assert_eq!((operator.watermark, saved.files().count()), (Some(7), 0));
        let location = &store.checkpoints.location;
        assert!(load(location, operator).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn state_of_instances_that_have_ended_is_left_out() {
    let mut store = Store::new().await;
    store.save(1, vec![whole(&[("a", 1), ("b", 2)])]).await;
    let group = whole(&[("b", 2)]).key_groups.value(0);
    for (epoch, parts) in [
        (2, vec![changes(&[("a", 3)], &[])]),
        (3, vec![changes(&[], &[])]),
    ] {
        let mut next = state(parts);
        next.operators[0].ended.insert(group);
        let saved = store.save_state(epoch, next).await;
        assert_eq!(store.rows(&saved).await, [("a".to_string(), 3)]);
        assert_eq!(saved.files().count(), 2, "the second says it once");
    }
}

#[tokio::test]
async fn only_what_nobody_needs_is_removed() {
    let mut store = Store::new().await;
    store.save(1, vec![whole(&[("a", 1), ("b", 2)])]).await;
    store.save(2, vec![changes(&[("a", 2)], &[])]).await;
    let third = store.save(3, vec![changes(&[("a", 3)], &[])]).await;
    store.checkpoints.retain(1, 3).await.unwrap();
    assert_eq!(store.checkpoints.epochs().await.unwrap(), [3]);
    assert_eq!(
        store.rows(&third).await,
        [("a".to_string(), 3), ("b".to_string(), 2)]
    );
    // A checkpoint whose commit is not known is kept, however many there are.
    store.save(4, vec![changes(&[("a", 4)], &[])]).await;
    store.save(5, vec![whole(&[("a", 5)])]).await;
    store.checkpoints.retain(1, 4).await.unwrap();
    assert_eq!(store.checkpoints.epochs().await.unwrap(), [5, 4]);
    store.checkpoints.retain(1, 5).await.unwrap();
    let files = store.files().await;
    let state: Vec<&String> = files.iter().filter(|f| f.contains("/state/")).collect();
    assert_eq!(state.len(), 1, "{files:?}");
}

#[tokio::test]
async fn a_damaged_checkpoint_is_never_restored() {
    let mut store = Store::new().await;
    store.save(1, vec![whole(&[("a", 1)])]).await;
    store.save(2, vec![whole(&[("a", 2)])]).await;
    let third = store.save(3, vec![whole(&[("a", 3)])]).await;
    let put = |path: String, bytes: Vec<u8>| {
        let raw = Arc::clone(&store.raw);
        async move {
            raw.put(&Path::from(path), PutPayload::from(bytes))
                .await
                .unwrap();
        }
    };
    // The manifest is torn.
    let manifest = "job/manifests/000000000003.json";
    let bytes = store.raw.get(&Path::from(manifest)).await.unwrap();
    let bytes = bytes.bytes().await.unwrap().to_vec();
    put(manifest.into(), bytes[..bytes.len() / 2].to_vec()).await;
    assert_eq!(store.checkpoints.newest().await.unwrap().unwrap().epoch, 2);
    // One bit of it is another.
    let mut other = bytes.clone();
    let at = other.iter().position(|b| *b == b'7').unwrap();
    other[at] = b'8';
    put(manifest.into(), other).await;
    assert_eq!(store.checkpoints.newest().await.unwrap().unwrap().epoch, 2);
    put(manifest.into(), bytes).await;
    assert_eq!(store.checkpoints.newest().await.unwrap().unwrap().epoch, 3);
    // A file of state is cut off; one is changed, which only reading it shows.
    let file = &third.operators[0].tables["groups"][0];
    let path = format!("job/{}", file.path);
    let bytes = store.raw.get(&Path::from(path.as_str())).await.unwrap();
    let bytes = bytes.bytes().await.unwrap().to_vec();
    put(path.clone(), bytes[..10].to_vec()).await;
    assert_eq!(store.checkpoints.newest().await.unwrap().unwrap().epoch, 2);
    let mut other = bytes.clone();
    let last = other.len() / 2;
    other[last] ^= 1;
    put(path, other).await;
    let location = &store.checkpoints.location;
    let wrong = Checkpoints::verify(location, &third).await;
    assert_eq!(wrong.len(), 1);
    assert!(wrong[0].message.contains("does not have the bytes"));
    let error = load(location, &third.operators[0]).await.unwrap_err();
    assert!(error.message.contains(&file.path), "{error}");
}

#[tokio::test]
async fn a_later_run_shuts_out_an_earlier_one() {
    let mut store = Store::new().await;
    let first = store.save(1, vec![whole(&[("a", 1)])]).await;
    let later = store.checkpoints.own("later", false).await.unwrap();
    let begun = store.checkpoints.begin(&later, 2, &first).await.unwrap();
    let begun = begun.unwrap();
    assert_eq!((begun.epoch, &begun.operators), (2, &first.operators));
    let stale = store.try_save(2, state(Vec::new())).await.unwrap_err();
    assert_eq!(stale.kind, ErrorKind::Fenced);
    let again = store.checkpoints.own("test", true).await;
    assert_eq!(again.unwrap_err().kind, ErrorKind::Fenced);
    assert!(store.checkpoints.own("later", true).await.is_ok());
    let later = store.checkpoints.own("later", true).await.unwrap();
    store.owner = later;
    store.save(3, Vec::new()).await;
}

#[tokio::test]
async fn a_run_whose_files_a_later_one_has_removed_is_shut_out() {
    let mut store = Store::new().await;
    store.save(1, vec![whole(&[("a", 1)])]).await;
    let later = store.checkpoints.own("later", false).await.unwrap();
    store.checkpoints.forget(|_| true).await.unwrap();
    store.checkpoints.sweep(&later).await.unwrap();
    let saved = store
        .try_save(2, state(vec![changes(&[("a", 3)], &[])]))
        .await;
    assert_eq!(saved.unwrap_err().kind, ErrorKind::Fenced);
}

/// The write of an earlier run's manifest hangs until a later one has taken over: before that has begun it counts, and is what
/// the later one goes on from; after that it is refused.
#[tokio::test]
async fn a_manifest_on_its_way_counts_before_the_next_run_has_begun_or_never() {
    let mut store = Store::new().await;
    let first = store.save(1, vec![whole(&[("a", 1)])]).await;
    let checkpoints = store.checkpoints.clone();
    let later = checkpoints.own("later", false).await.unwrap();
    // It lands after the later run has looked: that one must look again.
    let second = state(Vec::new());
    let late = store
        .checkpoints
        .save(&store.owner, 2, Arc::new(second), Some(&first))
        .await;
    assert_eq!(late.unwrap_err().kind, ErrorKind::Fenced);
    assert!(
        checkpoints
            .begin(&later, 2, &first)
            .await
            .unwrap()
            .is_none()
    );
    let found = checkpoints.newest().await.unwrap().unwrap();
    assert_eq!(found.epoch, 2);
    let begun = checkpoints.begin(&later, 3, &found).await.unwrap().unwrap();
    assert_eq!(checkpoints.newest().await.unwrap().unwrap().epoch, 3);
    // The next one: what the later run has written stays, whatever an earlier one sweeps.
    let last = state(vec![whole(&[("a", 2)])]);
    let saved = checkpoints
        .save(&later, 4, Arc::new(last), Some(&begun))
        .await
        .unwrap();
    checkpoints
        .location
        .remove("manifests/000000000004.json")
        .await
        .unwrap();
    checkpoints.sweep(&store.owner).await.unwrap();
    let files = store.files().await;
    for file in saved.files() {
        assert!(files.contains(&format!("job/{}", file.path)), "{files:?}");
    }
    checkpoints.sweep(&later).await.unwrap();
    assert!(
        !store
            .files()
            .await
            .iter()
            .any(|f| f.contains("/state/000000000004"))
    );
}

#[tokio::test]
async fn a_savepoint_stands_by_itself() {
    let mut store = Store::new().await;
    store.save(1, vec![whole(&[("a", 1), ("b", 2)])]).await;
    let second = store.save(2, vec![changes(&[("a", 2)], &[])]).await;
    let elsewhere = Location::simulated(Arc::new(InMemory::new()));
    store
        .checkpoints
        .savepoint(&second, Some(&elsewhere))
        .await
        .unwrap();
    let found = Checkpoints::open_savepoint(&elsewhere).await.unwrap();
    assert_eq!(found.kind, Kind::Savepoint);
    assert!(Checkpoints::verify(&elsewhere, &found).await.is_empty());
    // Another job begins with it, and goes on with changes.
    let mut other = Store::new().await;
    let begun = other
        .checkpoints
        .import(&other.owner, 0, Some((&elsewhere, &found)))
        .await
        .unwrap();
    let begun = other.checkpoints.begin(&other.owner, 9, &begun).await;
    other.last = begun.unwrap();
    let next = other.save(10, vec![changes(&[("b", 3)], &[])]).await;
    assert_eq!(
        other.rows(&next).await,
        [("a".to_string(), 2), ("b".to_string(), 3)]
    );
}

#[tokio::test]
async fn requests_are_answered() {
    let store = Store::new().await;
    let folder = &store.checkpoints.location;
    let name = Request::name();
    Request::Checkpoint.put(folder, &name).await.unwrap();
    assert_eq!(
        Request::waiting(folder).await.unwrap(),
        [(name.clone(), Request::Checkpoint)]
    );
    assert_eq!(Request::answered(folder, &name).await.unwrap(), None);
    assert!(!Request::is_seen(folder, &name).await.unwrap());
    Request::see(folder, &name).await.unwrap();
    assert!(Request::is_seen(folder, &name).await.unwrap());
    assert_eq!(Request::waiting(folder).await.unwrap().len(), 1);
    let answer = Answer {
        epoch: Some(4),
        savepoint: None,
        error: None,
    };
    Request::answer(folder, &name, &answer).await.unwrap();
    assert!(Request::waiting(folder).await.unwrap().is_empty());
    assert_eq!(
        Request::answered(folder, &name).await.unwrap(),
        Some(answer)
    );
    assert!(!Request::is_seen(folder, &name).await.unwrap());
}
