//! Numbers of twice a DOUBLE's digits, so that sums hardly depend on the order in which they are added up.

/// The sum of two doubles, of which `low` is less than half a unit in the last place of `high`: about 31 decimal digits.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Twofold {
    /// The number as the nearest DOUBLE.
    pub high: f64,
    /// What that leaves out.
    pub low: f64,
}

/// The sum and what rounding took from it.
fn exact_sum(a: f64, b: f64) -> Twofold {
    let high = a + b;
    let rest = high - a;
    normal(high, (a - (high - rest)) + (b - rest))
}

/// The product and what rounding took from it.
fn exact_product(a: f64, b: f64) -> Twofold {
    /// The number in two halves of 26 bits.
    fn halves(x: f64) -> (f64, f64) {
        const SPLIT: f64 = 134_217_729.0; // 2^27 + 1
        let big = SPLIT * x;
        let high = big - (big - x);
        (high, x - high)
    }
    let high = a * b;
    let ((a1, a2), (b1, b2)) = (halves(a), halves(b));
    normal(high, ((a1 * b1 - high) + a1 * b2 + a2 * b1) + a2 * b2)
}

/// Without a low part where there is none, as beside infinity and NaN.
fn normal(high: f64, low: f64) -> Twofold {
    let low = if low.is_finite() && high.is_finite() {
        low
    } else {
        0.0
    };
    Twofold { high, low }
}

impl Twofold {
    /// A whole number; exact up to 106 bits.
    pub fn of_whole(value: i128) -> Self {
        let high = value as f64;
        // 2^127 itself is no i128; only i128::MAX and its neighbours round to it.
        let low = value.wrapping_sub(high as i128) as f64;
        exact_sum(high, low)
    }

    pub fn add(self, other: Self) -> Self {
        let high = exact_sum(self.high, other.high);
        let low = exact_sum(self.low, other.low);
        let first = exact_sum(high.high, high.low + low.high);
        exact_sum(first.high, first.low + low.low)
    }

    pub fn negated(self) -> Self {
        Self {
            high: -self.high,
            low: -self.low,
        }
    }

    pub fn subtract(self, other: Self) -> Self {
        self.add(other.negated())
    }

    pub fn multiply(self, other: Self) -> Self {
        let product = exact_product(self.high, other.high);
        let cross = self.high * other.low + self.low * other.high;
        let cross = if cross.is_finite() { cross } else { 0.0 };
        exact_sum(product.high, product.low + cross)
    }

    pub fn divide(self, by: Self) -> Self {
        let first = self.high / by.high;
        let rest = self.subtract(by.multiply(Self::from(first)));
        let second = rest.high / by.high;
        exact_sum(first, if second.is_finite() { second } else { 0.0 })
    }

    /// The square root of a number that is not negative.
    pub fn root(self) -> Self {
        let first = self.high.sqrt();
        if first == 0.0 || !first.is_finite() {
            return Self::from(first);
        }
        let rest = self.subtract(exact_product(first, first));
        exact_sum(first, rest.high / (2.0 * first))
    }

    /// The whole part of a number that is not negative, or its nearest (half up); None if it has more than 38 digits.
    /// What lies within the last bits below a whole number counts as that number.
    pub fn whole(self, half_up: bool) -> Option<i128> {
        const LAST_BITS: f64 = 1.0 / (1_u128 << 95) as f64;
        let mut value = self.add(Self::from(self.high * LAST_BITS));
        if half_up {
            value = value.add(Self::from(0.5));
        }
        let floor = value.high.floor();
        if !(0.0..1e38).contains(&floor) {
            return None;
        }
        let low = if floor == value.high {
            value.low.floor() as i128
        } else {
            0
        };
        Some(floor as i128 + low)
    }
}

impl From<f64> for Twofold {
    fn from(high: f64) -> Self {
        Self { high, low: 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::Twofold;

    #[test]
    fn keeps_what_a_double_loses() {
        let tenth = Twofold::of_whole(1).divide(Twofold::of_whole(10));
        let mut sum = Twofold::default();
        for _ in 0..1_000_000 {
            sum = sum.add(tenth);
        }
        assert_eq!(sum.high, 100_000.0);
        let large = Twofold::of_whole(i128::from(i64::MAX));
        assert_eq!(large.whole(false), Some(i128::from(i64::MAX)));
        let square = large.multiply(large);
        assert_eq!(square.root().whole(false), Some(i128::from(i64::MAX)));
        assert_eq!(
            square.subtract(square).add(Twofold::from(2.5)).whole(true),
            Some(3)
        );
        assert_eq!(square.divide(large), large);
    }

    #[test]
    fn whole_numbers() {
        for (value, down, half_up) in [(2.5, 2, 3), (0.0, 0, 0), (0.49, 0, 0), (7.0, 7, 7)] {
            assert_eq!(Twofold::from(value).whole(false), Some(down));
            assert_eq!(Twofold::from(value).whole(true), Some(half_up));
        }
        let third = Twofold::of_whole(1).divide(Twofold::of_whole(3));
        let three = third.multiply(Twofold::of_whole(9));
        assert_eq!(three.whole(false), Some(3));
        assert_eq!(Twofold::from(1e39).whole(false), None);
        assert_eq!(Twofold::from(f64::NAN).whole(false), None);
    }

    #[test]
    fn infinity_stays() {
        let huge = Twofold::from(1e200);
        assert_eq!(huge.multiply(huge), Twofold::from(f64::INFINITY));
        assert_eq!(
            Twofold::from(f64::INFINITY).root(),
            Twofold::from(f64::INFINITY)
        );
        assert!(Twofold::from(f64::NAN).add(huge).high.is_nan());
    }
}
