//! The columns of events: rows of one kind, NULL where an event is of another.

use std::array::from_fn;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Int32Array, Int64Builder, NullBufferBuilder, StringBuilder, StructArray,
};
use arrow::datatypes::{DataType, Fields, TimestampMillisecondType};

use super::shape::{Kind, Shape};
use crate::connectors::generated::mix;
use crate::error::{Error, Result};

/// Ids and categories begin here.
const FIRST_ID: i64 = 1000;
const FIRST_CATEGORY: i64 = 10;
const CATEGORIES: i64 = 5;

/// What events of a kind come to on average, in bytes: `extra` fills them up.
const PERSON_BYTES: usize = 200;
const AUCTION_BYTES: usize = 500;
const BID_BYTES: usize = 100;

/// Long texts are cut out of one of so many letters.
const LETTERS: usize = 1 << 16;

const HOT_CHANNELS: [&str; 4] = ["Google", "Facebook", "Baidu", "Apple"];
const CHANNELS: u32 = 10_000;

const FIRST_NAMES: [&str; 11] = [
    "Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter",
];
const LAST_NAMES: [&str; 9] = [
    "Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris",
];
const CITIES: [&str; 10] = [
    "Phoenix",
    "Los Angeles",
    "San Francisco",
    "Boise",
    "Portland",
    "Bend",
    "Redmond",
    "Seattle",
    "Kent",
    "Cheyenne",
];
const STATES: [&str; 6] = ["AZ", "CA", "ID", "OR", "WA", "WY"];

/// Makes events.
pub(super) struct Events {
    shape: Shape,
    letters: String,
    /// Channels with their URLs, the hot ones first.
    channels: Vec<(String, String)>,
}

impl Events {
    pub(super) fn new(shape: Shape) -> Self {
        let mut random = fastrand::Rng::with_seed(mix(shape.seed, u64::MAX));
        let letters = (0..LETTERS).map(|_| random.lowercase()).collect();
        let mut url = || {
            let mut dir = |_| -> String {
                let length = random.usize(3..5);
                (0..length).map(|_| random.lowercase()).collect()
            };
            let [a, b, c]: [String; 3] = from_fn(&mut dir);
            let url = format!("https://www.nexmark.com/{a}/{b}/{c}/item.htm?query=1");
            (url, random.u8(..10) > 0)
        };
        let hot = HOT_CHANNELS.map(|channel| (channel.to_string(), url().0));
        let mut channels = Vec::from(hot);
        channels.extend((0..CHANNELS).map(|i| {
            let (mut url, has_id) = url();
            if has_id {
                let id = i.reverse_bits().cast_signed().unsigned_abs();
                url.push_str(&format!("&channel_id={id}"));
            }
            (format!("channel-{i}"), url)
        }));
        Self {
            shape,
            letters,
            channels,
        }
    }

    pub(super) fn types(&self, numbers: Range<u64>) -> ArrayRef {
        let runs = self.shape.runs(numbers);
        Arc::new(Int32Array::from_iter_values(runs.flat_map(
            |(kind, run)| std::iter::repeat_n(kind as i32, (run.end - run.start) as usize),
        )))
    }

    pub(super) fn persons(&self, numbers: Range<u64>, fields: &Fields) -> Result<ArrayRef> {
        let mut email = String::new();
        let mut card = String::new();
        self.rows(Kind::Person, numbers, fields, |number, out| {
            let random = &mut self.shape.random(number);
            let (first, last) = (pick(&FIRST_NAMES, random), pick(&LAST_NAMES, random));
            let name = format!("{first} {last}");
            email.clear();
            for part in [
                self.text(3..7, random),
                "@",
                self.text(3..5, random),
                ".com",
            ] {
                email.push_str(part);
            }
            card.clear();
            for i in 0..4 {
                let digits = random.u16(..10_000);
                card.push_str(&format!("{}{digits:04}", if i > 0 { " " } else { "" }));
            }
            let (city, state) = (pick(&CITIES, random), pick(&STATES, random));
            let used = 8 + name.len() + email.len() + card.len() + city.len() + state.len();
            out.push(
                [id(self.shape.last_person(number)), self.shape.time(number)],
                [
                    &name,
                    &email,
                    &card,
                    city,
                    state,
                    self.extra(PERSON_BYTES, used, random),
                ],
            );
        })
    }

    pub(super) fn auctions(&self, numbers: Range<u64>, fields: &Fields) -> Result<ArrayRef> {
        self.rows(Kind::Auction, numbers, fields, |number, out| {
            let random = &mut self.shape.random(number);
            let (item, description) = (self.text(3..20, random), self.text(3..100, random));
            let initial_bid = price(random);
            let used = 48 + item.len() + description.len();
            out.push(
                [
                    id(self.shape.last_auction(number)),
                    initial_bid,
                    initial_bid + price(random),
                    self.shape.time(number),
                    self.shape.expires(number, random),
                    id(self.shape.seller(number, random)),
                    FIRST_CATEGORY + random.i64(0..CATEGORIES),
                ],
                [item, description, self.extra(AUCTION_BYTES, used, random)],
            );
        })
    }

