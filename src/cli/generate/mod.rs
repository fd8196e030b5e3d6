//! `flowline generate`: CloudEvents to a file, stdout or a Kafka topic.

mod events;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::time::Duration;

use chrono::{DateTime, NaiveDateTime};
use tokio::time::MissedTickBehavior;

pub use events::{Generator, Settings};

use super::{count, signals, tell};
use crate::clock::{Clock as _, SystemClock};
use crate::connectors::kafka::{self, Producer};
use crate::error::{Error, Result};

/// Rows where neither --rows nor --rate says how many.
const ROWS: u64 = 10_000;
/// Events a second of event time, unless told otherwise.
const PER_SECOND: f64 = 5.0;
/// Where event time starts, unless told otherwise or live.
const START: &str = "2025-01-15T00:00:00Z";
/// How often a live generator sends.
const TICK: Duration = Duration::from_millis(20);
/// Bytes gathered before they are written.
const CHUNK: usize = 1 << 16;

/// What to make.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How many events [default: 10000; without end with --rate]
    #[arg(long, value_name = "N")]
    rows: Option<u64>,
    /// Events a second of the clock, on average; without it as fast as possible
    #[arg(long, value_name = "R", value_parser = positive)]
    rate: Option<f64>,
    /// Events a second of event time, on average [default: 5, or the rate]
    #[arg(long, value_name = "R", value_parser = positive)]
    per_second: Option<f64>,
    /// The same seed gives the same events
    #[arg(long, value_name = "S", default_value_t = 7)]
    seed: u64,
    /// Event time of the first, or 'now' [default: 2025-01-15T00:00:00Z; now with --rate]
    #[arg(long, value_name = "TIME")]
    start: Option<String>,
    /// A file, '-' for stdout, or kafka:TOPIC
    #[arg(long, value_name = "WHERE", default_value = "-")]
    to: String,
    /// The brokers for kafka:TOPIC
    #[arg(long, value_name = "BROKERS", env = super::outside::KAFKA_VARIABLE, hide_env_values = true)]
    kafka: Option<String>,
    /// Partitions of the topic, where it is not there yet
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(i32).range(1..=10_000))]
    partitions: i32,
}

fn positive(text: &str) -> std::result::Result<f64, String> {
    match text.parse() {
        Ok(number) if (0.001..=1e9).contains(&number) => Ok(number),
        _ => Err("expected a number from 0.001 to 1000000000".into()),
    }
}

/// Makes the events.
///
/// # Errors
/// Flags that do not fit together; wherever they go cannot be written.
pub async fn run(args: &Args) -> Result<()> {
    let per_second = args.per_second.or(args.rate).unwrap_or(PER_SECOND);
    let start = match args.start.as_deref() {
        Some("now") => SystemClock.now(),
        None if args.rate.is_some() => SystemClock.now(),
        given => time(given.unwrap_or(START))?,
    };
    let settings = Settings {
        seed: args.seed,
        start,
        per_second,
    };
    let rows = args
        .rows
        .unwrap_or(if args.rate.is_some() { u64::MAX } else { ROWS });
    let mut target = Target::open(args).await?;
    let mut stop = signals::stop_asked(signals::PATIENCE);
    let events = Events {
        generator: Generator::new(settings),
        left: rows,
    };
    let made = tokio::select! {
        made = events.send(&mut target, args.rate.map(|rate| rate / per_second)) => made,
        () = signals::asked(&mut stop) => Ok(()),
    };
    made.and(target.flush().await)
}

/// RFC 3339, or without a zone, which is UTC then.
fn time(text: &str) -> Result<i64> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.timestamp_millis());
    }
    for format in ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"] {
        if let Ok(time) = NaiveDateTime::parse_from_str(text, format) {
            return Ok(time.and_utc().timestamp_millis());
        }
    }
    Err(Error::usage(format!("--start: '{text}' is no time"))
        .with_help(format!("write '{START}' or 'now'")))
}

/// Events that are still to be made.
pub struct Events {
    /// Makes them.
    pub generator: Generator,
    /// How many.
    pub left: u64,
}

impl Events {
    /// Sends them. With a `speed`, event time runs so many times as fast as the clock; else it all goes at once.
    ///
    /// # Errors
    /// The target cannot be written.
    pub async fn send(mut self, target: &mut Target, speed: Option<f64>) -> Result<()> {
        let Some(speed) = speed else {
            while self.left > 0 && !target.is_closed() {
                self.some(target, i64::MAX).await?;
                // So that Ctrl-C is heard.
                tokio::task::yield_now().await;
            }
            return Ok(());
        };
        let begin = self.generator.next_arrival();
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut passed = 0.0;
        while self.left > 0 && !target.is_closed() {
            ticks.tick().await;
            passed += TICK.as_secs_f64() * 1000.0 * speed;
            while self.left > 0 && self.generator.next_arrival() <= begin + passed as i64 {
                self.some(target, begin + passed as i64).await?;
            }
            target.settle()?;
        }
        Ok(())
    }

