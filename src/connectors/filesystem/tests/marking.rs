//! Markers of partitions that are complete.

use super::*;
use crate::connectors::{Committer, SinkWriter};

const POLICY: (&str, &str) = ("sink.partition-commit.policy.kind", "success-file");

/// A table partitioned by `b`, and a run that writes it.
struct Marked {
    case: Case,
    committer: Option<Arc<dyn Committer>>,
    writers: Vec<Box<dyn SinkWriter>>,
}

impl Marked {
    async fn begin(options: &[(&str, &str)], checkpoints: bool) -> Self {
        let mut options = options.to_vec();
        options.extend([POLICY, ("format", "csv")]);
        let mut case = Case::new(&[], COLUMNS, &options);
        case.table.partitioned_by = vec![1];
        let mut marked = Self {
            case,
            committer: None,
            writers: Vec::new(),
        };
        marked.run(checkpoints, None, &[]).await;
        marked
    }

    async fn run(&mut self, checkpoints: bool, epoch: Option<u64>, prepared: &[String]) {
        let sink = make_sink(&self.case.table).unwrap();
        let job = if checkpoints {
            job("job")
        } else {
            JobContext::new("job", None)
        };
        self.writers.clear();
        self.committer = sink.committer(&job).unwrap();
        if let Some(committer) = &self.committer {
            committer.restore(epoch, prepared).await.unwrap();
        }
        for instance in 0..2 {
            let request = write_request_of(instance, &self.case.table, &job);
            self.writers.push(sink.writer(request).await.unwrap());
        }
    }

    async fn write(&mut self, writer: usize, row: i32, partition: &str) {
        let rows = batch(&[(row, Some(partition))]);
        self.writers[writer].write(&rows).await.unwrap();
    }

    fn watermarks(&mut self, times: [i64; 2]) {
        for (writer, time) in self.writers.iter_mut().zip(times) {
            writer.watermark(time);
        }
    }

    async fn prepare(&mut self, epoch: u64) -> Vec<String> {
        let mut prepared = Vec::new();
        for writer in &mut self.writers {
            prepared.extend(writer.prepare(epoch).await.unwrap());
        }
        prepared
    }

    async fn commit(&mut self, epoch: u64, prepared: &[String]) {
        let committer = self.committer.as_ref().unwrap();
        committer.commit(epoch, prepared).await.unwrap();
    }

    async fn epoch(&mut self, epoch: u64) {
        let prepared = self.prepare(epoch).await;
        self.commit(epoch, &prepared).await;
    }

    fn markers(&self) -> Vec<String> {
        let files = self.case.files().into_iter();
        files.filter(|file| file.ends_with("/_SUCCESS")).collect()
    }

    fn remove_markers(&self) {
        for marker in self.markers() {
            std::fs::remove_file(self.case.dir.path().join(marker)).unwrap();
        }
    }
}

#[tokio::test]
async fn by_the_clock_each_commit_completes_what_was_written() {
    let mut marked = Marked::begin(&[], true).await;
    marked.write(0, 1, "x").await;
    marked.write(1, 2, "x").await;
    marked.write(1, 3, "").await;
    let prepared = marked.prepare(1).await;
    assert_eq!(marked.markers(), Vec::<String>::new());
    marked.commit(1, &prepared).await;
    assert_eq!(
        marked.markers(),
        ["b=__DEFAULT_PARTITION__/_SUCCESS", "b=x/_SUCCESS"]
    );
    assert_eq!(marked.case.visible().len(), 3);
    // Later rows simply come, and the partition is marked again.
    marked.remove_markers();
    marked.write(0, 4, "x").await;
    marked.epoch(2).await;
    assert_eq!(marked.markers(), ["b=x/_SUCCESS"]);
    marked.remove_markers();
    marked.epoch(3).await;
    assert_eq!(marked.markers(), Vec::<String>::new());
}

#[tokio::test]
async fn by_the_clock_with_a_delay() {
    let mut marked = Marked::begin(&[("sink.partition-commit.delay", "200 ms")], true).await;
    marked.write(0, 1, "x").await;
    let prepared = marked.prepare(1).await;
    marked.commit(1, &prepared).await;
    assert_eq!(marked.markers(), Vec::<String>::new());
    // When the partition came up outlives a crash.
    marked.run(true, Some(1), &prepared).await;
    marked.epoch(2).await;
    let prepared = marked.prepare(3).await;
    assert_eq!(marked.markers(), Vec::<String>::new());
    marked.run(true, Some(3), &prepared).await;
    tokio::time::sleep(std::time::Duration::from_millis(210)).await;
    marked.epoch(4).await;
    assert_eq!(marked.markers(), ["b=x/_SUCCESS"]);
    // The end of all rows completes everything.
    marked.write(1, 2, "y").await;
    marked.watermarks([i64::MAX, i64::MAX]);
    marked.epoch(5).await;
    assert_eq!(marked.markers(), ["b=x/_SUCCESS", "b=y/_SUCCESS"]);
    assert_eq!(marked.case.visible().len(), 2);
}

