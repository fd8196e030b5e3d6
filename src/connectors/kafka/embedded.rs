//! A Kafka broker in this process, without storage: librdkafka's own mock cluster. For demonstrations, not for data.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use rdkafka::error::KafkaResult;
use rdkafka::mocking::MockCluster;

use crate::error::{Error, Result};

/// A broker in this process. It keeps about 5 MB or 100 000 records of each partition, and ends when dropped.
pub struct EmbeddedBroker {
    bootstrap: String,
    requests: Option<SyncSender<Request>>,
    thread: Option<JoinHandle<()>>,
}

/// Create a topic, and say how it went.
struct Request {
    topic: String,
    partitions: i32,
    answer: SyncSender<KafkaResult<()>>,
}

impl EmbeddedBroker {
    /// Starts a broker on a free port of the loopback interface.
    ///
    /// # Errors
    /// There is no free port or no thread.
    pub fn start() -> Result<Self> {
        let (started, bootstrap) = sync_channel(1);
        let (requests, incoming) = sync_channel(1);
        // The cluster cannot move between threads, so it has one of its own.
        let thread = std::thread::Builder::new()
            .name("embedded-kafka".to_string())
            .spawn(move || serve(&started, &incoming))
            .map_err(|e| Error::external(format!("a thread cannot be started: {e}")))?;
        let bootstrap = bootstrap
            .recv()
            .map_err(|e| Error::internal("the embedded broker did not start").caused_by(e))?
            .map_err(|e| {
                Error::external(format!("the embedded broker cannot be started: {e}")).caused_by(e)
            })?;
        Ok(Self {
            bootstrap,
            requests: Some(requests),
            thread: Some(thread),
        })
    }

    /// Its address.
    pub fn bootstrap_servers(&self) -> &str {
        &self.bootstrap
    }

    /// Creates a topic.
    ///
    /// # Errors
    /// It exists already, or cannot be.
    pub fn create_topic(&self, topic: &str, partitions: i32) -> Result<()> {
        let (answer, answered) = sync_channel(1);
        let request = Request {
            topic: topic.to_string(),
            partitions,
            answer,
        };
        let gone = || Error::internal("the embedded broker has stopped");
        self.requests
            .as_ref()
            .ok_or_else(gone)?
            .send(request)
            .map_err(|_| gone())?;
        answered.recv().map_err(|_| gone())?.map_err(|e| {
            Error::external(format!("the topic '{topic}' cannot be created: {e}")).caused_by(e)
        })
    }
}

fn serve(started: &SyncSender<KafkaResult<String>>, incoming: &Receiver<Request>) {
    let cluster = match MockCluster::new(1) {
        Ok(cluster) => cluster,
        Err(e) => {
            // Whoever started it waits for the answer.
            let _ = started.send(Err(e));
            return;
        }
    };
    if started.send(Ok(cluster.bootstrap_servers())).is_err() {
        return;
    }
    for request in incoming {
        let done = cluster.create_topic(&request.topic, request.partitions, 1);
        let _ = request.answer.send(done);
    }
}

impl Drop for EmbeddedBroker {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of the embedded broker panicked");
        }
    }
}
