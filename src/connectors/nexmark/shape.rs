//! What follows from the number of an event: its kind, its time, and whom and what there was to refer to when it came.

use std::ops::Range;

use crate::connectors::generated::mix;

/// The first time: 2025-01-01T00:00:00Z, in milliseconds.
const START: i64 = 1_735_689_600_000;

/// How many auctions are open at a time, more or less; how many persons take part.
const OPEN_AUCTIONS: u64 = 100;
const ACTIVE_PERSONS: u64 = 1000;

/// References may be to persons and auctions that come so much later.
const LEAD: u64 = 10;

/// One in so many persons and auctions is hot, until the next one is.
const HOT_EVERY: u64 = 100;

/// What an event is. The number is its `event_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Person = 0,
    Auction = 1,
    Bid = 2,
}

/// The stream of events: of each cycle so many are persons, then auctions, then bids.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) seed: u64,
    /// Events a second of event time.
    pub(super) rate: u64,
    pub(super) persons: u64,
    pub(super) auctions: u64,
    pub(super) bids: u64,
}

impl Shape {
    /// After how many events their kinds repeat.
    pub(super) fn cycle(&self) -> u64 {
        self.persons + self.auctions + self.bids
    }

    /// Events one after another that are of one kind.
    pub(super) fn runs(&self, numbers: Range<u64>) -> impl Iterator<Item = (Kind, Range<u64>)> {
        let Self {
            persons, auctions, ..
        } = *self;
        let cycle = self.cycle();
        let mut next = numbers.start;
        std::iter::from_fn(move || {
            if next >= numbers.end {
                return None;
            }
            let offset = next % cycle;
            let (kind, end) = if offset < persons {
                (Kind::Person, persons)
            } else if offset < persons + auctions {
                (Kind::Auction, persons + auctions)
            } else {
                (Kind::Bid, cycle)
            };
            let start = next;
            next = (start + end - offset).min(numbers.end);
            Some((kind, start..next))
        })
    }

    /// When an event happens, in milliseconds since the epoch.
    pub(super) fn time(&self, number: u64) -> i64 {
        START + (u128::from(number) * 1000 / u128::from(self.rate)) as i64
    }

    /// What is random in an event.
    pub(super) fn random(&self, number: u64) -> fastrand::Rng {
        fastrand::Rng::with_seed(mix(self.seed, number))
    }

    /// The last person up to an event, from 0.
    pub(super) fn last_person(&self, number: u64) -> u64 {
        let (cycles, offset) = (number / self.cycle(), number % self.cycle());
        (cycles * self.persons + (offset + 1).min(self.persons)).saturating_sub(1)
    }

    /// The last auction up to an event, from 0.
    pub(super) fn last_auction(&self, number: u64) -> u64 {
        let (cycles, offset) = (number / self.cycle(), number % self.cycle());
        let of_this = (offset + 1).saturating_sub(self.persons);
        (cycles * self.auctions + of_this.min(self.auctions)).saturating_sub(1)
    }

    /// Who sells: three of four times the hot seller.
    pub(super) fn seller(&self, number: u64, random: &mut fastrand::Rng) -> u64 {
        match random.u8(..4) {
            0 => self.some_person(number, random),
            _ => self.last_person(number) / HOT_EVERY * HOT_EVERY,
        }
    }

    /// Who bids: three of four times the hot bidder, who is not the hot seller.
    pub(super) fn bidder(&self, number: u64, random: &mut fastrand::Rng) -> u64 {
        match random.u8(..4) {
            0 => self.some_person(number, random),
            _ => self.last_person(number) / HOT_EVERY * HOT_EVERY + 1,
        }
    }

    /// What is bid for: every other time the hot auction.
    pub(super) fn auction(&self, number: u64, random: &mut fastrand::Rng) -> u64 {
        let last = self.last_auction(number);
        if random.bool() {
            return last / HOT_EVERY * HOT_EVERY;
        }
        let first = last.saturating_sub(OPEN_AUCTIONS);
        random.u64(first..=last + LEAD)
    }

    fn some_person(&self, number: u64, random: &mut fastrand::Rng) -> u64 {
        let count = self.last_person(number) + 1;
        let first = count.saturating_sub(ACTIVE_PERSONS);
        random.u64(first..count + LEAD)
    }

    /// When an auction ends: on average once as many others have begun as are open at a time.
    pub(super) fn expires(&self, number: u64, random: &mut fastrand::Rng) -> i64 {
        let events = OPEN_AUCTIONS * self.cycle() / self.auctions.max(1);
        let time = self.time(number);
        let most = (2 * (self.time(number + events) - time)).max(1);
        time + 1 + random.i64(0..most)
    }
}
