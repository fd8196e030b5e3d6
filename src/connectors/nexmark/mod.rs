//! Persons, auctions and bids of the Nexmark benchmark: the public generator's table and its shape, each row made from its
//! number alone.

mod rows;
mod shape;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, Fields, TimeUnit};
use async_trait::async_trait;

use super::generated::{self, Generate, Pace};
use super::{ReadRequest, Source, SourceReader};
use crate::catalog::options::{OptionError, Options};
use crate::catalog::{ColumnKind, Table, closest};
use crate::error::{Error, Result};
use rows::Events;
use shape::Shape;

const EVENT_TYPE: &str = "event_type";
const PERSON: &str = "person";
const AUCTION: &str = "auction";
const BID: &str = "bid";

/// The columns that hold one kind of event each, with the fields of their ROW.
const COLUMNS: &[(&str, &[(&str, &str)])] = &[
    (
        PERSON,
        &[
            ("id", "BIGINT"),
            ("name", "VARCHAR"),
            ("emailAddress", "VARCHAR"),
            ("creditCard", "VARCHAR"),
            ("city", "VARCHAR"),
            ("state", "VARCHAR"),
            ("dateTime", "TIMESTAMP(3)"),
            ("extra", "VARCHAR"),
        ],
    ),
    (
        AUCTION,
        &[
            ("id", "BIGINT"),
            ("itemName", "VARCHAR"),
            ("description", "VARCHAR"),
            ("initialBid", "BIGINT"),
            ("reserve", "BIGINT"),
            ("dateTime", "TIMESTAMP(3)"),
            ("expires", "TIMESTAMP(3)"),
            ("seller", "BIGINT"),
            ("category", "BIGINT"),
            ("extra", "VARCHAR"),
        ],
    ),
    (
        BID,
        &[
            ("auction", "BIGINT"),
            ("bidder", "BIGINT"),
            ("price", "BIGINT"),
            ("channel", "VARCHAR"),
            ("url", "VARCHAR"),
            ("dateTime", "TIMESTAMP(3)"),
            ("extra", "VARCHAR"),
        ],
    ),
];

/// The one partition; its position is the number of the next event.
const PARTITION: &str = "nexmark";

const LIMIT: &str = "events.num";

/// The table as a source of events.
///
/// The options are the public generator's, and `seed`. With `events.num` the events come as fast as they are taken, without it at
/// `first-event.rate` a second. Event time goes by that rate in both.
pub(super) fn source(
    table: &Table,
    options: &Options,
) -> std::result::Result<Arc<dyn Source>, OptionError> {
    let rate = at_least("first-event.rate", 10_000, 1, options)?;
    let last_rate = at_least("next-event.rate", rate, 1, options)?;
    if last_rate != rate {
        return Err(OptionError::new(
            "next-event.rate",
            format!("'next-event.rate' = '{last_rate}': the rate does not change"),
        )
        .with_help("leave it out, or set it to 'first-event.rate'"));
    }
    let shape = Shape {
        seed: options.int("seed", 0)?.cast_unsigned(),
        rate,
        persons: at_least("person.proportion", 1, 0, options)?,
        auctions: at_least("auction.proportion", 3, 0, options)?,
        bids: at_least("bid.proportion", 46, 0, options)?,
    };
    if shape.cycle() == 0 {
        return Err(OptionError::new(
            "bid.proportion",
            "of persons, auctions and bids one proportion must be above zero",
        ));
    }
    // As in the public generator, 0 is no limit.
    let limit = Some(at_least(LIMIT, 0, 0, options)?).filter(|limit| *limit > 0);
    for column in &table.columns {
        if matches!(column.kind, ColumnKind::Physical) {
            check(&column.field)?;
        }
    }
    Ok(Arc::new(Nexmark { shape, limit }))
}

/// A number of an option, within bounds that keep the arithmetic of ids and times in range.
fn at_least(
    key: &str,
    default: u64,
    least: u64,
    options: &Options,
) -> std::result::Result<u64, OptionError> {
    let most = if key == LIMIT { 1 << 48 } else { 1 << 30 };
    let expected = format!("a number from {least} to {most}");
    options.parse(key, default, &expected, |text| {
        text.parse()
            .ok()
            .filter(|number| (least..=most).contains(number))
    })
}

/// Whether events have such a column.
fn check(field: &Field) -> std::result::Result<(), OptionError> {
    let mistake = |message: String, help: String| OptionError {
        key: None,
        message,
        help: Some(help),
    };
    let name = field.name().as_str();
    let (fits, wanted) = if name == EVENT_TYPE {
        (*field.data_type() == DataType::Int32, "INT".to_string())
    } else if let Some((_, fields)) = COLUMNS.iter().find(|(column, _)| *column == name) {
        let listed: Vec<String> = fields.iter().map(|(n, t)| format!("`{n}` {t}")).collect();
        let expected = DataType::Struct(fields.iter().map(field_of).collect::<Fields>());
        (
            *field.data_type() == expected && field.is_nullable(),
            format!("ROW<{}>", listed.join(", ")),
        )
    } else {
        let names = || {
            COLUMNS
                .iter()
                .map(|(column, _)| *column)
                .chain([EVENT_TYPE])
        };
        let help = match closest(name, names()) {
            Some(near) => format!("did you mean '{near}'?"),
            None => format!(
                "the columns are: {}",
                names().collect::<Vec<_>>().join(", ")
            ),
        };
        return Err(mistake(format!("events have no column '{name}'"), help));
    };
    if fits {
        return Ok(());
    }
    Err(mistake(
        format!("column '{name}' has another type in events"),
        format!("write: {name} {wanted}"),
    ))
}

fn field_of((name, sql): &(&str, &str)) -> Field {
    let data_type = match *sql {
        "BIGINT" => DataType::Int64,
        "VARCHAR" => DataType::Utf8,
        _ => DataType::Timestamp(TimeUnit::Millisecond, None),
    };
    Field::new(*name, data_type, true)
}

struct Nexmark {
    shape: Shape,
    limit: Option<u64>,
}

#[async_trait]
impl Source for Nexmark {
    fn is_bounded(&self) -> bool {
        self.limit.is_some()
    }

    async fn reader(&self, request: ReadRequest) -> Result<Box<dyn SourceReader>> {
        let pace = Pace {
            rate: match self.limit {
                Some(_) => None,
                None => Some(self.shape.rate),
            },
            limit: self.limit,
            limit_option: LIMIT,
        };
        let events = Box::new(Events::new(self.shape));
        generated::reader(PARTITION, pace, events, request)
    }
}

impl Generate for Events {
    fn rows(&self, numbers: Range<u64>, request: &ReadRequest) -> Result<RecordBatch> {
        let array = |field: &Arc<Field>| -> Result<ArrayRef> {
            let numbers = numbers.clone();
            match (field.name().as_str(), field.data_type()) {
                (EVENT_TYPE, _) => Ok(self.types(numbers)),
                (PERSON, DataType::Struct(fields)) => self.persons(numbers, fields),
                (AUCTION, DataType::Struct(fields)) => self.auctions(numbers, fields),
                (BID, DataType::Struct(fields)) => self.bids(numbers, fields),
                (name, _) => Err(Error::internal(format!("events have no column '{name}'"))),
            }
        };
        let columns = request.schema.fields().iter().map(array);
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let count = (numbers.end - numbers.start) as usize;
        Ok(RecordBatch::try_new_with_options(
            Arc::clone(&request.schema),
            columns,
            &RecordBatchOptions::new().with_row_count(Some(count)),
        )?)
    }
}
