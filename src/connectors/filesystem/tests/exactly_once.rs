//! What a crash at any point leaves: rows of committed epochs, each once, and nothing half done that readers see.

use std::collections::BTreeSet;

use super::*;
use crate::connectors::{Committer, SinkWriter};

/// One run of a job that writes the table.
struct Run {
    committer: Arc<dyn Committer>,
    writers: Vec<Box<dyn SinkWriter>>,
}

impl Run {
    async fn begin(
        case: &Case,
        name: &str,
        writers: usize,
        epoch: Option<u64>,
        prepared: &[String],
    ) -> Self {
        let sink = make_sink(&case.table).unwrap();
        let job = job(name);
        let committer = sink.committer(&job).unwrap().unwrap();
        assert_eq!(committer.recover(prepared).await.unwrap(), None);
        // Nothing is visible that a restart would write again.
        let ahead = committer.ahead(epoch.unwrap_or(0), prepared).await;
        assert_eq!(ahead.unwrap(), None);
        committer.restore(epoch, prepared).await.unwrap();
        committer.restore(epoch, prepared).await.unwrap();
        let mut run = Self {
            committer,
            writers: Vec::new(),
        };
        for instance in 0..writers {
            let request = write_request_of(instance, &case.table, &job);
            run.writers.push(sink.writer(request).await.unwrap());
        }
        run
    }

    async fn prepare(&mut self, epoch: u64) -> Vec<String> {
        let mut prepared = Vec::new();
        for writer in &mut self.writers {
            prepared.extend(writer.prepare(epoch).await.unwrap());
        }
        prepared
    }

    async fn close(&mut self) {
        for writer in &mut self.writers {
            writer.close().await.unwrap();
        }
    }
}

/// Numbers of rows seen, each of which must be there once.
async fn seen(case: &Case) -> BTreeSet<i32> {
    let rows = case.rows().await;
    let numbers: BTreeSet<i32> = rows
        .iter()
        .map(|row| row.split('|').next().unwrap().parse().unwrap())
        .collect();
    assert_eq!(numbers.len(), rows.len(), "a row is there twice: {rows:?}");
    numbers
}

#[tokio::test]
async fn nothing_is_seen_before_its_epoch_is_committed() {
    for format in ["json", "csv", "parquet"] {
        let case = Case::new(&[], COLUMNS, &[("format", format)]);
        let mut run = Run::begin(&case, "job", 1, None, &[]).await;
        run.writers[0]
            .write(&batch(&[(1, Some("x"))]))
            .await
            .unwrap();
        run.writers[0].flush().await.unwrap();
        assert_eq!(case.visible(), Vec::<String>::new());
        assert_eq!(case.files().len(), 1);
        let prepared = run.prepare(1).await;
        assert_eq!(prepared.len(), 1);
        assert_eq!(case.visible(), Vec::<String>::new());
        run.committer.commit(1, &prepared).await.unwrap();
        run.committer.commit(1, &prepared).await.unwrap();
        // A file of records goes on, one of columns does not.
        let expected = usize::from(format == "parquet");
        assert_eq!(case.visible().len(), expected);
        assert_eq!(run.prepare(2).await.len(), 1 - expected);
        run.close().await;
        if format != "parquet" {
            assert_eq!(case.visible().len(), 0, "epoch 2 is not committed");
        }
        run.committer.commit(2, &[]).await.unwrap();
        assert_eq!(case.files(), case.visible());
        assert_eq!(case.rows().await, ["1|x"]);
    }
}