    /// Sends some of those that arrive up to a time.
    async fn some(&mut self, target: &mut Target, until: i64) -> Result<()> {
        let mut bytes = Vec::with_capacity(CHUNK + 1024);
        let mut ends = Vec::new();
        while self.left > 0
            && bytes.len() < CHUNK
            && (until == i64::MAX || self.generator.next_arrival() <= until)
        {
            let number = self.generator.write_next(&mut bytes);
            ends.push((number, bytes.len()));
            bytes.push(b'\n');
            self.left -= 1;
        }
        target.write(&bytes, &ends).await
    }
}

/// Where events go.
pub enum Target {
    /// A file or stdout.
    Lines(Lines),
    /// A topic.
    Topic(Producer),
}

/// Lines of text.
pub struct Lines {
    out: Box<dyn Write + Send>,
    name: String,
    /// Whoever read them, such as `head`, has had enough.
    is_closed: bool,
}

impl Lines {
    fn new(out: impl Write + Send + 'static, name: &str) -> Self {
        Self {
            out: Box::new(out),
            name: name.to_string(),
            is_closed: false,
        }
    }

    fn checked(&mut self, written: std::io::Result<()>) -> Result<()> {
        match written {
            Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => {
                self.is_closed = true;
                Ok(())
            }
            Err(e) => Err(Error::external(format!("cannot write {}", self.name)).caused_by(e)),
            Ok(()) => Ok(()),
        }
    }
}

impl Target {
    async fn open(args: &Args) -> Result<Self> {
        if let Some(topic) = args.to.strip_prefix("kafka:") {
            let brokers = args.kafka.as_deref().ok_or_else(|| {
                Error::usage("--to kafka:TOPIC needs the brokers")
                    .with_help("add --kafka HOST:PORT, or set FLOWLINE_KAFKA")
            })?;
            if kafka::create_topic(brokers, topic, args.partitions).await? {
                let partitions = count(u64::from(args.partitions.unsigned_abs()), "partition");
                tell(&format!("created the topic '{topic}' with {partitions}"));
            }
            return Ok(Self::Topic(Producer::connect(brokers, topic).await?));
        }
        if args.to == "-" {
            return Ok(Self::Lines(Lines::new(std::io::stdout(), "stdout")));
        }
        let file = File::create(&args.to)
            .map_err(|e| Error::external(format!("cannot write {}", args.to)).caused_by(e))?;
        Ok(Self::Lines(Lines::new(
            BufWriter::with_capacity(4 * CHUNK, file),
            &args.to,
        )))
    }

    /// Nobody takes any more.
    fn is_closed(&self) -> bool {
        matches!(self, Self::Lines(lines) if lines.is_closed)
    }

    /// Takes events: their lines, and of each the number and where its line ends.
    async fn write(&mut self, lines: &[u8], ends: &[(u64, usize)]) -> Result<()> {
        match self {
            Self::Lines(to) => {
                let written = to.out.write_all(lines);
                to.checked(written)
            }
            Self::Topic(producer) => {
                let mut from = 0;
                for (number, end) in ends {
                    // Spreads them evenly over the partitions, always the same way.
                    let key = format!("evt-{number:08}");
                    producer
                        .send(Some(key.as_bytes()), &lines[from..*end], None)
                        .await?;
                    from = end + 1;
                }
                Ok(())
            }
        }
    }

    /// What was taken is on its way.
    fn settle(&mut self) -> Result<()> {
        match self {
            Self::Lines(to) => {
                let written = to.out.flush();
                to.checked(written)
            }
            Self::Topic(_) => Ok(()),
        }
    }

    /// What was taken is there.
    ///
    /// # Errors
    /// It is not.
    pub async fn flush(&mut self) -> Result<()> {
        match self {
            Self::Lines(..) => self.settle(),
            Self::Topic(producer) => producer.flush().await,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        assert_eq!(time("2025-01-15T00:00:00Z").unwrap(), 1_736_899_200_000);
        assert_eq!(
            time("2025-01-15T01:00:00.5+01:00").unwrap(),
            1_736_899_200_500
        );
        assert_eq!(time("2025-01-15 00:00:00").unwrap(), 1_736_899_200_000);
        assert!(time("yesterday").is_err());
    }

    #[test]
    fn numbers_above_zero() {
        assert!(
            positive("0").is_err()
                && positive("-1").is_err()
                && positive("NaN").is_err()
                && positive("x").is_err()
        );
        assert_eq!(positive("2.5"), Ok(2.5));
    }
}
