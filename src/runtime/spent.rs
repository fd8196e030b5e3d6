//! What instances do with their time: work, wait for a full channel, or wait for input.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// What an instance waits for when it does not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Wait {
    /// Something to do.
    Input,
    /// Room in a channel.
    Channel,
    /// What is outside of the job, such as whatever a sink writes to. That counts as work.
    Outside,
}

/// What the instances of a task do with their time, read from outside while they run.
#[derive(Debug, Default)]
pub struct TaskTime {
    instances: Vec<InstanceTime>,
}

/// In nanoseconds.
#[derive(Debug, Default)]
struct InstanceTime {
    busy: AtomicU64,
    backpressured: AtomicU64,
    /// When it last began to run or to wait.
    since: AtomicU64,
    runs: AtomicBool,
    waits: AtomicU8,
}

/// Time spent, over all instances of a task.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    /// Working, or waiting for what is outside of the job.
    pub busy: Duration,
    /// Waiting for room in a channel.
    pub backpressured: Duration,
}

impl TaskTime {
    /// Of so many instances.
    pub fn of_instances(instances: usize) -> Self {
        Self {
            instances: (0..instances).map(|_| InstanceTime::default()).collect(),
        }
    }

    /// What has been spent until now.
    pub fn spent(&self) -> Spent {
        let now = now();
        let mut all = Spent::default();
        for instance in &self.instances {
            let so_far = now.saturating_sub(instance.since.load(Relaxed));
            let (busy, backpressured) = instance.share(so_far);
            let nanos =
                |counted: &AtomicU64, more| Duration::from_nanos(counted.load(Relaxed) + more);
            all.busy += nanos(&instance.busy, busy);
            all.backpressured += nanos(&instance.backpressured, backpressured);
        }
        all
    }

    /// From here on an instance waits for this whenever it does not run.
    pub fn waits(&self, instance: usize, wait: Wait) {
        if let Some(of) = self.instances.get(instance) {
            of.waits.store(wait as u8, Relaxed);
        }
    }

    /// Does the work of an instance and measures it: two looks at the clock each time that it is woken.
    pub async fn measured<T>(self: Arc<Self>, instance: usize, work: impl Future<Output = T>) -> T {
        let Some(of) = self.instances.get(instance) else {
            return work.await;
        };
        // Also where it is dropped: what is not there waits for nothing.
        let _ended = Ended(of);
        of.begin();
        let mut work = pin!(work);
        poll_fn(|context| {
            of.pass(true);
            let polled = work.as_mut().poll(context);
            of.pass(false);
            polled
        })
        .await
    }
}

impl InstanceTime {
    fn begin(&self) {
        self.waits.store(Wait::Input as u8, Relaxed);
        self.runs.store(false, Relaxed);
        self.since.store(now(), Relaxed);
    }

    /// It begins to run, or to wait.
    fn pass(&self, runs: bool) {
        let now = now();
        let spent = now.saturating_sub(self.since.load(Relaxed));
        let (busy, backpressured) = self.share(spent);
        self.busy.fetch_add(busy, Relaxed);
        self.backpressured.fetch_add(backpressured, Relaxed);
        self.since.store(now, Relaxed);
        self.runs.store(runs, Relaxed);
    }

    /// As what a time since the last change counts: work, and waiting for a channel.
    fn share(&self, spent: u64) -> (u64, u64) {
        let waits = self.waits.load(Relaxed);
        if self.runs.load(Relaxed) || waits == Wait::Outside as u8 {
            (spent, 0)
        } else if waits == Wait::Channel as u8 {
            (0, spent)
        } else {
            (0, 0)
        }
    }
}

/// Says that an instance has ended.
struct Ended<'a>(&'a InstanceTime);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.begin();
    }
}

/// Nanoseconds on a clock that never goes back.
fn now() -> u64 {
    static BEGAN: OnceLock<Instant> = OnceLock::new();
    let elapsed = BEGAN.get_or_init(Instant::now).elapsed();
    u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_and_waiting_are_told_apart() {
        let time = Arc::new(TaskTime::of_instances(1));
        let of = Arc::clone(&time);
        let pause = Duration::from_millis(20);
        let work = async move {
            tokio::time::sleep(pause).await;
            assert_eq!(of.spent().backpressured, Duration::ZERO);
            of.waits(0, Wait::Channel);
            tokio::time::sleep(pause).await;
            of.waits(0, Wait::Input);
            std::thread::sleep(pause);
        };
        let measured = Arc::clone(&time).measured(0, work);
        let running = tokio::spawn(measured);
        running.await.unwrap();
        let spent = time.spent();
        assert!(spent.backpressured >= pause, "{spent:?}");
        assert!(spent.busy >= pause, "{spent:?}");
        tokio::time::sleep(pause).await;
        assert_eq!(time.spent(), spent, "it has ended");
    }
}