#[tokio::test]
async fn what_is_visible_of_later_epochs_is_known() {
    for format in ["csv", "parquet"] {
        let case = Case::new(&[], COLUMNS, &[("format", format)]);
        let mut run = Run::begin(&case, "job", 1, None, &[]).await;
        let mut prepared = Vec::new();
        for epoch in 1..=3 {
            let row = batch(&[(i32::try_from(epoch).unwrap(), Some("x"))]);
            run.writers[0].write(&row).await.unwrap();
            let last = if epoch == 3 { u64::MAX } else { epoch };
            prepared.push(run.prepare(last).await);
            run.committer
                .commit(epoch, &prepared[prepared.len() - 1])
                .await
                .unwrap();
        }
        run.close().await;
        for epoch in 1..=3 {
            let prepared = &prepared[usize::try_from(epoch).unwrap() - 1];
            let ahead = run.committer.ahead(epoch, prepared).await.unwrap();
            assert_eq!(ahead.is_some(), epoch < 3, "{format} {epoch}: {ahead:?}");
        }
        // Of another job there is nothing to say.
        let sink = make_sink(&case.table).unwrap();
        let other = sink.committer(&job("other")).unwrap().unwrap();
        assert_eq!(other.ahead(0, &[]).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_file_in_progress_is_cut_back_to_its_checkpoint() {
    let case = Case::new(&[], COLUMNS, &[("format", "csv")]);
    let mut run = Run::begin(&case, "job", 1, None, &[]).await;
    run.writers[0]
        .write(&batch(&[(1, Some("x"))]))
        .await
        .unwrap();
    let one = run.prepare(1).await;
    run.committer.commit(1, &one).await.unwrap();
    run.writers[0]
        .write(&batch(&[(2, Some("y"))]))
        .await
        .unwrap();
    let two = run.prepare(2).await;
    run.writers[0]
        .write(&batch(&[(3, Some("z"))]))
        .await
        .unwrap();
    run.writers[0].flush().await.unwrap();
    drop(run);
    // A staged file of another job, and one of another table of this job, are theirs.
    let alien = ".part-1-0-0.csv.0123456789abcdef.inprogress";
    case.write(alien, b"9,alien\n");
    let mut run = Run::begin(&case, "job", 1, Some(2), &two).await;
    assert_eq!(case.rows().await, ["1|x", "2|y"]);
    assert_eq!(case.files().len(), 2);
    assert!(case.files().contains(&alien.to_string()));
    // The same rows again, to another file.
    run.writers[0]
        .write(&batch(&[(3, Some("z"))]))
        .await
        .unwrap();
    let three = run.prepare(3).await;
    run.committer.commit(3, &three).await.unwrap();
    run.close().await;
    assert_eq!(case.rows().await, ["1|x", "2|y", "3|z"]);
    assert_eq!(case.visible().len(), 2);
    // What somebody took away after it was published is not asked for again.
    for file in case.visible() {
        std::fs::remove_file(case.dir.path().join(file)).unwrap();
    }
    Run::begin(&case, "job", 1, Some(3), &three).await;
    assert_eq!(case.files(), [alien]);
}

#[tokio::test]
async fn a_writer_that_ends_leaves_whole_files_to_the_next_commit() {
    for format in ["json", "parquet"] {
        let case = Case::new(&[], COLUMNS, &[("format", format)]);
        let mut run = Run::begin(&case, "job", 2, None, &[]).await;
        run.writers[0]
            .write(&batch(&[(1, Some("x"))]))
            .await
            .unwrap();
        run.writers[1]
            .write(&batch(&[(2, Some("y"))]))
            .await
            .unwrap();
        let one = run.prepare(1).await;
        run.committer.commit(1, &one).await.unwrap();
        run.writers[0]
            .write(&batch(&[(3, Some("x"))]))
            .await
            .unwrap();
        let left = run.writers[0].prepare(u64::MAX).await.unwrap().unwrap();
        run.writers[0].close().await.unwrap();
        // What it had prepared is part of the next checkpoint only.
        let mut two = vec![left];
        two.extend(run.writers[1].prepare(2).await.unwrap());
        run.committer.commit(2, &two).await.unwrap();
        assert!(seen(&case).await.is_superset(&BTreeSet::from([1, 3])));
        let three: Vec<String> = run.writers[1]
            .prepare(3)
            .await
            .unwrap()
            .into_iter()
            .collect();
        drop(run);
        Run::begin(&case, "job", 2, Some(3), &three).await;
        assert_eq!(seen(&case).await, BTreeSet::from([1, 2, 3]));
        assert_eq!(case.files(), case.visible());
    }
}

#[tokio::test]
async fn what_was_lost_is_told() {
    let case = Case::new(&[], COLUMNS, &[("format", "csv")]);
    let mut run = Run::begin(&case, "job", 1, None, &[]).await;
    run.writers[0]
        .write(&batch(&[(1, Some("x"))]))
        .await
        .unwrap();
    let prepared = run.prepare(1).await;
    let staged = case.dir.path().join(&case.files()[0]);
    std::fs::write(&staged, "1").unwrap();
    let restored = run.committer.restore(Some(1), &prepared).await.unwrap_err();
    assert!(
        restored
            .message
            .ends_with("1 bytes are left of the 4 that the checkpoint counts on"),
        "{}",
        restored.message
    );
    drop(run);
    let case = Case::new(&[], COLUMNS, &[("format", "parquet")]);
    let mut run = Run::begin(&case, "job", 1, None, &[]).await;
    run.writers[0]
        .write(&batch(&[(1, Some("x"))]))
        .await
        .unwrap();
    let prepared = run.prepare(1).await;
    std::fs::remove_file(case.dir.path().join(&case.files()[0])).unwrap();
    let committed = run.committer.commit(1, &prepared).await.unwrap_err();
    assert!(committed.message.contains("somebody removed the file"));
    let unknown = run
        .committer
        .commit(2, &["?".to_string()])
        .await
        .unwrap_err();
    assert_eq!(unknown.kind, crate::error::ErrorKind::Internal);
}

#[tokio::test]
async fn without_checkpoints_files_are_published_when_they_are_full_and_at_the_end() {
    let size = ("sink.rolling-policy.file-size", "20 b");
    let mut case = Case::new(&[], COLUMNS, &[("format", "csv"), size]);
    let sink = make_sink(&case.table).unwrap();
    assert!(
        sink.committer(&JobContext::new("job", None))
            .unwrap()
            .is_none()
    );
    let mut writer = sink.writer(write_request(0, &case.table)).await.unwrap();
    let rows: Vec<(i32, Option<&str>)> = (0..13).map(|i| (i, Some("text"))).collect();
    for rows in rows.chunks(3) {
        writer.write(&batch(rows)).await.unwrap();
    }
    // Seven bytes a row: the third makes a file larger than 20.
    assert_eq!(case.visible().len(), 4);
    assert_eq!(case.files().len(), 5);
    writer.close().await.unwrap();
    assert_eq!(case.visible().len(), 5);
    assert_eq!(case.files().len(), 5);
    assert_eq!(seen(&case).await, (0..13).collect());
    // A crash leaves hidden files only.
    let mut writer = sink.writer(write_request(0, &case.table)).await.unwrap();
    writer.write(&batch(&rows)).await.unwrap();
    writer.flush().await.unwrap();
    drop(writer);
    assert_eq!(case.files().len() - case.visible().len(), 1);
    // Files are rolled by time, whether rows come or not.
    for key in ["rollover-interval", "inactivity-interval"] {
        case = Case::new(
            &[],
            COLUMNS,
            &[
                ("format", "parquet"),
                (&format!("sink.rolling-policy.{key}"), "30 ms"),
                ("sink.rolling-policy.check-interval", "10 ms"),
            ],
        );
        let sink = make_sink(&case.table).unwrap();
        let mut writer = sink.writer(write_request(0, &case.table)).await.unwrap();
        writer.write(&batch(&rows)).await.unwrap();
        while case.visible().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        assert_eq!(seen(&case).await.len(), 13);
        writer.close().await.unwrap();
        assert_eq!(case.files().len(), 1);
    }
}

#[tokio::test]
async fn what_cannot_be_written_is_told_with_its_path() {
    let mut case = Case::new(&[("file", b"x")], COLUMNS, &[("format", "csv")]);
    let opened = |case: &Case| {
        let sink = make_sink(&case.table).unwrap();
        let request = write_request(0, &case.table);
        async move { sink.writer(request).await.err().unwrap() }
    };
    for below in ["file", "file/deeper"] {
        let path = case.name(below);
        case.table.with.insert("path".into(), path);
        let error = opened(&case).await;
        assert_eq!(error.kind, crate::error::ErrorKind::External);
        assert!(
            error.message.starts_with(&case.name("file"))
                && error
                    .message
                    .ends_with("a file is where a folder should be"),
            "{}",
            error.message
        );
    }
    // Nobody, root neither, may make a folder here.
    if std::path::Path::new("/sys/kernel").is_dir() {
        case.table
            .with
            .insert("path".into(), "/sys/flowline".into());
        let error = opened(&case).await;
        assert_eq!(error.kind, crate::error::ErrorKind::External);
        assert!(error.message.starts_with("/sys/flowline: ") && error.help.is_some());
    }
}

/// Random rows, barriers and crashes: what is seen is what the newest stored checkpoint holds, once.
#[tokio::test]
async fn crashes_at_every_point() {
    for seed in 0..40 {
        let mut random = fastrand::Rng::with_seed(seed);
        let format = ["json", "csv", "parquet"][random.usize(..3)];
        let size = ["1 b", "40 b", "2 kb", "128MB"][random.usize(..4)];
        let mut case = Case::new(
            &[],
            COLUMNS,
            &[("format", format), ("sink.rolling-policy.file-size", size)],
        );
        if random.bool() {
            case.table.partitioned_by = vec![1];
        }
        let mut next_row = 0;
        // Rows of the stored checkpoint, and what was prepared for it.
        let (mut stored, mut epoch, mut prepared) = (BTreeSet::new(), None, Vec::new());
        for _ in 0..random.usize(2..6) {
            let writers = random.usize(1..4);
            let mut run = Run::begin(&case, "job", writers, epoch, &prepared).await;
            assert_eq!(
                seen(&case).await,
                stored,
                "seed {seed}: restored at {epoch:?}"
            );
            let mut number = epoch.unwrap_or(0);
            let mut since: BTreeSet<i32> = BTreeSet::new();
            for _ in 0..random.usize(..6) {
                for _ in 0..random.usize(..4) {
                    let rows: Vec<(i32, Option<&str>)> = (0..random.i32(0..5))
                        .map(|i| (next_row + i, Some(["x", "y", "", "z/1"][random.usize(..4)])))
                        .collect();
                    next_row += rows.len() as i32;
                    since.extend(rows.iter().map(|(n, _)| *n));
                    let writer = random.usize(..writers);
                    run.writers[writer].write(&batch(&rows)).await.unwrap();
                }
                number += 1;
                let crash = random.usize(..12);
                if crash == 0 {
                    // Only some of the writers have prepared.
                    run.writers[0].prepare(number).await.unwrap();
                    break;
                }
                let texts = run.prepare(number).await;
                assert!(seen(&case).await.is_subset(&stored), "seed {seed}");
                if crash == 1 {
                    break;
                }
                // The checkpoint is stored.
                stored.append(&mut since);
                (epoch, prepared) = (Some(number), texts);
                if crash == 2 {
                    break;
                }
                if crash == 3 {
                    // Only some of it is published.
                    let some = random.usize(..=prepared.len());
                    run.committer
                        .commit(number, &prepared[..some])
                        .await
                        .unwrap();
                    break;
                }
                run.committer.commit(number, &prepared).await.unwrap();
                assert!(seen(&case).await.is_subset(&stored), "seed {seed}");
            }
            if random.usize(..3) == 0 {
                // A writer that is stopped: rows after its last barrier are in no checkpoint.
                let mut writer = run.writers.pop().unwrap();
                if random.bool() {
                    writer
                        .write(&batch(&[(next_row, Some("x"))]))
                        .await
                        .unwrap();
                    next_row += 1;
                }
                writer.close().await.unwrap();
                assert!(seen(&case).await.is_subset(&stored), "seed {seed}");
            }
        }
        let mut run = Run::begin(&case, "job", 2, epoch, &prepared).await;
        run.writers[1]
            .write(&batch(&[(next_row, Some("x"))]))
            .await
            .unwrap();
        stored.insert(next_row);
        let number = epoch.unwrap_or(0) + 1;
        let last = run.prepare(number).await;
        if random.bool() {
            run.committer.commit(number, &last).await.unwrap();
            run.close().await;
        } else {
            run.close().await;
            run.committer.commit(number, &last).await.unwrap();
        }
        assert_eq!(seen(&case).await, stored, "seed {seed}: at the end");
        assert_eq!(case.files(), case.visible(), "seed {seed}");
    }
}