    pub(super) fn bids(&self, numbers: Range<u64>, fields: &Fields) -> Result<ArrayRef> {
        self.rows(Kind::Bid, numbers, fields, |number, out| {
            let random = &mut self.shape.random(number);
            // Every other bid comes by a hot channel.
            let channel = match random.bool() {
                true => random.usize(..HOT_CHANNELS.len()),
                false => random.usize(HOT_CHANNELS.len()..self.channels.len()),
            };
            let (channel, url) = &self.channels[channel];
            out.push(
                [
                    id(self.shape.auction(number, random)),
                    id(self.shape.bidder(number, random)),
                    price(random),
                    self.shape.time(number),
                ],
                [channel, url, self.extra(BID_BYTES, 32, random)],
            );
        })
    }

    /// A column: a row for each event of its kind, NULL for the others.
    fn rows<const N: usize, const T: usize>(
        &self,
        kind: Kind,
        numbers: Range<u64>,
        fields: &Fields,
        mut push: impl FnMut(u64, &mut Rows<N, T>),
    ) -> Result<ArrayRef> {
        let mut rows = Rows::new((numbers.end - numbers.start) as usize);
        for (of, run) in self.shape.runs(numbers) {
            if of == kind {
                run.for_each(|number| push(number, &mut rows));
            } else {
                rows.push_nulls((run.end - run.start) as usize);
            }
        }
        rows.finish(fields)
    }

    fn text(&self, lengths: Range<usize>, random: &mut fastrand::Rng) -> &str {
        let length = random.usize(lengths);
        let start = random.usize(..LETTERS - length);
        &self.letters[start..start + length]
    }

    /// What brings an event to `bytes` on average, give or take a fifth.
    fn extra(&self, bytes: usize, used: usize, random: &mut fastrand::Rng) -> &str {
        let missing = bytes.saturating_sub(used);
        let fifth = (missing + 2) / 5;
        self.text(missing - fifth..missing + fifth.max(1), random)
    }
}

fn id(number: u64) -> i64 {
    FIRST_ID.saturating_add_unsigned(number)
}

fn pick(from: &[&'static str], random: &mut fastrand::Rng) -> &'static str {
    from[random.usize(..from.len())]
}

/// From 1.00 to 1,000,000.00 in cents; each power of ten is as likely as the others.
fn price(random: &mut fastrand::Rng) -> i64 {
    (10f64.powf(random.f64() * 6.0) * 100.0).round() as i64
}

/// Rows being gathered: `N` fields that are numbers or times, `T` that are texts, each in their order.
struct Rows<const N: usize, const T: usize> {
    numbers: [Int64Builder; N],
    texts: [StringBuilder; T],
    nulls: NullBufferBuilder,
}

impl<const N: usize, const T: usize> Rows<N, T> {
    fn new(capacity: usize) -> Self {
        Self {
            numbers: from_fn(|_| Int64Builder::with_capacity(capacity)),
            texts: from_fn(|_| StringBuilder::with_capacity(capacity, 16 * capacity)),
            nulls: NullBufferBuilder::new(capacity),
        }
    }

    fn push(&mut self, numbers: [i64; N], texts: [&str; T]) {
        for (column, number) in self.numbers.iter_mut().zip(numbers) {
            column.append_value(number);
        }
        for (column, text) in self.texts.iter_mut().zip(texts) {
            column.append_value(text);
        }
        self.nulls.append_non_null();
    }

    fn push_nulls(&mut self, count: usize) {
        for column in &mut self.numbers {
            column.append_nulls(count);
        }
        for column in &mut self.texts {
            column.append_nulls(count);
        }
        self.nulls.append_n_nulls(count);
    }

    fn finish(mut self, fields: &Fields) -> Result<ArrayRef> {
        let mut numbers = self.numbers.iter_mut();
        let mut texts = self.texts.iter_mut();
        let column = |field: &arrow::datatypes::FieldRef| -> Option<ArrayRef> {
            Some(match field.data_type() {
                DataType::Utf8 => Arc::new(texts.next()?.finish()),
                DataType::Int64 => Arc::new(numbers.next()?.finish()),
                _ => Arc::new(
                    numbers
                        .next()?
                        .finish()
                        .reinterpret_cast::<TimestampMillisecondType>(),
                ),
            })
        };
        let columns: Option<Vec<ArrayRef>> = fields.iter().map(column).collect();
        let columns = columns.ok_or_else(|| Error::internal("an event has too few fields"))?;
        let nulls = self.nulls.finish();
        Ok(Arc::new(StructArray::try_new(
            fields.clone(),
            columns,
            nulls,
        )?))
    }
}