#[tokio::test]
async fn by_the_watermark() {
    let options = [
        ("sink.partition-commit.trigger", "partition-time"),
        ("sink.partition-commit.delay", "1 h"),
        ("partition.time-extractor.timestamp-pattern", "$b:00:00"),
        ("sink.partition-commit.success-file.name", "_SUCCESS"),
    ];
    let ten = 1_767_261_600_000; // 2026-01-01 10:00
    let hour = 3_600_000;
    let mut marked = Marked::begin(&options, true).await;
    marked.write(0, 1, "2026-01-01 10").await;
    marked.write(1, 2, "2026-01-01 11").await;
    marked.write(1, 3, "").await;
    marked.epoch(1).await;
    // Past its end for one writer only; at its end, but not past it.
    marked.watermarks([ten + hour + 1, ten + hour]);
    let prepared = marked.prepare(2).await;
    marked.commit(2, &prepared).await;
    assert_eq!(marked.markers(), Vec::<String>::new());
    marked.watermarks([ten + hour + 1, ten + hour + 1]);
    marked.epoch(3).await;
    assert_eq!(marked.markers(), ["b=2026-01-01 10/_SUCCESS"]);
    // After a crash the other partitions are still to be marked.
    marked.run(true, Some(2), &prepared).await;
    marked.remove_markers();
    marked.watermarks([ten + 3 * hour, ten + 3 * hour]);
    // A late row goes to a file of its own, and the marker is there again.
    marked.write(0, 4, "2026-01-01 10").await;
    marked.epoch(3).await;
    assert_eq!(
        marked.markers(),
        ["b=2026-01-01 10/_SUCCESS", "b=2026-01-01 11/_SUCCESS"]
    );
    marked.watermarks([i64::MAX, i64::MAX]);
    marked.epoch(4).await;
    assert_eq!(marked.markers().len(), 3);
    assert_eq!(marked.case.files().len(), marked.case.visible().len() + 3);
    let rows = batch(&[(5, Some("soon"))]);
    let error = marked.writers[0].write(&rows).await.unwrap_err();
    assert_eq!(error.message, "partition 'b=soon': 'soon:00:00' is no time");
}

#[tokio::test]
async fn the_partitions_of_a_writer_that_ends_are_not_forgotten() {
    let mut marked = Marked::begin(&[("sink.partition-commit.delay", "1 d")], true).await;
    marked.write(0, 1, "x").await;
    marked.write(1, 2, "y").await;
    marked.watermarks([i64::MAX, i64::MAX]);
    let left = marked.writers[0].prepare(u64::MAX).await.unwrap().unwrap();
    marked.writers[0].close().await.unwrap();
    // A commit that does not have its files yet does not say that they are there.
    marked.commit(1, &[]).await;
    assert_eq!(marked.markers(), Vec::<String>::new());
    marked.watermarks([i64::MAX, 0]);
    let mut two = vec![left];
    two.extend(marked.writers[1].prepare(2).await.unwrap());
    marked.commit(2, &two).await;
    let three: Vec<String> = marked.writers[1]
        .prepare(3)
        .await
        .unwrap()
        .into_iter()
        .collect();
    assert_eq!(marked.markers(), Vec::<String>::new());
    marked.run(true, Some(3), &three).await;
    marked.watermarks([i64::MAX, i64::MAX]);
    marked.epoch(4).await;
    assert_eq!(marked.markers(), ["b=x/_SUCCESS", "b=y/_SUCCESS"]);
}

#[tokio::test]
async fn without_checkpoints_when_the_files_are_published() {
    let mut marked = Marked::begin(&[], false).await;
    marked.write(0, 1, "x").await;
    marked.write(1, 2, "x").await;
    marked.write(1, 3, "y").await;
    marked.writers[1].close().await.unwrap();
    assert_eq!(marked.markers(), ["b=y/_SUCCESS"]);
    marked.writers[0].close().await.unwrap();
    assert_eq!(marked.markers(), ["b=x/_SUCCESS", "b=y/_SUCCESS"]);
    let options = [("sink.partition-commit.trigger", "partition-time")];
    let mut marked = Marked::begin(&options, false).await;
    marked.write(0, 1, "2026-01-01").await;
    marked.watermarks([0, 0]);
    for writer in &mut marked.writers {
        writer.close().await.unwrap();
    }
    assert_eq!(marked.markers(), Vec::<String>::new());
}

#[test]
fn a_pattern_names_partition_columns() {
    let mut case = Case::new(
        &[],
        COLUMNS,
        &[
            POLICY,
            ("sink.partition-commit.trigger", "partition-time"),
            (
                "partition.time-extractor.timestamp-pattern",
                "$dt $hour:00:00",
            ),
        ],
    );
    case.table.partitioned_by = vec![1];
    let error = make_sink(&case.table).err().unwrap();
    assert_eq!(
        error[0].message,
        "'$dt $hour:00:00' names no partition column"
    );
    assert_eq!(error[0].help.as_deref(), Some("the columns are: $b"));
}
